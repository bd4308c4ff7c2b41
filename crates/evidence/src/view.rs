//! Manifests as those see them who look for signatures: with the annotations of what they point at.

use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::Deserialize;

/// A manifest whose bytes were checked when it was pushed.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct View {
    #[serde(default)]
    pub(crate) config: Option<Described>,
    #[serde(default)]
    pub(crate) subject: Option<Described>,
    #[serde(default)]
    layers: Option<Vec<Described>>,
    #[serde(default)]
    manifests: Option<Vec<Described>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Something that a manifest points at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Described {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl View {
    /// The view of a manifest's bytes. What cannot be seen is as if it were not there.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub(crate) fn layers(&self) -> &[Described] {
        self.layers.as_deref().unwrap_or_default()
    }

    pub(crate) fn into_layers(self) -> Vec<Described> {
        self.layers.unwrap_or_default()
    }

    pub(crate) fn manifests(&self) -> &[Described] {
        self.manifests.as_deref().unwrap_or_default()
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(name).map(String::as_str)
    }
}

impl Described {
    pub(crate) fn annotations(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        self.annotations.as_ref().unwrap_or(&NONE)
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations().get(name).map(String::as_str)
    }

    /// The manifest that this child of an index has `BuildKit`'s statements about.
    pub(crate) fn attested(&self) -> Option<Digest> {
        let is_attestation =
            self.annotation("vnd.docker.reference.type") == Some("attestation-manifest");
        self.annotation("vnd.docker.reference.digest")
            .filter(|_| is_attestation)
            .and_then(|digest| digest.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_null_or_strange_is_not_there() {
        for bytes in [&b"{"[..], b"[]", br#"{"layers": null, "annotations": null}"#] {
            let view = View::of(bytes);
            assert!(view.layers().is_empty() && view.annotation("a").is_none());
        }
    }

    #[test]
    fn a_child_of_buildkit_names_what_it_is_about() {
        let (child, about) = (Digest::sha256(b"child"), Digest::sha256(b"about"));
        let index = json!({ "manifests": [
            { "mediaType": "m", "digest": about, "size": 1 },
            { "mediaType": "m", "digest": child, "size": 1, "annotations": {
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": about,
            } },
        ] });
        let view = View::of(index.to_string().as_bytes());
        let attested: Vec<_> = view.manifests().iter().map(Described::attested).collect();
        assert_eq!(attested, [None, Some(about)]);
    }
}
