//! `CONTENT-TYPE` (may be empty), a line feed, and the bytes: what is taken for a manifest is what
//! another JSON reader finds in the same bytes.
#![no_main]

#[path = "../../crates/oci/tests/oracle/mod.rs"]
#[expect(dead_code, reason = "only digests are looked at here")]
mod oracle;

use libfuzzer_sys::fuzz_target;
use plura_oci::{Descriptor, Manifest, ManifestKind, MediaType, media_types};
use serde_json::Value;

/// `"digest":"sha256:` and 64 characters: no descriptor is shorter.
const SHORTEST_DESCRIPTOR: usize = 80;

/// However long what it is about: two media types of 255 characters, or 300 characters of anything.
const LONGEST_MESSAGE: usize = 1500;

fuzz_target!(|input: &[u8]| {
    let (header, bytes) = match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (&[][..], input),
    };
    let Ok(header) = std::str::from_utf8(header) else { return };
    let header = Some(header).filter(|header| !header.is_empty());
    match Manifest::parse(bytes, header) {
        Ok(manifest) => understood(&manifest, bytes, header),
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE, "{error}"),
    }
});

fn understood(manifest: &Manifest, bytes: &[u8], header: Option<&str>) {
    check_shape(manifest);
    check_media_type(&manifest.media_type, header);
    let descriptors = || {
        let several = manifest.layers.iter().chain(&manifest.manifests);
        several.chain(&manifest.config).chain(&manifest.subject)
    };
    assert!(descriptors().count() * SHORTEST_DESCRIPTOR <= bytes.len());
    assert!(descriptors().all(|d| oracle::is_digest(&d.digest.to_string())));
    assert!(manifest.required_blobs().count() <= manifest.layers.len() + 1);
    // The other reader refuses deep nesting even where it is skipped; that is no disagreement.
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        compare(manifest, &value);
    }
}

fn check_shape(manifest: &Manifest) {
    match manifest.kind {
        ManifestKind::Image => assert!(manifest.manifests.is_empty()),
        ManifestKind::Index => assert!(manifest.layers.is_empty() && manifest.config.is_none()),
    }
    match manifest.media_type.as_str() {
        media_types::OCI_INDEX => assert_eq!(manifest.kind, ManifestKind::Index),
        media_types::OCI_MANIFEST => assert_eq!(manifest.kind, ManifestKind::Image),
        _ => {}
    }
}

/// It goes into a response header as it is.
fn check_media_type(media_type: &MediaType, header: Option<&str>) {
    let text = media_type.as_str();
    assert!(text.bytes().all(|b| b.is_ascii_graphic() && b != b';' && !b.is_ascii_uppercase()));
    assert_eq!(text.parse().as_ref(), Ok(media_type));
    if let Some(header) = header {
        assert_eq!(header.parse().as_ref(), Ok(media_type), "the header was accepted");
    }
}

fn compare(manifest: &Manifest, value: &Value) {
    assert_eq!(
        manifest.config.as_ref().map_or(0, |d| same(d, &value["config"])),
        count(&value["config"])
    );
    assert_eq!(
        manifest.subject.as_ref().map_or(0, |d| same(d, &value["subject"])),
        count(&value["subject"])
    );
    all_same(&manifest.manifests, &list(&value["manifests"]));
    all_same(&manifest.layers, &[list(&value["layers"]), list(&value["blobs"])].concat());
    assert_eq!(manifest.artifact_type.as_deref(), value["artifactType"].as_str());
    for (key, annotation) in &manifest.annotations {
        assert_eq!(value["annotations"][key].as_str(), Some(annotation.as_str()));
    }
}

fn count(value: &Value) -> usize {
    usize::from(!value.is_null())
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn all_same(descriptors: &[Descriptor], values: &[Value]) {
    assert_eq!(descriptors.len(), values.len());
    for (descriptor, value) in descriptors.iter().zip(values) {
        same(descriptor, value);
    }
}

fn same(descriptor: &Descriptor, value: &Value) -> usize {
    assert_eq!(value["digest"].as_str(), Some(descriptor.digest.to_string().as_str()));
    assert_eq!(value["size"].as_u64(), Some(descriptor.size));
    let media_type = value["mediaType"].as_str().expect("a media type is text");
    assert_eq!(media_type.parse().as_ref(), Ok(&descriptor.media_type));
    1
}
