//! Which commits an image was built from.

use std::collections::BTreeMap;

use super::Commits;

/// The label with the commit.
pub(super) const REVISION: &str = "org.opencontainers.image.revision";
const SOURCE: &str = "org.opencontainers.image.source";
/// Longer ones name nothing.
const LONGEST: usize = 500;

/// The commits between two images, by their labels.
pub(super) fn commits(
    from: &BTreeMap<String, String>,
    to: &BTreeMap<String, String>,
) -> Option<Commits> {
    let revision = |labels: &BTreeMap<String, String>| {
        labels.get(REVISION).filter(|text| is_revision(text)).cloned()
    };
    let (from_revision, to_revision) = (revision(from)?, revision(to)?);
    if from_revision == to_revision {
        return None;
    }
    // Commits of two repositories have no others between them.
    let source = to.get(SOURCE).filter(|source| from.get(SOURCE) == Some(*source));
    let url = source.and_then(|source| compare_url(source, &from_revision, &to_revision));
    Some(Commits { from: from_revision, to: to_revision, url })
}

fn is_revision(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !text.is_empty() && text.len() <= 100 && text.chars().all(plain)
}

/// Where a forge shows what is between two commits. Labels are anybody's text, so that nothing but a plain
/// address of the web becomes a link.
fn compare_url(source: &str, from: &str, to: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:~".contains(c);
    let address = source.strip_prefix("https://")?;
    if source.len() > LONGEST || !address.chars().all(plain) || !address.contains('/') {
        return None;
    }
    let repository = source.trim_end_matches('/').trim_end_matches(".git");
    let host = address.split('/').next().unwrap_or_default();
    Some(match host {
        _ if host.contains("gitlab") => format!("{repository}/-/compare/{from}...{to}"),
        "bitbucket.org" => format!("{repository}/branches/compare/{to}%0D{from}"),
        _ => format!("{repository}/compare/{from}...{to}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(source: &str, revision: &str) -> BTreeMap<String, String> {
        [(SOURCE, source), (REVISION, revision)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn commits_are_shown_by_the_forge_of_the_source() {
        for (source, url) in [
            ("https://github.com/a/b", Some("https://github.com/a/b/compare/1...2")),
            ("https://github.com/a/b.git", Some("https://github.com/a/b/compare/1...2")),
            ("https://gitlab.a.example/b/c/", Some("https://gitlab.a.example/b/c/-/compare/1...2")),
            ("https://bitbucket.org/a/b", Some("https://bitbucket.org/a/b/branches/compare/2%0D1")),
            ("git@github.com:a/b.git", None),
            ("https://github.com/a/b)[x](javascript:", None),
            ("javascript:alert(1)", None),
        ] {
            let found = commits(&labels(source, "1"), &labels(source, "2")).unwrap();
            assert_eq!(found.url.as_deref(), url, "{source}");
        }
        let (one, other) = ("https://github.com/a/b", "https://github.com/a/c");
        assert_eq!(commits(&labels(one, "1"), &labels(other, "2")).unwrap().url, None);
        assert_eq!(commits(&labels(one, "1"), &labels(one, "1")), None);
        assert_eq!(commits(&labels(one, "a b"), &labels(one, "1")), None);
    }
}
