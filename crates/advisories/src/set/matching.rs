use std::collections::BTreeMap;

use super::{
    AdvisorySet, Row, Vulnerability, index_key,
    interval::{End, Interval},
    pool::Symbol,
};
use crate::{
    Band, Decision, Match, MatchedAs, NamedBy, Package, Severity, VersionKey, VersionOrder,
    normalised,
};

impl AdvisorySet {
    /// What the package is affected by, sorted by the names of the vulnerabilities.
    ///
    /// An advisory of which nothing can be said, because the package's version or a bound of its
    /// range is no version, is in the list too, as [`Decision::Undecided`].
    pub fn match_package(&self, package: &Package) -> Vec<Match> {
        let mut hits = BTreeMap::new();
        for named in names(package) {
            self.look_up(package, &named, &mut hits);
        }
        hits.into_iter().map(|(number, hits)| self.merge(package, number, &hits)).collect()
    }

    /// The same for many packages; those that nothing affects are left out. Give each distinct
    /// package once: what two images have in common has the same answer.
    pub fn match_all<'a>(
        &self,
        packages: impl IntoIterator<Item = &'a Package>,
    ) -> impl Iterator<Item = (&'a Package, Vec<Match>)> {
        let matched = packages.into_iter().map(|package| (package, self.match_package(package)));
        matched.filter(|(_, matches)| !matches.is_empty())
    }

    fn look_up<'a>(&'a self, package: &Package, named: &Named<'a>, hits: &mut Hits<'a>) {
        let family = package.ecosystem.family();
        let release = package.ecosystem.canonical_release();
        let name = normalised(family, named.name);
        let mut keys = Keys::of(named.version);
        // An advisory without a release is about all of them.
        let releases = [release.as_ref(), ""];
        for release in if release.is_empty() { &releases[1..] } else { &releases[..] } {
            let Some(span) = self.packages.get(&*index_key(family.as_str(), release, &name)) else {
                continue;
            };
            for row in span.of(&self.rows) {
                if let Some(decision) = self.decide(row, &mut keys) {
                    self.note(row, &decision, named.matched_as, hits);
                }
            }
        }
    }

    /// Whether the advisory affects the version; nothing if it does not.
    fn decide(&self, row: &Row, keys: &mut Keys<'_>) -> Option<Decided<'_>> {
        let has = |list: &[Symbol], wanted: &[u8]| {
            list.binary_search_by(|known| self.pool.bytes(*known).cmp(wanted)).is_ok()
        };
        if has(row.listed_texts.of(&self.listed_texts), keys.text.as_bytes()) {
            return Some(Decided::Listed);
        }
        // Without an order the list of versions is all there is.
        let Some(order) = row.order else {
            return row.undecidable.map(|reason| Decided::Undecided(self.pool.text(reason).into()));
        };
        let key = match keys.key(order) {
            Ok(key) => key.as_bytes(),
            Err(reason) => return Some(Decided::Undecided(reason.clone())),
        };
        let intervals = row.intervals.of(&self.intervals);
        if let Some(interval) = intervals.iter().find(|known| known.contains(key, &self.pool)) {
            return Some(Decided::Interval(interval));
        }
        if has(row.listed_keys.of(&self.listed_keys), key) {
            return Some(Decided::Listed);
        }
        row.undecidable.map(|reason| Decided::Undecided(self.pool.text(reason).into()))
    }

    fn note<'a>(
        &'a self,
        row: &'a Row,
        decided: &Decided<'a>,
        matched_as: MatchedAs,
        hits: &mut Hits<'a>,
    ) {
        let Some(advisory) = self.advisories.get(row.advisory as usize) else { return };
        for number in advisory.about.of(&self.about) {
            let decided = decided.clone();
            hits.entry(*number).or_default().push(Hit { row, decided, matched_as });
        }
    }

    /// One match of everything that was found about one vulnerability.
    fn merge(&self, package: &Package, number: u32, hits: &[Hit<'_>]) -> Match {
        let vulnerability = self.vulnerabilities.get(number as usize);
        // The lists are in the order of the advisories' names; of equal decisions the first counts.
        let deciding = hits.iter().min_by_key(|hit| hit.decided.doubt());
        let decision = deciding.map_or_else(|| Decision::Listed, |hit| self.decision(&hit.decided));
        let text = |symbol| -> Box<str> { self.pool.text(symbol).into() };
        let mut advisories: Vec<Box<str>> = hits
            .iter()
            .filter_map(|hit| self.advisories.get(hit.row.advisory as usize))
            .map(|advisory| text(advisory.id))
            .collect();
        advisories.dedup();
        Match {
            vulnerability: vulnerability.map(|known| text(known.id)).unwrap_or_default(),
            aliases: vulnerability
                .map(|known| known.aliases.iter().map(|alias| text(*alias)).collect())
                .unwrap_or_default(),
            advisories,
            summary: self.summary(hits),
            package: package.clone(),
            matched_as: deciding.map_or(MatchedAs::Binary, |hit| hit.matched_as),
            severity: self.severity(vulnerability, hits),
            fixed: self.fixed(package, hits),
            decision,
        }
    }

    fn summary(&self, hits: &[Hit<'_>]) -> Box<str> {
        let advisories = hits.iter().filter_map(|h| self.advisories.get(h.row.advisory as usize));
        let mut summaries = advisories.map(|advisory| self.pool.text(advisory.summary));
        summaries.find(|summary| !summary.is_empty()).unwrap_or_default().into()
    }

    /// What an advisory about this vulnerability alone says about this package; else what any says
    /// about the vulnerability; else what one about several of them says.
    fn severity(&self, vulnerability: Option<&Vulnerability>, hits: &[Hit<'_>]) -> Severity {
        let known = |index: u32| {
            self.severities.get(index as usize).filter(|found| found.band != Band::Unknown)
        };
        let alone = |hit: &&Hit<'_>| {
            let advisory = self.advisories.get(hit.row.advisory as usize);
            advisory.is_some_and(|advisory| advisory.about.range().len() == 1)
        };
        let nearest = hits.iter().filter(alone).find_map(|hit| known(hit.row.severity));
        nearest
            .or_else(|| vulnerability.and_then(|found| found.severity).and_then(known))
            .or_else(|| hits.iter().find_map(|hit| known(hit.row.severity)))
            .cloned()
            .unwrap_or_default()
    }

    /// The versions above the installed one that fix it, in ascending order.
    fn fixed(&self, package: &Package, hits: &[Hit<'_>]) -> Vec<Box<str>> {
        let mut fixed: Vec<(&[u8], &str)> = Vec::new();
        for hit in hits {
            let version = match (hit.matched_as, &package.source) {
                (MatchedAs::Source, Some(source)) => &source.version,
                _ => &package.version,
            };
            let installed = hit.row.order.and_then(|order| order.key(version).ok());
            for interval in hit.row.intervals.of(&self.intervals) {
                if let End::Fixed(bound) = interval.end {
                    let key = self.pool.bytes(bound.key);
                    if installed.as_ref().is_none_or(|installed| installed.as_bytes() < key) {
                        fixed.push((key, self.pool.text(bound.text)));
                    }
                }
            }
        }
        fixed.sort_unstable();
        fixed.dedup_by_key(|(key, _)| *key);
        fixed.into_iter().map(|(_, text)| text.into()).collect()
    }

    fn decision(&self, decided: &Decided<'_>) -> Decision {
        let text = |symbol| -> Box<str> { self.pool.text(symbol).into() };
        match decided {
            Decided::Listed => Decision::Listed,
            Decided::Undecided(reason) => Decision::Undecided { reason: reason.clone() },
            Decided::Interval(interval) => {
                let introduced = interval.from.map(|from| text(from.text));
                match interval.end {
                    End::Never => Decision::Unfixed { introduced },
                    End::Fixed(end) => Decision::Before { introduced, fixed: text(end.text) },
                    End::LastAffected(end) => {
                        Decision::UpTo { introduced, last_affected: text(end.text) }
                    }
                    End::Limit(end) => Decision::Below { introduced, limit: text(end.text) },
                }
            }
        }
    }
}

/// By the number of the vulnerability.
type Hits<'a> = BTreeMap<u32, Vec<Hit<'a>>>;

struct Hit<'a> {
    row: &'a Row,
    decided: Decided<'a>,
    matched_as: MatchedAs,
}

#[derive(Clone)]
enum Decided<'a> {
    Interval(&'a Interval),
    Listed,
    Undecided(Box<str>),
}

impl Decided<'_> {
    fn doubt(&self) -> u8 {
        match self {
            Self::Interval(_) => 0,
            Self::Listed => 1,
            Self::Undecided(_) => 2,
        }
    }
}

