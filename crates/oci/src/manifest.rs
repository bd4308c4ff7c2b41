use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, de::IgnoredAny};

use crate::{Digest, MediaType, media_types};

/// A manifest: the bytes as they came, which are what is stored and answered, and a view of the
/// few fields that plura acts on.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The media type that the manifest is answered with.
    pub media_type: MediaType,
    /// What the view was read from the shape of.
    pub kind: ManifestKind,
    /// The configuration of an image.
    pub config: Option<Descriptor>,
    /// The layers of an image, or the blobs of an artifact.
    pub layers: Vec<Descriptor>,
    /// The children of an index.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    pub subject: Option<Descriptor>,
    /// The declared artifact type.
    pub artifact_type: Option<String>,
    /// The manifest's own annotations.
    pub annotations: BTreeMap<String, String>,
}

/// The two shapes of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestKind {
    /// Points at blobs: an image or an artifact.
    Image,
    /// Points at manifests.
    Index,
}

/// A pointer to content (image-spec, "Descriptors"); only what plura acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// The content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it may be fetched from elsewhere (`urls`).
    pub has_urls: bool,
}

/// Why bytes are not a manifest that plura stores.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field has the wrong type.
    #[error("the manifest is not valid: {0}")]
    Malformed(String),
    /// Docker's retired first schema.
    #[error(
        "Docker image manifest schema 1 is not supported, since its digest does not cover what is \
         run; push the image again with a current client, or convert it: `skopeo copy --format oci`"
    )]
    SchemaOne,
    /// The header and the body do not agree.
    #[error(
        "Content-Type is `{header}` but the manifest's mediaType is `{body}`; send the manifest's own"
    )]
    ContentTypeMismatch {
        /// The `Content-Type` of the request.
        header: MediaType,
        /// The `mediaType` field.
        body: MediaType,
    },
}

impl Manifest {
    /// Reads the view of `bytes`, which came with `content_type` if there was such a header.
    ///
    /// Fields that plura does not act on may be anything: they are kept with the bytes.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        let raw: RawManifest =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        check_spelling(bytes)?;
        let declared = raw.media_type.as_deref().map(parse_media_type).transpose()?;
        let header = content_type.map(parse_media_type).transpose()?;
        if raw.schema_version == Some(1) || declared.iter().chain(&header).any(is_schema_one) {
            return Err(ManifestError::SchemaOne);
        }
        if let (Some(body), Some(header)) = (&declared, &header)
            && body != header
        {
            let (header, body) = (header.clone(), body.clone());
            return Err(ManifestError::ContentTypeMismatch { header, body });
        }
        let kind = raw.kind()?;
        let media_type = match declared.or(header) {
            Some(media_type) => media_type,
            None => parse_media_type(default_media_type(kind))?,
        };
        check_kind(kind, &media_type)?;
        raw.into_manifest(kind, media_type)
    }

    /// The artifact type as the referrers answer lists it (distribution-spec, "Listing Referrers"):
    /// the declared one, else the media type of the configuration.
    pub fn effective_artifact_type(&self) -> Option<&str> {
        self.artifact_type
            .as_deref()
            .filter(|declared| !declared.is_empty())
            .or(self.config.as_ref().map(|config| config.media_type.as_str()))
    }

    /// The blobs that must be in the repository for an image to be pulled from it.
    pub fn required_blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(self.layers.iter().filter(|layer| !layer.is_elsewhere()))
    }
}

