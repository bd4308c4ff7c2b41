use std::collections::HashSet;

use plura_oci::Digest;
use serde_json::{Map, Value};

use crate::{Reason, Refusal, annotations::SIGNATURE, json};

/// The most bytes of a manifest.
const MAX_SIZE: usize = 4 * 1024 * 1024;
/// The most layers of one; cosign itself stops at 1,000.
pub const MAX_LAYERS: usize = 1000;

/// What must be stored so that nobody's signature is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// What was pushed: it has everything that was there.
    Pushed,
    /// What was there: nothing new was pushed.
    Stored,
    /// Another manifest, with what was there first and what is new behind it.
    New(Vec<u8>),
}

/// Merges two versions of a `.sig` or `.att` manifest, one that is stored and one that is pushed by
/// somebody who may not have seen it. Layers are only ever added; those with the same digest and
/// annotations are one.
///
/// What else is in the manifest is as it was pushed, and its configuration is the pushed one, which
/// readers of signatures do not look at.
pub fn merge(stored: &[u8], pushed: &[u8]) -> Result<Merged, Refusal> {
    let old: Map<String, Value> = json::read("stored manifest", stored, MAX_SIZE)?;
    let mut new: Map<String, Value> = json::read("pushed manifest", pushed, MAX_SIZE)?;
    for key in ["mediaType", "artifactType", "subject"] {
        if old.get(key) != new.get(key) {
            let observed = format!("two versions of signatures differ in `{key}`");
            return Err(Refusal::malformed(observed).requiring("versions of the same signatures"));
        }
    }
    let (old, pushed_layers) = (layers(&old)?, layers(&new)?);
    let mut seen = HashSet::new();
    let all = old.iter().chain(pushed_layers);
    let all: Vec<Value> = all.filter(|layer| seen.insert(identity(layer))).cloned().collect();
    if all.len() > MAX_LAYERS {
        let observed = format!("{} signatures on one digest", all.len());
        return Err(Refusal::new(Reason::TooManySignatures, observed)
            .requiring(format!("at most {MAX_LAYERS}")));
    }
    if same_layers(&all, pushed_layers) {
        return Ok(Merged::Pushed);
    }
    if same_layers(&all, old) {
        return Ok(Merged::Stored);
    }
    new.insert("layers".to_owned(), Value::Array(all));
    // A value that was read is always JSON.
    let merged = serde_json::to_vec(&new).unwrap_or_default();
    if merged.len() > MAX_SIZE {
        let observed = format!("{} bytes of signatures on one digest", merged.len());
        return Err(Refusal::new(Reason::TooManySignatures, observed)
            .requiring(format!("at most {MAX_SIZE} bytes")));
    }
    Ok(Merged::New(merged))
}

/// What tells the signatures of a `.sig` or `.att` manifest apart, whichever version of it they are in:
/// what was signed and the signature. None where it is no such manifest.
pub fn signature_identities(manifest: &[u8]) -> Vec<Digest> {
    let Ok(manifest) = json::read::<Map<String, Value>>("manifest", manifest, MAX_SIZE) else {
        return Vec::new();
    };
    let described = layers(&manifest).into_iter().flatten().take(MAX_LAYERS);
    described
        .map(|layer| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            signature_identity(&text(&layer["digest"]), &text(&layer["annotations"][SIGNATURE]))
        })
        .collect()
}

/// The same of one layer, by its digest and the annotation with its signature.
pub fn signature_identity(digest: &str, signature: &str) -> Digest {
    Digest::sha256(format!("{digest} {signature}").as_bytes())
}

fn layers(manifest: &Map<String, Value>) -> Result<&Vec<Value>, Refusal> {
    let layers = manifest.get("layers").and_then(Value::as_array);
    let described = |layer: &Value| layer.get("digest").is_some_and(Value::is_string);
    layers
        .filter(|layers| layers.iter().all(described))
        .ok_or_else(|| Refusal::malformed("a manifest of signatures has no layers with digests"))
}

