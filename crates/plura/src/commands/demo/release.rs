//! Releases of a service: small images of one platform, with a package, who built them, and who signed that.

use anyhow::Context;
use plura_oci::{Digest, media_types};
use plura_trust::{PrivateKey, media_types as signed, predicate_types};
use serde_json::{Value, json, value::to_raw_value};

use super::image::Content;

/// A version of the service.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) version: &'static str,
    pub(super) layer: Content,
    pub(super) configuration: Content,
    pub(super) manifest: Content,
}

/// Something that is attached to a manifest.
#[derive(Clone, Debug)]
pub(super) struct Attached {
    pub(super) empty: Content,
    pub(super) bundle: Content,
    pub(super) manifest: Content,
}

impl Release {
    /// A version that brings that version of a library along.
    pub(super) fn build(version: &'static str, library: &str) -> anyhow::Result<Self> {
        let layer = Content::new(media_types::OCI_LAYER, layer(version, library)?);
        let revision = Digest::sha256(version.as_bytes()).hex()[..40].to_owned();
        let configuration = Content::json(
            media_types::OCI_CONFIG,
            &json!({
                "os": "linux",
                "architecture": "amd64",
                "config": {
                    "User": "65532",
                    "Cmd": ["/search"],
                    "Labels": {
                        "org.opencontainers.image.version": version,
                        "org.opencontainers.image.revision": revision,
                        "org.opencontainers.image.source": "https://git.example.com/search",
                    },
                },
                "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
            }),
        );
        let manifest = Content::json(
            media_types::OCI_MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": media_types::OCI_MANIFEST,
                "config": configuration.descriptor(),
                "layers": [layer.descriptor()],
            }),
        );
        Ok(Self { version, layer, configuration, manifest })
    }

    /// A signature of the release.
    pub(super) fn signature(&self, key: &PrivateKey) -> anyhow::Result<Attached> {
        let annotations = std::collections::BTreeMap::new();
        let statement = plura_trust::signature_statement(&self.manifest.digest, &annotations);
        self.attach(key, predicate_types::SIGNATURE, &statement)
    }

    /// A signed statement about how the release was built.
    pub(super) fn provenance(&self, key: &PrivateKey) -> anyhow::Result<Attached> {
        let predicate = json!({
            "buildDefinition": {
                "buildType": "https://ci.example.com/build/v1",
                "externalParameters": { "source": "git+https://git.example.com/search" },
                "resolvedDependencies": [{ "uri": "git+https://git.example.com/search" }],
            },
            "runDetails": { "builder": { "id": "https://ci.example.com/runner" } },
        });
        self.state(key, predicate_types::PROVENANCE, &predicate)
    }

    /// A signed bill of materials of the release.
    pub(super) fn bill_of_materials(
        &self,
        key: &PrivateKey,
        document: &Value,
    ) -> anyhow::Result<Attached> {
        self.state(key, "https://cyclonedx.org/bom", document)
    }

    fn state(
        &self,
        key: &PrivateKey,
        predicate_type: &str,
        predicate: &Value,
    ) -> anyhow::Result<Attached> {
        let (name, digest) = (super::governance::REPOSITORY, &self.manifest.digest);
        let predicate = to_raw_value(predicate).context("cannot write a statement")?;
        let statement = plura_trust::statement(name, digest, predicate_type, &predicate);
        self.attach(key, predicate_type, &statement)
    }

    fn attach(
        &self,
        key: &PrivateKey,
        predicate_type: &str,
        statement: &[u8],
    ) -> anyhow::Result<Attached> {
        let signature = key.sign(&plura_trust::statement_to_be_signed(statement))?;
        let bundle = plura_trust::bundle(statement, &signature, key.public_key());
        let bundle = Content::new(signed::BUNDLE, bundle);
        let empty = Content::new(media_types::OCI_EMPTY, b"{}".to_vec());
        let manifest = Content::json(
            media_types::OCI_MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": media_types::OCI_MANIFEST,
                "artifactType": signed::BUNDLE,
                "config": empty.descriptor(),
                "layers": [bundle.descriptor()],
                "subject": self.manifest.descriptor(),
                "annotations": { "dev.sigstore.bundle.predicateType": predicate_type },
            }),
        );
        Ok(Attached { empty, bundle, manifest })
    }
}

/// The files of Alpine that say what is installed, and something to run.
fn layer(version: &str, library: &str) -> anyhow::Result<Vec<u8>> {
    let system = "ID=alpine\nNAME=\"Alpine Linux\"\nVERSION_ID=3.20.3\n";
    let installed = format!("P:openssl\nV:{library}\nA:x86_64\no:openssl\nL:Apache-2.0\n\n");
    let program = format!("search {version}\n").repeat(4096);
    let files = [
        ("etc/os-release", 0o644, system.as_bytes()),
        ("lib/apk/db/installed", 0o644, installed.as_bytes()),
        ("search", 0o755, program.as_bytes()),
    ];
    let mut archive = tar::Builder::new(Vec::new());
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        header.set_cksum();
        archive.append_data(&mut header, path, bytes).context("cannot make a layer")?;
    }
    archive.into_inner().context("cannot make a layer")
}
