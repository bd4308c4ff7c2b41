use std::collections::{BTreeMap, BTreeSet};

use plura_contents::ListedPackage;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Packages of an image that the other does not have alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleasePackages)]
pub struct PackageChanges {
    /// Those that are new.
    pub added: Vec<PackageChange>,
    /// Those that are gone.
    pub removed: Vec<PackageChange>,
    /// Those of another version.
    pub changed: Vec<PackageChange>,
}

/// A package that the other image does not have alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleasePackage)]
pub struct PackageChange {
    /// Its packaging.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The versions before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// The versions now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

type Versions<'p> = BTreeMap<(&'p str, &'p str), BTreeSet<&'p str>>;

impl PackageChanges {
    /// What is different in `after`. An image may have several versions of one package.
    pub(super) fn between(before: &[ListedPackage], after: &[ListedPackage]) -> Self {
        let (before, after) = (versions(before), versions(after));
        let mut changes = Self::default();
        let names: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
        for (kind, name) in names {
            let texts = |versions: &Versions<'_>| {
                let found = versions.get(&(kind, name)).into_iter().flatten();
                found.map(|version| (*version).to_owned()).collect::<Vec<String>>()
            };
            let (from, to) = (texts(&before), texts(&after));
            let list = match (from.is_empty(), to.is_empty()) {
                _ if from == to => continue,
                (true, _) => &mut changes.added,
                (_, true) => &mut changes.removed,
                _ => &mut changes.changed,
            };
            list.push(PackageChange { kind: kind.to_owned(), name: name.to_owned(), from, to });
        }
        changes
    }
}

fn versions(packages: &[ListedPackage]) -> Versions<'_> {
    let mut versions = Versions::new();
    for package in packages {
        let key = (package.kind.as_str(), package.name.as_str());
        versions.entry(key).or_default().insert(&package.version);
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(list: &[(&str, &str)]) -> Vec<ListedPackage> {
        let package = |(name, version): &(&str, &str)| ListedPackage {
            kind: "deb".to_owned(),
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            architecture: None,
            source: None,
            licenses: Vec::new(),
            purl: String::new(),
            path: String::new(),
            layer: None,
        };
        list.iter().map(package).collect()
    }

    #[test]
    fn packages_come_and_go_and_change() {
        let before = packages(&[("a", "1"), ("b", "1"), ("c", "1"), ("c", "2"), ("d", "1")]);
        let after = packages(&[("b", "2"), ("c", "2"), ("d", "1"), ("d", "1"), ("e", "1")]);
        let changes = PackageChanges::between(&before, &after);
        let told = |list: &[PackageChange]| {
            let told = list.iter().map(|one| format!("{} {:?} {:?}", one.name, one.from, one.to));
            told.collect::<Vec<_>>()
        };
        assert_eq!(told(&changes.removed), [r#"a ["1"] []"#]);
        assert_eq!(told(&changes.added), [r#"e [] ["1"]"#]);
        assert_eq!(told(&changes.changed), [r#"b ["1"] ["2"]"#, r#"c ["1", "2"] ["2"]"#]);
    }
}