impl Descriptor {
    /// Whether a client fetches the content from somewhere else.
    pub fn is_elsewhere(&self) -> bool {
        self.has_urls || self.media_type.is_non_distributable()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a manifest object")]
struct RawManifest {
    schema_version: Option<i64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<RawDescriptor>,
    layers: Option<Vec<RawDescriptor>>,
    blobs: Option<Vec<RawDescriptor>>,
    manifests: Option<Vec<RawDescriptor>>,
    subject: Option<RawDescriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a descriptor object")]
struct RawDescriptor {
    media_type: String,
    digest: String,
    size: i64,
    urls: Option<Vec<String>>,
}

impl RawManifest {
    /// A manifest that is an image to one client and an index to another is refused
    /// (CVE-2021-41190).
    fn kind(&self) -> Result<ManifestKind, ManifestError> {
        let image = self.config.is_some() || self.layers.is_some() || self.blobs.is_some();
        let artifact = self.media_type.as_deref() == Some(media_types::OCI_ARTIFACT);
        match (image || artifact, self.manifests.is_some()) {
            (true, false) => Ok(ManifestKind::Image),
            (false, true) => Ok(ManifestKind::Index),
            (true, true) => Err(malformed(
                "it has `manifests` as well as `config` or `layers`, which is ambiguous",
            )),
            (false, false) => Err(malformed(
                "it has neither `config` and `layers` (an image) nor `manifests` (an index)",
            )),
        }
    }

    fn into_manifest(
        self,
        kind: ManifestKind,
        media_type: MediaType,
    ) -> Result<Manifest, ManifestError> {
        if self.schema_version != Some(2) && media_type.as_str() != media_types::OCI_ARTIFACT {
            return Err(malformed("`schemaVersion` must be 2"));
        }
        // No media type has one (RFC 6838, section 4.2), and PostgreSQL keeps none in a text.
        if self.artifact_type.as_deref().is_some_and(|declared| declared.contains('\0')) {
            return Err(malformed("`artifactType` must not contain a NUL character"));
        }
        let image = [media_types::OCI_MANIFEST, media_types::DOCKER_MANIFEST];
        if self.config.is_none() && image.contains(&media_type.as_str()) {
            return Err(malformed("an image manifest must have a `config`"));
        }
        let descriptors = |raw: Vec<RawDescriptor>, field: &str| {
            raw.into_iter().map(|descriptor| descriptor.parse(field)).collect::<Result<Vec<_>, _>>()
        };
        let mut layers = descriptors(self.layers.unwrap_or_default(), "layers")?;
        layers.extend(descriptors(self.blobs.unwrap_or_default(), "blobs")?);
        Ok(Manifest {
            media_type,
            kind,
            config: self.config.map(|config| config.parse("config")).transpose()?,
            layers,
            manifests: descriptors(self.manifests.unwrap_or_default(), "manifests")?,
            subject: self.subject.map(|subject| subject.parse("subject")).transpose()?,
            artifact_type: self.artifact_type,
            annotations: self.annotations.unwrap_or_default(),
        })
    }
}

impl RawDescriptor {
    fn parse(self, field: &str) -> Result<Descriptor, ManifestError> {
        let wrong = |what: String| malformed(format!("in `{field}`: {what}"));
        Ok(Descriptor {
            media_type: MediaType::from_str(&self.media_type)
                .map_err(|error| wrong(error.to_string()))?,
            digest: self.digest.parse().map_err(|error| wrong(format!("{error}")))?,
            size: u64::try_from(self.size)
                .map_err(|_| wrong(format!("size {} is negative", self.size)))?,
            has_urls: self.urls.is_some_and(|urls| !urls.is_empty()),
        })
    }
}

/// A message may quote what the client sent, which can be all of its four megabytes, escaped: the
/// middle of a long one is left out. The end says what was expected, and where.
fn malformed(message: impl Into<String>) -> ManifestError {
    const HEAD: usize = 160;
    const TAIL: usize = 120;
    let message = message.into();
    let head = message.char_indices().nth(HEAD).map(|(at, _)| at);
    let tail = message.char_indices().nth_back(TAIL).map(|(at, _)| at);
    match (head, tail) {
        (Some(head), Some(tail)) if head < tail => {
            ManifestError::Malformed(format!("{} ... {}", &message[..head], &message[tail..]))
        }
        _ => ManifestError::Malformed(message),
    }
}

fn parse_media_type(text: &str) -> Result<MediaType, ManifestError> {
    text.parse().map_err(|error| malformed(format!("`{text}`: {error}")))
}

fn is_schema_one(media_type: &MediaType) -> bool {
    [media_types::DOCKER_SCHEMA_1, media_types::DOCKER_SCHEMA_1_SIGNED]
        .contains(&media_type.as_str())
}

fn default_media_type(kind: ManifestKind) -> &'static str {
    match kind {
        ManifestKind::Image => media_types::OCI_MANIFEST,
        ManifestKind::Index => media_types::OCI_INDEX,
    }
}

/// Some JSON libraries, Go's among them, take `Manifests` for `manifests`: a manifest that has such a
/// field would be one thing to plura and another to the client that runs it.
fn check_spelling(bytes: &[u8]) -> Result<(), ManifestError> {
    const ACTED_ON: [&str; 9] = [
        "schemaVersion",
        "mediaType",
        "artifactType",
        "config",
        "layers",
        "blobs",
        "manifests",
        "subject",
        "annotations",
    ];
    #[expect(clippy::zero_sized_map_values, reason = "a JSON object is read into a map, not a set")]
    let fields: BTreeMap<String, IgnoredAny> =
        serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    let misspelt = |known: &&&str| {
        fields.keys().any(|field| field.eq_ignore_ascii_case(known) && field != *known)
    };
    match ACTED_ON.iter().find(misspelt) {
        Some(known) => Err(malformed(format!(
            "it has a field that differs from `{known}` in capitals only, which is ambiguous"
        ))),
        None => Ok(()),
    }
}

/// A known media type must have the shape that clients of it will expect.
fn check_kind(kind: ManifestKind, media_type: &MediaType) -> Result<(), ManifestError> {
    let expected = match media_type.as_str() {
        media_types::OCI_MANIFEST | media_types::DOCKER_MANIFEST | media_types::OCI_ARTIFACT => {
            ManifestKind::Image
        }
        media_types::OCI_INDEX | media_types::DOCKER_LIST => ManifestKind::Index,
        _ => kind,
    };
    if kind == expected {
        return Ok(());
    }
    Err(malformed(format!(
        "its media type is `{media_type}`, but it has the fields of {}",
        match kind {
            ManifestKind::Image => "an image",
            ManifestKind::Index => "an index",
        }
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn descriptor(media_type: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"{BLOB}","size":0}}"#)
    }

    fn check(body: &str, content_type: Option<&str>) -> Result<(String, ManifestKind), String> {
        Manifest::parse(body.as_bytes(), content_type)
            .map(|manifest| (manifest.media_type.to_string(), manifest.kind))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_media_type_comes_from_the_body_then_the_header_then_the_shape() {
        let d = descriptor("application/vnd.oci.image.config.v1+json");
        let bare = format!(r#"{{"schemaVersion":2,"config":{d},"layers":[]}}"#);
        let docker = media_types::DOCKER_MANIFEST;
        let image = ManifestKind::Image;
        assert_eq!(check(&bare, None), Ok((media_types::OCI_MANIFEST.into(), image)));
        assert_eq!(check(&bare, Some(docker)), Ok((docker.into(), image)));
        let with_parameters = format!("{docker}; charset=utf-8");
        assert_eq!(check(&bare, Some(&with_parameters)), Ok((docker.into(), image)));
        let index = r#"{"schemaVersion":2,"manifests":[],"mediaType":"application/x"}"#;
        assert_eq!(check(index, None), Ok(("application/x".into(), ManifestKind::Index)));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_the_reason() {
        let d = descriptor("application/vnd.oci.image.config.v1+json");
        let image = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","config":{d},"layers":[]}}"#,
            media_types::OCI_MANIFEST
        );
        let cases = [
            ("", None, "EOF"),
            ("[]", None, "not valid"),
            ("{}", None, "neither"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, None, "schema 1"),
            (r#"{"schemaVersion":2,"manifests":[],"layers":[]}"#, None, "ambiguous"),
            (r#"{"schemaVersion":2,"manifests":[],"Layers":[]}"#, None, "capitals"),
            (r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#, None, "duplicate field"),
            (r#"{"schemaVersion":3,"manifests":[]}"#, None, "schemaVersion"),
            (&image, Some(media_types::DOCKER_MANIFEST), "Content-Type"),
            (&image, Some("nonsense"), "media type"),
            (
                r#"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x","size":1}]}"#,
                None,
                "in `manifests`",
            ),
        ];
        for (body, content_type, expected) in cases {
            let error = check(body, content_type).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
        let list = r#"{"schemaVersion":2,"manifests":[]}"#;
        let error = check(list, Some(media_types::OCI_MANIFEST)).unwrap_err();
        assert!(error.contains("fields of an index"), "{error}");
    }

    #[test]
    fn an_error_does_not_repeat_all_that_was_sent() {
        let long = "\u{7f}".repeat(1 << 20);
        let error = check(&format!(r#"{{"subject":"{long}"}}"#), None).unwrap_err();
        assert!(error.len() < 500, "{} bytes", error.len());
        assert!(error.contains("expected a descriptor object at line 1"), "{error}");
        let error = check("{}", Some(&long)).unwrap_err();
        assert!(error.len() < 500, "{} bytes", error.len());
    }

    #[test]
    fn non_distributable_layers_are_not_required() {
        let config = descriptor("application/vnd.oci.image.config.v1+json");
        let far = descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
        let near = descriptor("application/vnd.oci.image.layer.v1.tar");
        let body = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{far},{near}]}}"#);
        let manifest = Manifest::parse(body.as_bytes(), None).unwrap();
        assert_eq!(manifest.layers.len(), 2);
        assert_eq!(manifest.required_blobs().count(), 2);
    }
}
