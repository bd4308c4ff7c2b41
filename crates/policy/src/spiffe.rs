//! SPIFFE IDs, the names of workloads, and patterns that stand for several of them.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SCHEME: &str = "spiffe://";

/// The name of a workload, or of a whole trust domain: `spiffe://TRUST-DOMAIN/PATH`.
///
/// Rules: SPIFFE-ID, section 2. There is exactly one way to write a name, so that equal names are
/// equal text: no upper case in the trust domain, no percent-encoding, no empty, `.` or `..`
/// segment; and no port, user, query or fragment.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId(Arc<str>);

/// Stands for the SPIFFE IDs of one trust domain whose paths fit:
/// `spiffe://TRUST-DOMAIN/ns/*/sa/ci`.
///
/// A segment `*` stands for exactly one segment, whatever it is. `**` as the last segment stands
/// for any number of segments, none included. There are no wildcards in trust domains: each is an
/// authority of its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffePattern(Arc<str>);

/// Why a text is not a SPIFFE ID, or not a pattern of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSpiffeError {
    /// Longer than [`SpiffeId::MAX_LENGTH`].
    #[error("a SPIFFE ID has at most 2048 bytes")]
    TooLong,
    /// Of another scheme, or of none.
    #[error("a SPIFFE ID begins with `spiffe://`, in lower case")]
    Scheme,
    /// The trust domain is not of the grammar.
    #[error(
        "a trust domain consists of 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without \
         a port"
    )]
    TrustDomain,
    /// The path is not of the grammar.
    #[error(
        "the segments of the path of a SPIFFE ID consist of letters, digits, `.`, `-` and `_`; \
         none is empty, `.` or `..`"
    )]
    Path,
    /// A wildcard in a pattern is at a place where it means nothing.
    #[error("`*` stands for one whole segment of a path, and `**` for the rest of it, at the end")]
    Wildcard,
}

impl SpiffeId {
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 2048;

    /// The longest trust domain, in bytes.
    pub const MAX_TRUST_DOMAIN_LENGTH: usize = 255;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose name it is.
    pub fn trust_domain(&self) -> &str {
        parts(&self.0).0
    }

    /// The segments of the path. A trust domain's own name has none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        segments(parts(&self.0).1)
    }

    /// Whether a certificate of a workload may carry it: a name without a path is that of the
    /// trust domain (X509-SVID, section 3.1).
    pub fn names_a_workload(&self) -> bool {
        self.segments().next().is_some()
    }
}

impl SpiffePattern {
    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for `id`.
    pub fn matches(&self, id: &SpiffeId) -> bool {
        let (trust_domain, path) = parts(&self.0);
        let mut found = id.segments();
        for wanted in segments(path) {
            match (wanted, found.next()) {
                ("**", _) => return trust_domain == id.trust_domain(),
                ("*", Some(_)) => {}
                (wanted, Some(found)) if wanted == found => {}
                _ => return false,
            }
        }
        found.next().is_none() && trust_domain == id.trust_domain()
    }
}

/// The trust domain and, behind its slash, the path of a text that begins with the scheme.
fn parts(text: &str) -> (&str, Option<&str>) {
    let rest = text.strip_prefix(SCHEME).unwrap_or_default();
    match rest.split_once('/') {
        Some((trust_domain, path)) => (trust_domain, Some(path)),
        None => (rest, None),
    }
}

fn segments(path: Option<&str>) -> impl Iterator<Item = &str> {
    path.into_iter().flat_map(|path| path.split('/'))
}

/// What names and patterns have in common: everything in front of the path.
fn path_of(text: &str) -> Result<Option<&str>, ParseSpiffeError> {
    if text.len() > SpiffeId::MAX_LENGTH {
        return Err(ParseSpiffeError::TooLong);
    }
    if !text.starts_with(SCHEME) {
        return Err(ParseSpiffeError::Scheme);
    }
    let (trust_domain, path) = parts(text);
    if !is_trust_domain(trust_domain) {
        return Err(ParseSpiffeError::TrustDomain);
    }
    Ok(path)
}

fn is_trust_domain(text: &str) -> bool {
    let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=SpiffeId::MAX_TRUST_DOMAIN_LENGTH).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_segment(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !matches!(text, "" | "." | "..") && text.bytes().all(allowed)
}

impl FromStr for SpiffeId {
    type Err = ParseSpiffeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !segments(path_of(text)?).all(is_segment) {
            return Err(ParseSpiffeError::Path);
        }
        Ok(Self(text.into()))
    }
}

impl FromStr for SpiffePattern {
    type Err = ParseSpiffeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut wanted = segments(path_of(text)?).peekable();
        while let Some(segment) = wanted.next() {
            match segment {
                "*" => {}
                "**" if wanted.peek().is_none() => {}
                _ if segment.contains('*') => return Err(ParseSpiffeError::Wildcard),
                _ if is_segment(segment) => {}
                _ => return Err(ParseSpiffeError::Path),
            }
        }
        Ok(Self(text.into()))
    }
}

/// A name stands for itself.
impl From<SpiffeId> for SpiffePattern {
    fn from(id: SpiffeId) -> Self {
        Self(id.0)
    }
}

/// Text goes out as it came in, for people and for machines.
macro_rules! as_text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(SpiffeId);
as_text!(SpiffePattern);
