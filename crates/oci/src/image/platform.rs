use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::json;

/// What an image runs on: `linux/amd64`, `linux/arm/v7`, `windows(10.0.20348.1)/amd64`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// `v7`; nothing where there is none.
    pub variant: String,
    /// The version of the operating system; nothing where it does not matter.
    pub os_version: String,
}

/// The text is not `os/architecture` or `os/architecture/variant`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a platform such as `linux/amd64` or `linux/arm/v7`")]
pub struct ParsePlatformError;

impl Platform {
    /// What `BuildKit` gives to what runs nowhere: the attestations in an index.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }

    /// The place of the one that was meant by this platform: the same, or if no variant was given,
    /// the first of its architecture.
    pub fn choose<'p>(&self, all: impl IntoIterator<Item = Option<&'p Self>>) -> Option<usize> {
        let all: Vec<_> = all.into_iter().collect();
        let place = |fits: &dyn Fn(&Self) -> bool| all.iter().position(|p| p.is_some_and(fits));
        let same = |other: &Self| {
            self.is_architecture_of(other) && self.plain_variant() == other.plain_variant()
        };
        let any_variant = |other: &Self| self.variant.is_empty() && self.is_architecture_of(other);
        place(&same).or_else(|| place(&any_variant))
    }

    fn is_architecture_of(&self, other: &Self) -> bool {
        let version = self.os_version.is_empty() || self.os_version == other.os_version;
        version && self.os == other.os && self.architecture == other.architecture
    }

    /// Writers leave out the variant that everybody has.
    fn plain_variant(&self) -> &str {
        match (self.architecture.as_str(), self.variant.as_str()) {
            ("arm64", "v8") | ("amd64", "v1") => "",
            ("arm", "") => "v7",
            (_, variant) => variant,
        }
    }

    /// Reads the `platform` of a descriptor, or what a configuration has of one.
    pub(super) fn of_json(raw: &RawValue) -> Self {
        let mut platform = Self::default();
        // What is malformed was refused when the manifest was pushed.
        let _ = json::members(raw.get().as_bytes(), |key, value| platform.read(key, value));
        platform
    }

    /// Takes one member of such an object; whether it was one of a platform.
    pub(super) fn read(&mut self, key: &str, value: &RawValue) -> bool {
        let field = match key {
            "os" => &mut self.os,
            "architecture" => &mut self.architecture,
            "variant" => &mut self.variant,
            "os.version" => &mut self.os_version,
            _ => return false,
        };
        *field = json::text(value).unwrap_or_default();
        true
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.os.is_empty() && self.architecture.is_empty()
    }
}

/// The names that other tools use for an architecture.
fn architecture(text: &str) -> (&str, Option<&'static str>) {
    match text {
        "x86_64" | "x86-64" => ("amd64", None),
        "aarch64" => ("arm64", None),
        "i386" | "i686" => ("386", None),
        "armhf" => ("arm", Some("v7")),
        "armel" => ("arm", Some("v6")),
        other => (other, None),
    }
}

impl FromStr for Platform {
    type Err = ParsePlatformError;

    fn from_str(text: &str) -> Result<Self, ParsePlatformError> {
        const LONGEST: usize = 255;
        let word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        let mut parts = text.split('/');
        let (Some(os), Some(given)) = (parts.next(), parts.next()) else {
            return Err(ParsePlatformError);
        };
        let (os, os_version) = match os.split_once('(') {
            Some((os, version)) => (os, version.strip_suffix(')').ok_or(ParsePlatformError)?),
            None => (os, ""),
        };
        let (named, implied) = architecture(given);
        let variant = parts.next();
        let words = [Some(os), Some(named), variant, Some(os_version).filter(|v| !v.is_empty())];
        let valid = words.into_iter().flatten().all(word) && parts.next().is_none();
        if !valid || text.len() > LONGEST {
            return Err(ParsePlatformError);
        }
        Ok(Self {
            os: os.to_ascii_lowercase(),
            architecture: named.to_ascii_lowercase(),
            variant: variant.or(implied).unwrap_or_default().to_ascii_lowercase(),
            os_version: os_version.to_owned(),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.os)?;
        if !self.os_version.is_empty() {
            write!(f, "({})", self.os_version)?;
        }
        write!(f, "/{}", self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    #[test]
    fn a_platform_is_read_as_it_is_printed() {
        for text in
            ["linux/amd64", "linux/arm/v7", "windows(10.0.20348.1)/amd64", "unknown/unknown"]
        {
            assert_eq!(platform(text).to_string(), text);
        }
        for (text, same) in [
            ("linux/x86_64", "linux/amd64"),
            ("linux/aarch64", "linux/arm64"),
            ("Linux/ARM64/V8", "linux/arm64/v8"),
            ("linux/armhf", "linux/arm/v7"),
        ] {
            assert_eq!(platform(text).to_string(), same);
        }
        for text in
            ["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/a b", "a(b/c", "a()b/c"]
        {
            assert_eq!(text.parse::<Platform>(), Err(ParsePlatformError), "{text}");
        }
    }

    #[test]
    fn the_platform_that_was_meant_is_found() {
        let all =
            ["linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "linux/riscv64/x"];
        let all = all.map(platform);
        for (wanted, place) in [
            ("linux/amd64", Some(0)),
            ("linux/amd64/v1", Some(0)),
            ("linux/amd64/v3", None),
            ("linux/arm64", Some(1)),
            ("linux/arm", Some(3)),
            ("linux/arm/v6", Some(2)),
            ("linux/arm/v5", None),
            ("linux/riscv64", Some(4)),
            ("windows/amd64", None),
        ] {
            assert_eq!(platform(wanted).choose(all.iter().map(Some)), place, "{wanted}");
        }
        assert_eq!(platform("linux/amd64").choose([None, Some(&all[0])]), Some(1));
    }
}
