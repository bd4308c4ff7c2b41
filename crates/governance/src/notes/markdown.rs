//! Release notes as Markdown. What images say is anybody's text: it stands in code, where nothing of it
//! means anything.

use std::fmt::{self, Write};

use super::{ChangeKind, ConfigurationChange, PackageChange, Release, ReleaseNotes};

/// More lines of a kind are counted only.
const MOST: usize = 200;

impl ReleaseNotes {
    /// The notes in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "# {}\n", title(&self.to))?;
        writeln!(text, "{} `{}`  ", self.to.repository, self.to.digest)?;
        writeln!(text, "after {} `{}`", title(&self.from), self.from.digest)?;
        if let Some(commits) = &self.commits {
            let range = format!("`{}...{}`", commits.from, commits.to);
            match &commits.url {
                Some(url) => writeln!(text, "\nCommits: [{range}]({url})")?,
                None => writeln!(text, "\nCommits: {range}")?,
            }
        }
        let vulnerabilities = |list: &[super::ReleaseVulnerability]| {
            let line = |one: &super::ReleaseVulnerability| {
                let package = code(&format!("{} {}", one.package, one.version));
                format!("{} ({}) in {package}", code(&one.id), one.severity)
            };
            list.iter().map(line).collect::<Vec<_>>()
        };
        section(text, "Vulnerabilities fixed", &vulnerabilities(&self.fixed))?;
        section(text, "Vulnerabilities introduced", &vulnerabilities(&self.introduced))?;
        let packages = &self.packages;
        section(text, "Packages upgraded", &lines(&packages.changed))?;
        section(text, "Packages added", &lines(&packages.added))?;
        section(text, "Packages removed", &lines(&packages.removed))?;
        if let Some(base) = &self.base {
            let name = |base: &Option<String>| base.as_deref().map_or("`nothing`".to_owned(), code);
            section(text, "Base image", &[format!("{} → {}", name(&base.from), name(&base.to))])?;
        }
        let configuration: Vec<String> = self.configuration.iter().map(configured).collect();
        section(text, "Configuration", &configuration)?;
        section(text, "Size", &[size(self)])?;
        section(
            text,
            "Not compared",
            &self.problems.iter().map(|one| code(one)).collect::<Vec<_>>(),
        )
    }
}

fn title(release: &Release) -> String {
    match &release.version {
        Some(version) => code(version),
        None => code(release.repository.as_str()),
    }
}

fn section(text: &mut String, title: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## {title}\n")?;
    for line in lines.iter().take(MOST) {
        writeln!(text, "- {line}")?;
    }
    match lines.len().checked_sub(MOST) {
        Some(more) if more > 0 => writeln!(text, "- and {more} more"),
        _ => Ok(()),
    }
}

fn lines(packages: &[PackageChange]) -> Vec<String> {
    let line = |one: &PackageChange| {
        let name = code(&one.name);
        let (from, to) = (one.from.join(", "), one.to.join(", "));
        match (from.is_empty(), to.is_empty()) {
            (false, false) => format!("{name} ({}): {} → {}", one.kind, code(&from), code(&to)),
            _ => format!("{name} ({}): {}", one.kind, code(&format!("{from}{to}"))),
        }
    };
    packages.iter().map(line).collect()
}

fn configured(change: &ConfigurationChange) -> String {
    let what = match &change.name {
        Some(name) => format!("{} {}", change.kind, code(name)),
        None => change.kind.clone(),
    };
    let did = match change.change {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Changed => "changed",
    };
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{what} {did}: {} → {}", code(from), code(to)),
        (Some(value), None) | (None, Some(value)) => format!("{what} {did}: {}", code(value)),
        (None, None) => format!("{what} {did}"),
    }
}

fn size(notes: &ReleaseNotes) -> String {
    let sign = if notes.size_difference < 0 { '-' } else { '+' };
    let more = notes.size_difference.unsigned_abs();
    format!("{} bytes ({sign}{more})", notes.to.size)
}

/// A text as code, in which a backtick would be its end.
fn code(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c == '`' {
                '\''
            } else if c.is_control() {
                ' '
            } else {
                c
            }
        })
        .collect();
    format!("`{}`", if plain.is_empty() { " " } else { &plain })
}

#[cfg(test)]
mod tests {
    use plura_oci::Digest;

    use super::*;
    use crate::notes::{BaseChange, Commits, PackageChanges, ReleaseVulnerability};

    fn release(version: &str) -> Release {
        Release {
            repository: "apps/search".parse().unwrap(),
            digest: Digest::sha256(version.as_bytes()),
            platform: "linux/amd64".to_owned(),
            version: Some(version.to_owned()),
            revision: None,
            size: 1000,
        }
    }

    #[test]
    fn notes_say_what_is_different_and_nothing_of_it_is_markup() {
        let change = PackageChange {
            kind: "deb".to_owned(),
            name: "a`[x](javascript:)".to_owned(),
            from: vec!["1".to_owned()],
            to: vec!["2".to_owned()],
        };
        let notes = ReleaseNotes {
            from: release("1.0.0"),
            to: release("1.1.0"),
            commits: Some(Commits {
                from: "1".to_owned(),
                to: "2".to_owned(),
                url: Some("https://a.example/b/compare/1...2".to_owned()),
            }),
            packages: PackageChanges { changed: vec![change], ..PackageChanges::default() },
            fixed: vec![ReleaseVulnerability {
                id: "CVE-2026-1".to_owned(),
                severity: "high".to_owned(),
                package: "a".to_owned(),
                version: "1".to_owned(),
            }],
            introduced: Vec::new(),
            base: Some(BaseChange { from: None, to: Some("debian:12".to_owned()) }),
            configuration: vec![ConfigurationChange {
                kind: "environment".to_owned(),
                name: Some("TOKEN".to_owned()),
                change: ChangeKind::Added,
                from: None,
                to: None,
            }],
            size_difference: -5,
            problems: Vec::new(),
        };
        let (from, to) = (notes.from.digest, notes.to.digest);
        assert_eq!(
            notes.markdown(),
            format!(
                "# `1.1.0`\n\napps/search `{to}`  \nafter `1.0.0` `{from}`\n\n\
                 Commits: [`1...2`](https://a.example/b/compare/1...2)\n\n\
                 ## Vulnerabilities fixed\n\n- `CVE-2026-1` (high) in `a 1`\n\n\
                 ## Packages upgraded\n\n- `a'[x](javascript:)` (deb): `1` → `2`\n\n\
                 ## Base image\n\n- `nothing` → `debian:12`\n\n\
                 ## Configuration\n\n- environment `TOKEN` added\n\n\
                 ## Size\n\n- 1000 bytes (-5)\n"
            )
        );
    }
}
