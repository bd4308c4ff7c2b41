use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use plura_oci::Digest;

use super::{
    AdvisoryRow, AdvisorySet, Row, Span,
    group::{Groups, Links, Vulnerability},
    index_key,
    interval::{Interval, intervals},
    pool::{PoolBuilder, Symbol},
};
use crate::{
    Advisory, Affected, Band, Ecosystem, ReadAdvisoryError, Severity, SeveritySource, VersionOrder,
    normalised, osv::Range,
};

/// Takes advisories one by one, in any order, and keeps of each only what matching needs.
#[derive(Default)]
pub struct AdvisorySetBuilder {
    pool: PoolBuilder,
    entries: BTreeMap<Box<str>, Entry>,
}

/// How many of what are in a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Advisories that say something.
    pub advisories: usize,
    /// Advisories that were withdrawn and say nothing any more.
    pub withdrawn: usize,
    /// Vulnerabilities, which may have several advisories.
    pub vulnerabilities: usize,
    /// Packages with an advisory.
    pub packages: usize,
    /// Advisories of packages of which nothing can be said, for example because of an unknown kind
    /// of range or a bound that is no version.
    pub undecidable: usize,
}

/// An advisory, reduced.
struct Entry {
    modified: Timestamp,
    /// Of the record, for the set's digest and to choose between two that are equally new.
    digest: Digest,
    withdrawn: bool,
    names: Names,
    summary: Symbol,
    affected: Vec<CompiledAffected>,
}

struct Names {
    aliases: Vec<Box<str>>,
    upstream: Vec<Box<str>>,
    related: Vec<Box<str>>,
    of_system: bool,
}

struct CompiledAffected {
    /// What [`index_key`] makes of the package.
    package: Symbol,
    order: Option<VersionOrder>,
    undecidable: Option<Symbol>,
    intervals: Vec<Interval>,
    listed_keys: Vec<Symbol>,
    listed_texts: Vec<Symbol>,
    severity: Severity,
}

impl AdvisorySetBuilder {
    /// Takes an advisory as JSON.
    pub fn add_json(&mut self, json: &[u8]) -> Result<(), ReadAdvisoryError> {
        self.add(&Advisory::parse(json)?);
        Ok(())
    }

    /// Takes an advisory. Of two of one name the newer one counts.
    pub fn add(&mut self, advisory: &Advisory) {
        let record = serde_json::to_vec(advisory).unwrap_or_default();
        let digest = Digest::sha256(&record);
        let age = |entry: &Entry| (entry.modified, entry.digest);
        let known = self.entries.get(&advisory.id);
        if known.is_some_and(|known| age(known) >= (advisory.modified, digest)) {
            return;
        }
        let withdrawn = advisory.withdrawn.is_some();
        let said = if withdrawn { &[][..] } else { &advisory.affected };
        let links = Links::of(advisory);
        let entry = Entry {
            modified: advisory.modified,
            digest,
            withdrawn,
            names: Names {
                aliases: links.aliases.to_vec(),
                upstream: links.upstream.to_vec(),
                related: links.related.to_vec(),
                of_system: links.of_system,
            },
            summary: self.pool.intern(advisory.summary.as_bytes()),
            affected: said.iter().filter_map(|said| self.compile(advisory, said)).collect(),
        };
        self.entries.insert(advisory.id.clone(), entry);
    }

    /// Makes the set of what was taken.
    pub fn finish(mut self) -> AdvisorySet {
        let mut listing = Vec::new();
        for (id, entry) in &self.entries {
            listing.extend_from_slice(format!("{id} {}\n", entry.digest).as_bytes());
        }
        let newest = self.entries.values().map(|entry| entry.modified).max();
        let mut groups = self.groups();
        let mut assembly = Assembly::default();
        let withdrawn = self.entries.values().filter(|entry| entry.withdrawn).count();
        for (id, entry) in std::mem::take(&mut self.entries) {
            if !entry.withdrawn {
                let symbol = self.pool.intern(id.as_bytes());
                assembly.take(&id, symbol, entry, &mut groups);
            }
        }
        let mut set = assembly.finish(self.pool, &mut groups);
        set.digest = Digest::sha256(&listing);
        set.newest = newest;
        set.counts.withdrawn = withdrawn;
        set
    }