/// What makes a layer another one.
fn identity(layer: &Value) -> (Option<&str>, String) {
    let annotations = layer.get("annotations").map(Value::to_string).unwrap_or_default();
    (layer.get("digest").and_then(Value::as_str), annotations)
}

/// The same layers in whichever order: what a reader sees is the same.
fn same_layers(all: &[Value], some: &[Value]) -> bool {
    let some: HashSet<_> = some.iter().map(identity).collect();
    all.len() == some.len() && all.iter().all(|layer| some.contains(&identity(layer)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn manifest(layers: &[(u8, u8)]) -> Vec<u8> {
        let layers: Vec<_> = layers
            .iter()
            .map(|(digest, signature)| {
                json!({ "digest": format!("sha256:{digest}"), "annotations": { "s": signature } })
            })
            .collect();
        json!({ "schemaVersion": 2, "config": { "size": 2 }, "layers": layers })
            .to_string()
            .into_bytes()
    }

    fn read(merged: &Merged, stored: &[u8], pushed: &[u8]) -> Vec<String> {
        let bytes = match merged {
            Merged::Pushed => pushed,
            Merged::Stored => stored,
            Merged::New(bytes) => bytes,
        };
        let manifest: Value = serde_json::from_slice(bytes).unwrap();
        manifest["layers"].as_array().unwrap().iter().map(Value::to_string).collect()
    }

    #[test]
    fn what_was_there_stays_first() {
        let (stored, pushed) = (manifest(&[(1, 1), (2, 2)]), manifest(&[(3, 3), (1, 1)]));
        let Merged::New(merged) = merge(&stored, &pushed).unwrap() else { panic!("not new") };
        let expected = manifest(&[(1, 1), (2, 2), (3, 3)]);
        assert_eq!(read(&Merged::New(merged), &[], &[]), read(&Merged::Pushed, &[], &expected));
    }

    #[test]
    fn the_same_digest_with_another_signature_is_another_layer() {
        let (stored, pushed) = (manifest(&[(1, 1)]), manifest(&[(1, 2)]));
        let merged = merge(&stored, &pushed).unwrap();
        assert_eq!(read(&merged, &stored, &pushed).len(), 2);
    }

    #[test]
    fn an_ordinary_push_is_stored_as_it_is() {
        let (stored, pushed) = (manifest(&[(1, 1)]), manifest(&[(1, 1), (2, 2)]));
        assert_eq!(merge(&stored, &pushed), Ok(Merged::Pushed));
        assert_eq!(merge(&pushed, &stored), Ok(Merged::Stored));
    }

    #[test]
    fn what_is_no_manifest_of_signatures_is_refused() {
        let stored = manifest(&[(1, 1)]);
        for wrong in [&b"{}"[..], b"[]", br#"{"layers":[{}]}"#, br#"{"layers":[],"layers":[]}"#] {
            assert!(merge(&stored, wrong).is_err());
        }
        let other = br#"{"layers":[],"subject":{"digest":"x"}}"#;
        assert_eq!(merge(&stored, other).unwrap_err().reason, Reason::Malformed);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_there_twice(
            stored in prop::collection::vec((0_u8..6, 0_u8..3), 0..12),
            pushed in prop::collection::vec((0_u8..6, 0_u8..3), 0..12),
        ) {
            let expected: BTreeSet<_> = stored.iter().chain(&pushed).collect();
            let (stored, pushed) = (manifest(&stored), manifest(&pushed));
            let merged = merge(&stored, &pushed).unwrap();
            let layers = read(&merged, &stored, &pushed);
            let distinct: BTreeSet<_> = layers.iter().collect();
            prop_assert_eq!(distinct.len(), expected.len());
            if let Merged::New(bytes) = merged {
                prop_assert_eq!(layers.len(), expected.len());
                // Whoever pushes again what is in it changes nothing.
                prop_assert_eq!(merge(&bytes, &pushed), Ok(Merged::Stored));
                prop_assert_eq!(merge(&bytes, &stored), Ok(Merged::Stored));
            }
        }
    }
}
