//! Names of one vulnerability, brought together.

use std::collections::HashMap;

use super::pool::Symbol;
use crate::Advisory;

/// A vulnerability by its names.
#[derive(Clone, Debug)]
pub(crate) struct Vulnerability {
    /// The CVE, or else the name that is known best.
    pub(crate) id: Symbol,
    /// Its other names, sorted.
    pub(crate) aliases: Box<[Symbol]>,
    /// Index into the severities: the best that any advisory says about this one alone.
    pub(crate) severity: Option<u32>,
}

/// Sets of names. Two different CVEs are never brought together, whatever an advisory calls itself.
#[derive(Default)]
pub(crate) struct Groups {
    indexes: HashMap<Box<str>, usize>,
    names: Vec<Box<str>>,
    parents: Vec<usize>,
    cves: Vec<Option<usize>>,
}

pub(crate) fn is_cve(name: &str) -> bool {
    name.starts_with("CVE-")
}

impl Groups {
    /// Takes in the names of an advisory. One that has several CVEs is about several vulnerabilities,
    /// and a name of none of them.
    pub(crate) fn add(&mut self, id: &str, aliases: &[Box<str>]) {
        let own = self.index(id);
        let several =
            aliases.iter().map(|alias| &**alias).chain([id]).filter(|n| is_cve(n)).count() > 1;
        for alias in aliases {
            let alias = self.index(alias);
            if !several {
                self.join(own, alias);
            }
        }
    }

    /// The vulnerabilities that an advisory is about, by one of their names each.
    pub(crate) fn about(&mut self, id: &str, links: &Links<'_>) -> Vec<usize> {
        let cves: Vec<&str> = std::iter::once(id)
            .chain(links.aliases.iter().map(|a| &**a))
            .filter(|n| is_cve(n))
            .collect();
        let own = self.root_of(id);
        let names: Vec<&str> = if cves.len() > 1 {
            cves
        } else if self.cves[own].is_some() {
            vec![id]
        } else {
            links.others().unwrap_or_else(|| vec![id])
        };
        let mut roots: Vec<usize> = names.into_iter().map(|name| self.root_of(name)).collect();
        roots.sort_unstable();
        roots.dedup();
        roots
    }

    /// All names of each set, by its root; the best one first.
    pub(crate) fn sets(&mut self) -> HashMap<usize, Vec<Box<str>>> {
        let mut sets: HashMap<usize, Vec<Box<str>>> = HashMap::new();
        for index in 0..self.names.len() {
            let root = self.root(index);
            sets.entry(root).or_default().push(self.names[index].clone());
        }
        for names in sets.values_mut() {
            names.sort_unstable_by(|left, right| (fame(left), left).cmp(&(fame(right), right)));
        }
        sets
    }

    fn root_of(&mut self, name: &str) -> usize {
        let index = self.index(name);
        self.root(index)
    }

    fn index(&mut self, name: &str) -> usize {
        if let Some(index) = self.indexes.get(name) {
            return *index;
        }
        let index = self.names.len();
        self.indexes.insert(name.into(), index);
        self.names.push(name.into());
        self.parents.push(index);
        self.cves.push(is_cve(name).then_some(index));
        index
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parents[index] != index {
            self.parents[index] = self.parents[self.parents[index]];
            index = self.parents[index];
        }
        index
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        match (self.cves[left], self.cves[right]) {
            (Some(one), Some(other)) if one != other => return,
            (None, cve) => self.cves[left] = cve,
            _ => {}
        }
        self.parents[right] = left;
    }
}

/// What an advisory says that it belongs to.
pub(crate) struct Links<'a> {
    pub(crate) aliases: &'a [Box<str>],
    pub(crate) upstream: &'a [Box<str>],
    pub(crate) related: &'a [Box<str>],
    pub(crate) of_system: bool,
}

impl<'a> Links<'a> {
    pub(crate) fn of(advisory: &'a Advisory) -> Self {
        let systems = |affected: &crate::Affected| {
            affected.package.as_ref().is_some_and(|p| p.ecosystem.family().is_operating_system())
        };
        Self {
            aliases: &advisory.aliases,
            upstream: &advisory.upstream,
            related: &advisory.related,
            of_system: !advisory.affected.is_empty() && advisory.affected.iter().all(systems),
        }
    }

    /// What the advisory of a distribution is about. Before `upstream` was in the schema,
    /// several of them wrote it to `related`.
    fn others(&self) -> Option<Vec<&'a str>> {
        fn cves(names: &[Box<str>]) -> Vec<&str> {
            names.iter().map(|name| &**name).filter(|name| is_cve(name)).collect()
        }
        let upstream = cves(self.upstream);
        let related = if self.of_system { cves(self.related) } else { Vec::new() };
        let others = self.upstream.iter().map(|name| &**name).collect();
        [upstream, related, others].into_iter().find(|names| !names.is_empty())
    }
}

/// Names of databases that everybody knows come first.
fn fame(name: &str) -> u8 {
    match name {
        cve if is_cve(cve) => 0,
        ghsa if ghsa.starts_with("GHSA-") => 1,
        _ => 2,
    }
}
