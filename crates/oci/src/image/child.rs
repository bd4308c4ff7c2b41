use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Platform, json};
use crate::Digest;

/// What an index says about one of its children, beside what [`crate::Descriptor`] has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageChild {
    /// What it runs on.
    pub platform: Option<Platform>,
    /// What it is declared to be.
    pub artifact_type: Option<String>,
    /// The child that it attests, if it is an attestation as `BuildKit` puts them into an index.
    pub attests: Option<Digest>,
    /// The annotations of the descriptor.
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Index<'a> {
    #[serde(borrow, default)]
    manifests: Option<Vec<&'a RawValue>>,
}

impl ImageChild {
    /// Reads the children from the bytes of an index, in their order.
    pub fn all_of(index: &[u8]) -> Vec<Self> {
        // The bytes were taken for a manifest, so this cannot fail; nothing is a view as good as any.
        let index: Option<Index<'_>> = serde_json::from_slice(index).ok();
        let raw = index.and_then(|index| index.manifests).unwrap_or_default();
        raw.into_iter().map(Self::of).collect()
    }

    fn of(raw: &RawValue) -> Self {
        const KIND: &str = "vnd.docker.reference.type";
        const OF: &str = "vnd.docker.reference.digest";
        let mut child = Self::default();
        let _ = json::members(raw.get().as_bytes(), |key, value| {
            match key {
                "platform" => child.platform = Some(Platform::of_json(value)),
                "artifactType" => child.artifact_type = json::text(value),
                "annotations" => {
                    let read = json::map_of_texts(value).unwrap_or_default();
                    child.annotations = read.entries;
                }
                _ => return false,
            }
            true
        });
        child.platform = child.platform.filter(|platform| !platform.is_empty());
        let kind = child.annotations.get(KIND).map(String::as_str);
        if kind == Some("attestation-manifest") {
            child.attests = child.annotations.get(OF).and_then(|digest| digest.parse().ok());
        }
        child
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_children_of_an_index_are_seen_with_what_they_attest() {
        let digest = Digest::sha256(b"");
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[
                {{"digest":"{digest}","platform":{{"os":"linux","architecture":"arm64","variant":"v8"}}}},
                {{"platform":{{"os":"unknown","architecture":"unknown"}},"annotations":{{
                    "vnd.docker.reference.type":"attestation-manifest",
                    "vnd.docker.reference.digest":"{digest}"}}}},
                {{"artifactType":"a/b","platform":7,"annotations":null}}]}}"#
        );
        let children = ImageChild::all_of(index.as_bytes());
        let platforms: Vec<_> =
            children.iter().map(|c| c.platform.as_ref().map(ToString::to_string)).collect();
        assert_eq!(
            platforms,
            [Some("linux/arm64/v8".into()), Some("unknown/unknown".into()), None]
        );
        assert_eq!(children[0].attests, None);
        assert_eq!(children[1].attests, Some(digest));
        assert_eq!(children[2].artifact_type.as_deref(), Some("a/b"));
        for nothing in ["", "[]", "{}", r#"{"manifests":null}"#, r#"{"manifests":7}"#] {
            assert_eq!(ImageChild::all_of(nothing.as_bytes()), [], "{nothing}");
        }
    }
}
