use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Digest, ErrorCode, RequestError};

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec, "Pulling manifests").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

/// Why a text is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tag has 1 to 128 characters: letters, digits, `_`, and behind the first also `.` and `-`"
)]
pub struct ParseTagError;

impl Tag {
    /// The longest tag, in characters (all of which are ASCII).
    pub const MAX_LENGTH: usize = 128;

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag under which clients without the referrers API keep the list of a digest's referrers
    /// (distribution-spec, "Referrers Tag Schema"): `algorithm-hex`, the latter cut to 64 characters.
    pub fn of_referrers(subject: &Digest) -> Self {
        let hex = subject.hex();
        Self(format!("{}-{}", subject.algorithm(), &hex[..64]).into())
    }

    /// The tag of what is attached to a subject; none where the digest is too long for one.
    pub fn of_attachment(subject: &Digest, kind: AttachmentKind) -> Option<Self> {
        format!("{}-{}.{}", subject.algorithm(), subject.hex(), kind.as_str()).parse().ok()
    }

    /// What the tag says that it is attached to, if it is the name of such a thing.
    pub fn attachment(&self) -> Option<Attachment> {
        let (name, kind) = self.0.rsplit_once('.')?;
        let (algorithm, hex) = name.split_once('-')?;
        let kind = AttachmentKind::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let subject = format!("{algorithm}:{hex}").parse().ok()?;
        Some(Attachment { subject, kind })
    }

    /// The manifest in whose name the tag is: what is attached to it, or the list of its referrers. The list
    /// of a digest that is longer than that of SHA-256 does not say which one it is.
    pub fn named_subject(&self) -> Option<Digest> {
        if let Some(attachment) = self.attachment() {
            return Some(attachment.subject);
        }
        let hex = self.0.strip_prefix("sha256-")?;
        format!("sha256:{hex}").parse().ok()
    }
}

/// Something that stands under a tag of another manifest's name, `sha256-<hex>.sig`: how cosign 1 and 2
/// attach signatures (sigstore/cosign, `SIGNATURE_SPEC.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it is attached to.
    pub subject: Digest,
    /// What it is.
    pub kind: AttachmentKind,
}

/// What is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachmentKind {
    /// Signatures, one in each layer.
    Signatures,
    /// Signed statements, one in each layer.
    Attestations,
    /// A bill of materials.
    Sbom,
}

impl AttachmentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Signatures, Self::Attestations, Self::Sbom];

    /// The end of its tag.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
            Self::Sbom => "sbom",
        }
    }

    /// Whether several write it, each adding what is theirs.
    pub fn is_merged(self) -> bool {
        matches!(self, Self::Signatures | Self::Attestations)
    }
}

impl FromStr for Tag {
    type Err = ParseTagError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let valid = match text.as_bytes() {
            [first, rest @ ..] => {
                word(first) && rest.iter().all(|b| word(b) || matches!(b, b'.' | b'-'))
            }
            [] => false,
        };
        if valid && text.len() <= Self::MAX_LENGTH {
            Ok(Self(text.into()))
        } else {
            Err(ParseTagError)
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What stands behind `/manifests/`: a tag or a digest. A colon tells them apart, since no tag has one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// A movable name.
    Tag(Tag),
    /// The content itself.
    Digest(Digest),
}

impl FromStr for Reference {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(':') {
            return Ok(Self::Digest(text.parse::<Digest>()?));
        }
        let tag = text
            .parse()
            .map_err(|error| RequestError::new(ErrorCode::TagInvalid, format!("{error}")))?;
        Ok(Self::Tag(tag))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    #[test]
    fn tags_are_accepted_exactly_as_the_grammar_says() {
        let longest = "x".repeat(128);
        for tag in ["a", "_", "v1.0.0", "A-b_C.d", "1.2.3_abc", longest.as_str()] {
            assert_eq!(tag.parse::<Tag>().map(|t| t.to_string()), Ok(tag.to_owned()));
        }
        let too_long = "x".repeat(129);
        for tag in ["", ".a", "-a", "a b", "a+b", "a/b", "é", "a\n", too_long.as_str()] {
            assert_eq!(tag.parse::<Tag>(), Err(ParseTagError), "{tag:?}");
        }
    }

    #[test]
    fn tags_of_attachments_name_their_subject() {
        let subject = Digest::sha256(b"");
        for kind in AttachmentKind::ALL {
            let tag = Tag::of_attachment(&subject, kind).unwrap();
            assert_eq!(tag.attachment(), Some(Attachment { subject, kind }));
        }
        let long = Digest::of(Algorithm::Sha512, b"");
        assert_eq!(Tag::of_attachment(&long, AttachmentKind::Signatures), None);
        let hex = Digest::sha256(b"").hex();
        for other in [
            "1.0.sig".to_owned(),
            format!("sha256-{hex}"),
            format!("sha256-{hex}.sigs"),
            format!("sha256-{}.sig", &hex[1..]),
            format!("sha256-{}.sig", hex.to_uppercase()),
            format!("md5-{hex}.sig"),
        ] {
            assert_eq!(other.parse::<Tag>().unwrap().attachment(), None, "{other}");
        }
    }

    #[test]
    fn the_referrers_tag_is_cut_to_what_a_tag_may_hold() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"");
            let tag = Tag::of_referrers(&digest);
            assert_eq!(tag.as_str(), format!("{algorithm}-{}", &digest.hex()[..64]));
            assert_eq!(tag.as_str().parse(), Ok(tag.clone()));
        }
    }
}