/// A name under which advisories may know the package.
struct Named<'a> {
    name: &'a str,
    version: &'a str,
    matched_as: MatchedAs,
}

fn names(package: &Package) -> impl Iterator<Item = Named<'_>> {
    let by = package.ecosystem.family().named_by();
    let own = (&*package.name, &*package.version);
    let source = package.source.as_ref().map(|source| (&*source.name, &*source.version));
    let (source, binary) = match (by, source) {
        (NamedBy::Binary, _) => (None, Some(own)),
        (NamedBy::Source, source) => (source.or(Some(own)), None),
        (NamedBy::Both, Some(source)) if source == own => (Some(source), None),
        (NamedBy::Both, source) => (source, Some(own)),
    };
    let named = |matched_as| move |(name, version)| Named { name, version, matched_as };
    source.map(named(MatchedAs::Source)).into_iter().chain(binary.map(named(MatchedAs::Binary)))
}

/// The keys of one version, each computed once.
struct Keys<'a> {
    text: &'a str,
    known: Vec<(VersionOrder, Result<VersionKey, Box<str>>)>,
}

impl<'a> Keys<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, known: Vec::new() }
    }

    fn key(&mut self, order: VersionOrder) -> &Result<VersionKey, Box<str>> {
        let position = self.known.iter().position(|(known, _)| *known == order);
        let position = position.unwrap_or_else(|| {
            let key = order.key(self.text).map_err(|error| error.to_string().into());
            self.known.push((order, key));
            self.known.len() - 1
        });
        &self.known[position].1
    }
}