    fn groups(&self) -> Groups {
        let mut groups = Groups::default();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| !entry.withdrawn) {
            groups.add(id, &entry.names.aliases);
        }
        groups
    }

    fn compile(&mut self, advisory: &Advisory, affected: &Affected) -> Option<CompiledAffected> {
        let package = affected.package.as_ref()?;
        let ecosystem = &package.ecosystem;
        let name = normalised(ecosystem.family(), &package.name);
        let key = index_key(ecosystem.family().as_str(), &ecosystem.canonical_release(), &name);
        let mut compiled = CompiledAffected {
            package: self.pool.intern(key.as_bytes()),
            order: order_of(ecosystem, &affected.ranges),
            undecidable: None,
            intervals: Vec::new(),
            listed_keys: Vec::new(),
            listed_texts: Vec::new(),
            severity: Severity::of(advisory, affected),
        };
        self.compile_ranges(&mut compiled, affected);
        self.compile_versions(&mut compiled, &affected.versions);
        Some(compiled)
    }

    fn compile_ranges(&mut self, compiled: &mut CompiledAffected, affected: &Affected) {
        for range in &affected.ranges {
            let found = match (&*range.kind, compiled.order) {
                ("ECOSYSTEM" | "SEMVER", Some(order)) => {
                    intervals(&range.events, order, &mut self.pool)
                }
                // Where versions have no known order, the list of versions has to be complete.
                ("ECOSYSTEM" | "SEMVER", None) if !affected.versions.is_empty() => continue,
                ("ECOSYSTEM" | "SEMVER", None) => Err("versions have no known order there".into()),
                (kind, _) => Err(format!("`{}` is no known kind of range", short(kind))),
            };
            match found {
                Ok(found) => compiled.intervals.extend(found),
                Err(reason) => compiled.undecidable = Some(self.pool.intern(reason.as_bytes())),
            }
        }
    }

    /// Most versions that are listed are in a range as well, and need no place of their own.
    fn compile_versions(&mut self, compiled: &mut CompiledAffected, versions: &[Box<str>]) {
        // No genuine advisory has more; one that was made to cost time is only not made smaller.
        const MOST_COMPARED: usize = 64;
        let compared = compiled.intervals.len().min(MOST_COMPARED);
        for version in versions {
            let key = compiled.order.and_then(|order| order.key(version).ok());
            let Some(key) = key else {
                compiled.listed_texts.push(self.pool.intern(version.as_bytes()));
                continue;
            };
            let pool = self.pool.pool();
            if !compiled.intervals[..compared]
                .iter()
                .any(|known| known.contains(key.as_bytes(), pool))
            {
                compiled.listed_keys.push(self.pool.intern(key.as_bytes()));
            }
        }
        for list in [&mut compiled.listed_keys, &mut compiled.listed_texts] {
            list.sort_unstable_by(|left, right| {
                self.pool.bytes(*left).cmp(self.pool.bytes(*right))
            });
            list.dedup();
        }
    }
}

/// A range of type SEMVER has its own rules, which are those of the ecosystem wherever it is used as
/// the schema says.
fn order_of(ecosystem: &Ecosystem, ranges: &[Range]) -> Option<VersionOrder> {
    let semver = !ranges.is_empty() && ranges.iter().all(|range| &*range.kind == "SEMVER");
    ecosystem.order().or(semver.then_some(VersionOrder::SemVer))
}

fn short(text: &str) -> String {
    text.chars().take(32).collect()
}

/// The lists of a set, while they are being filled.
#[derive(Default)]
struct Assembly {
    rows: Vec<(Symbol, Row)>,
    intervals: Vec<Interval>,
    listed_keys: Vec<Symbol>,
    listed_texts: Vec<Symbol>,
    advisories: Vec<AdvisoryRow>,
    /// Roots of groups, until [`Assembly::finish`] numbers the vulnerabilities.
    about: Vec<usize>,
    severities: Vec<Severity>,
    best: HashMap<usize, u32>,
}

impl Assembly {
    fn take(&mut self, id: &str, symbol: Symbol, entry: Entry, groups: &mut Groups) {
        let links = Links {
            aliases: &entry.names.aliases,
            upstream: &entry.names.upstream,
            related: &entry.names.related,
            of_system: entry.names.of_system,
        };
        let roots = groups.about(id, &links);
        let advisory = index(self.advisories.len());
        let about = append(&mut self.about, roots.iter().copied());
        self.advisories.push(AdvisoryRow { id: symbol, summary: entry.summary, about });
        for affected in entry.affected {
            let severity = self.severity(affected.severity);
            // What is said about several vulnerabilities at once says nothing about one of them.
            if let [root] = roots[..] {
                self.suggest(root, severity);
            }
            let row = Row {
                advisory,
                order: affected.order,
                undecidable: affected.undecidable,
                intervals: append(&mut self.intervals, affected.intervals),
                listed_keys: append(&mut self.listed_keys, affected.listed_keys),
                listed_texts: append(&mut self.listed_texts, affected.listed_texts),
                severity,
            };
            self.rows.push((affected.package, row));
        }
    }

