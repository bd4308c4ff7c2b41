use std::collections::HashMap;

use super::{
    Order,
    glob::Glob,
    graph::{Graph, Place, Role},
    rules::Selection,
    tagged::{Times, times_of_manifest, times_of_tag},
    version::Version,
};

/// How new an image is: first by its version, where that counts, then by time, then by its place, so that
/// the answer is the same whenever it is asked for.
type Rank<'a> = (Option<Version<'a>>, i64, Place);

fn rank(version: Option<Version<'_>>, times: Times, order: Order, place: Place) -> Rank<'_> {
    let time = match order {
        Order::Version | Order::Pushed => times.pushed,
        Order::Pulled => times.pulled.unwrap_or(i64::MIN),
        Order::Active => times.active(),
    };
    (version, time, place)
}

/// The newest images of each pattern of the rule; marked by place.
pub(super) fn newest(
    graph: &Graph<'_>,
    standalone: &[bool],
    selection: &Selection,
    count: usize,
    order: Order,
) -> Vec<bool> {
    let mut kept = vec![false; graph.manifests.len()];
    let mut keep = |ranks: Vec<Rank<'_>>| {
        for (_, _, place) in best(ranks, count) {
            kept[place as usize] = true;
        }
    };
    for glob in &selection.tags {
        keep(ranks_of_tags(graph, selection, glob, order));
    }
    if selection.untagged {
        let places = (0..).zip(standalone).filter(|(_, standalone)| **standalone);
        let ranks = places.map(|(place, _)| {
            rank(None, times_of_manifest(graph.manifests[place as usize]), order, place)
        });
        keep(ranks.collect());
    }
    kept
}

/// The best rank of each image that has a tag of the pattern.
fn ranks_of_tags<'a>(
    graph: &Graph<'a>,
    selection: &Selection,
    glob: &Glob,
    order: Order,
) -> Vec<Rank<'a>> {
    let mut ranks: HashMap<Place, Rank<'a>> = HashMap::new();
    for tag in graph.tags.iter().filter(|tag| tag.role == Role::Name) {
        let name = tag.facts.tag.as_str();
        let Some(place) = tag.manifest else { continue };
        if !glob.covers(name) || selection.excludes(name) {
            continue;
        }
        let version = match order {
            Order::Version => Version::of(name, glob.literal_prefix()),
            Order::Pushed | Order::Pulled | Order::Active => None,
        };
        let new = rank(version, times_of_tag(graph, tag), order, place);
        let known = ranks.entry(place).or_insert_with(|| new.clone());
        if *known < new {
            *known = new;
        }
    }
    ranks.into_values().collect()
}

fn best(mut ranks: Vec<Rank<'_>>, count: usize) -> Vec<Rank<'_>> {
    if ranks.len() > count {
        ranks.select_nth_unstable_by(count, |one, other| other.cmp(one));
        ranks.truncate(count);
    }
    ranks
}
