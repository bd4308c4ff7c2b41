use serde::{Deserialize, Serialize};

/// Which operating system a file system is of (os-release(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `debian`, `alpine`, `rhel`, …
    pub id: String,
    /// Relatives, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_like: Vec<String>,
    /// `12`, `3.20.1`; rolling ones have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version_id: String,
    /// `bookworm`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version_codename: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pretty_name: String,
    /// The variant that is built from it: `coreos`, `container`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant_id: String,
}

/// No value that is kept is longer in any release there was.
const LONGEST_VALUE: usize = 256;

impl OsRelease {
    /// Reads `NAME=value` lines. Without an `ID` it is nothing.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut release = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = unquoted(value);
            if value.len() > LONGEST_VALUE || value.chars().any(char::is_control) {
                continue;
            }
            match key {
                "ID" => release.id = value.to_lowercase(),
                "ID_LIKE" => {
                    release.id_like = value.split_whitespace().map(str::to_owned).collect();
                }
                "VERSION_ID" => release.version_id = value,
                "VERSION_CODENAME" => release.version_codename = value,
                "PRETTY_NAME" => release.pretty_name = value,
                "VARIANT_ID" => release.variant_id = value,
                _ => {}
            }
        }
        (!release.id.is_empty()).then_some(release)
    }

    /// `debian-12`, as the `distro` of package URLs is written.
    pub fn distro(&self) -> String {
        if self.version_id.is_empty() {
            return self.id.clone();
        }
        format!("{}-{}", self.id, self.version_id)
    }
}

/// A value as a shell would read it: quotes of either kind, and backslashes inside double ones.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let quoted = |quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    if let Some(value) = quoted('\'') {
        return value.to_owned();
    }
    let Some(value) = quoted('"') else { return value.to_owned() };
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        plain.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_read_with_and_without_quotes() {
        let text = b"# comment\nID=\"rhel\"\nID_LIKE='fedora centos'\nVERSION_ID=9.4\n\
            PRETTY_NAME=\"Red \\\"Hat\\\" 9\"\nBROKEN\n";
        let release = OsRelease::parse(text).unwrap();
        assert_eq!((release.id.as_str(), release.version_id.as_str()), ("rhel", "9.4"));
        assert_eq!(release.id_like, ["fedora", "centos"]);
        assert_eq!(release.pretty_name, "Red \"Hat\" 9");
        assert_eq!(release.distro(), "rhel-9.4");
        assert_eq!(OsRelease::parse(b"NAME=nothing"), None);
    }
}