    /// Most packages of an advisory have the same one.
    fn severity(&mut self, severity: Severity) -> u32 {
        if self.severities.last() != Some(&severity) {
            self.severities.push(severity);
        }
        index(self.severities.len() - 1)
    }

    fn suggest(&mut self, root: usize, severity: u32) {
        let rank = |index: u32| self.severities.get(index as usize).map(standing);
        let known = self.best.get(&root).copied();
        if rank(severity).is_some_and(|new| known.and_then(rank).is_none_or(|old| new > old)) {
            self.best.insert(root, severity);
        }
    }

    fn finish(mut self, mut pool: PoolBuilder, groups: &mut Groups) -> AdvisorySet {
        // Stable, so that the rows of a package stay in the order of their advisories.
        self.rows.sort_by_key(|(package, _)| *package);
        let packages = packages(&self.rows, &pool);
        let rows: Vec<Row> = self.rows.into_iter().map(|(_, row)| row).collect();
        let (vulnerabilities, mut names, numbers) =
            vulnerabilities(&self.about, &self.best, groups, &mut pool);
        // An advisory about one vulnerability is found by its own name as well.
        for advisory in &self.advisories {
            if let [root] = advisory.about.of(&self.about)
                && let Some(number) = numbers.get(root)
            {
                names.entry(pool.text(advisory.id).into()).or_insert(*number);
            }
        }
        let undecidable = rows.iter().filter(|row| row.undecidable.is_some()).count();
        AdvisorySet {
            digest: Digest::sha256(b""),
            newest: None,
            counts: Counts {
                advisories: self.advisories.len(),
                withdrawn: 0,
                vulnerabilities: vulnerabilities.len(),
                packages: packages.len(),
                undecidable,
            },
            pool: pool.finish(),
            packages,
            rows,
            intervals: self.intervals,
            listed_keys: self.listed_keys,
            listed_texts: self.listed_texts,
            advisories: self.advisories,
            about: self
                .about
                .iter()
                .map(|root| numbers.get(root).copied().unwrap_or(u32::MAX))
                .collect(),
            vulnerabilities,
            severities: self.severities,
            names,
        }
    }
}

/// Where the rows of each package are, which are next to each other.
fn packages(rows: &[(Symbol, Row)], pool: &PoolBuilder) -> HashMap<Box<str>, Span> {
    let mut packages = HashMap::new();
    let mut start = 0;
    for rows in rows.chunk_by(|(left, _), (right, _)| left == right) {
        let end = start + rows.len();
        let span = Span { start: index(start), end: index(end) };
        packages.insert(pool.text(rows[0].0).into(), span);
        start = end;
    }
    packages
}

type Numbered = (Vec<Vulnerability>, HashMap<Box<str>, u32>, HashMap<usize, u32>);

/// Numbers what the advisories are about in the order of its names.
fn vulnerabilities(
    about: &[usize],
    best: &HashMap<usize, u32>,
    groups: &mut Groups,
    pool: &mut PoolBuilder,
) -> Numbered {
    let sets = groups.sets();
    let mut used: Vec<usize> = about.to_vec();
    used.sort_unstable();
    used.dedup();
    used.sort_by_key(|root| sets.get(root).and_then(|names| names.first()));
    let mut numbered: Numbered = Default::default();
    for root in used {
        let Some((id, aliases)) = sets.get(&root).and_then(|names| names.split_first()) else {
            continue;
        };
        let number = index(numbered.0.len());
        let mut aliases: Vec<&Box<str>> = aliases.iter().collect();
        aliases.sort_unstable();
        numbered.0.push(Vulnerability {
            id: pool.intern(id.as_bytes()),
            aliases: aliases.iter().map(|alias| pool.intern(alias.as_bytes())).collect(),
            severity: best.get(&root).copied(),
        });
        numbered.1.insert(id.clone(), number);
        numbered.1.extend(aliases.into_iter().map(|alias| (alias.clone(), number)));
        numbered.2.insert(root, number);
    }
    numbered
}

/// Which of two severities of one vulnerability to show where the advisory at hand has none.
fn standing(severity: &Severity) -> (bool, SeverityRank, Band) {
    let rank = match severity.source {
        SeveritySource::CvssV4 => 4,
        SeveritySource::CvssV3 => 3,
        SeveritySource::CvssV2 => 2,
        SeveritySource::Vendor | SeveritySource::Scanner => 1,
        SeveritySource::Nobody => 0,
    };
    (
        severity.band != Band::Unknown,
        (rank, severity.score.map(crate::Score::tenths)),
        severity.band,
    )
}

type SeverityRank = (u8, Option<u8>);

fn append<T>(list: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Span {
    let start = index(list.len());
    list.extend(items);
    Span { start, end: index(list.len()) }
}

/// There is no memory for four billion of anything here.
fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
