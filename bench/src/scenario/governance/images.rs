//! The images of services: a base that many share, packages of their own, and what is said about them.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use crate::content::digest_of;
use crate::http::{Connection, Request};
use crate::image::Addressed;
use crate::layers;
use crate::registry::{MANIFEST_TYPE, mount, push_bytes, put_manifest};

/// Images that a service has, the oldest first.
pub(super) const OF_A_SERVICE: usize = 10;
/// Packages of an image: those of its base, and its own.
pub(super) const PACKAGES: usize = PACKAGES_OF_A_BASE + OWN_PACKAGES;
/// Names of packages.
pub(super) const NAMES: usize = 2000;
/// Advisories about one package, each fixed in another version of it.
pub(super) const ADVISORIES_OF_A_NAME: usize = 10;
/// What every image has.
pub(super) const IN_ALL: &str = "libc6";

const PACKAGES_OF_A_BASE: usize = 80;
const OWN_PACKAGES: usize = 20;
const BASES: usize = 20;
const BASE_REPOSITORY: &str = "base/debian";
const SBOM_TYPE: &str = "application/vnd.cyclonedx+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const SBOM: &[u8] = br#"{"bomFormat":"CycloneDX","specVersion":"1.5","version":1,"components":[]}"#;

/// An image that others stand on.
pub(super) struct BaseImage {
    layer: Addressed,
    digest: String,
    tag: String,
}

impl BaseImage {
    /// Pushes all that there are.
    pub(super) fn push_all(connection: &mut Connection) -> Result<Vec<Self>> {
        (0..BASES).map(|number| Self::push(connection, number)).collect()
    }

    fn push(connection: &mut Connection, number: usize) -> Result<Self> {
        let layer = layers::of_texts(&[
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n"),
            ("var/lib/dpkg/status", &of_base(number)),
        ]);
        let config = config(&[&layer], &json!({}));
        let manifest = manifest(&config, &[&layer], &json!({}));
        for blob in [&config, &layer] {
            push_bytes(connection, BASE_REPOSITORY, &blob.digest, &blob.bytes)?;
        }
        let tag = format!("b{number}");
        put_manifest(connection, BASE_REPOSITORY, &tag, &manifest.bytes)?;
        read(connection, BASE_REPOSITORY, &manifest.digest)?;
        Ok(Self { layer, digest: manifest.digest, tag })
    }
}

/// Makes readable in a repository what all its images share.
pub(super) fn prepare(
    connection: &mut Connection,
    repository: &str,
    base: &BaseImage,
) -> Result<()> {
    mount(connection, repository, BASE_REPOSITORY, &base.layer.digest)?;
    push_bytes(connection, repository, &digest_of(SBOM), SBOM)?;
    push_bytes(connection, repository, &digest_of(b"{}"), b"{}")
}

/// Waits until an image is read, which is how it is known what it stands on.
pub(super) fn read(connection: &mut Connection, repository: &str, digest: &str) -> Result<()> {
    let target =
        format!("/api/v1/images/packages?repository={repository}&reference={digest}&name=-");
    let request = Request { method: "GET", target: &target, ..Request::default() };
    connection.expect(200, &request).map(drop)
}

/// Pushes one image of a service with a bill of materials; its digest.
pub(super) fn push(
    connection: &mut Connection,
    repository: &str,
    (service, number): (usize, usize),
    base: &BaseImage,
) -> Result<String> {
    let mut status = of_base(service);
    own(&mut status, service, number);
    let layer = layers::of_texts(&[("var/lib/dpkg/status", &status), ("srv/name", repository)]);
    let both = [&base.layer, &layer];
    let config = config(
        &both,
        &json!({
            "org.opencontainers.image.version": format!("1.{number}.0"),
            "org.opencontainers.image.revision": format!("{:040x}", service * OF_A_SERVICE + number),
            "org.opencontainers.image.source": format!("https://git.example/{repository}"),
        }),
    );
    let manifest = manifest(
        &config,
        &both,
        &json!({
            "org.opencontainers.image.base.name": format!("{BASE_REPOSITORY}:{}", base.tag),
            "org.opencontainers.image.base.digest": base.digest,
        }),
    );
    for blob in [&config, &layer] {
        push_bytes(connection, repository, &blob.digest, &blob.bytes)?;
    }
    put_manifest(connection, repository, &format!("1.{number}.0"), &manifest.bytes)?;
    put_sbom(connection, repository, &manifest)?;
    Ok(manifest.digest)
}

fn put_sbom(connection: &mut Connection, repository: &str, subject: &Addressed) -> Result<()> {
    let sbom = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": SBOM_TYPE,
        "config": { "mediaType": EMPTY_TYPE, "digest": digest_of(b"{}"), "size": 2 },
        "layers": [{ "mediaType": SBOM_TYPE, "digest": digest_of(SBOM), "size": SBOM.len() }],
        "subject": { "mediaType": MANIFEST_TYPE, "digest": subject.digest, "size": subject.bytes.len() },
    });
    let sbom = Addressed::new(sbom.to_string().into_bytes());
    put_manifest(connection, repository, &sbom.digest, &sbom.bytes)
}

fn config(layers: &[&Addressed], labels: &serde_json::Value) -> Addressed {
    let diff_ids: Vec<_> = layers.iter().map(|layer| &layer.digest).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-11-01T00:00:00Z",
        "config": { "User": "1000", "Env": ["PATH=/usr/bin"], "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    Addressed::new(config.to_string().into_bytes())
}

fn manifest(
    config: &Addressed,
    layers: &[&Addressed],
    annotations: &serde_json::Value,
) -> Addressed {
    let descriptor = |media_type: &str, blob: &Addressed| json!({ "mediaType": media_type, "digest": blob.digest, "size": blob.bytes.len() });
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(LAYER_TYPE, layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": descriptor(CONFIG_TYPE, config),
        "layers": layers, "annotations": annotations,
    });
    Addressed::new(manifest.to_string().into_bytes())
}

/// What dpkg says is installed in a base.
fn of_base(number: usize) -> String {
    let base = number % BASES;
    let mut status = String::new();
    add(&mut status, IN_ALL, 1);
    for package in 1..PACKAGES_OF_A_BASE {
        let name = format!("package{}", (base * PACKAGES_OF_A_BASE + package) % (NAMES / 2));
        add(&mut status, &name, version(base + package));
    }
    status
}

/// What an image of a service has beside that; each image of it has other versions.
fn own(status: &mut String, service: usize, number: usize) {
    for package in 0..OWN_PACKAGES {
        let name = NAMES / 2 + (service * OWN_PACKAGES + package) % (NAMES / 2);
        add(status, &format!("package{name}"), version(service + number + package));
    }
}

/// Two of three packages are of the newest version; of the others, one advisory is about each.
fn version(number: usize) -> usize {
    if number.is_multiple_of(3) { ADVISORIES_OF_A_NAME - 1 } else { ADVISORIES_OF_A_NAME }
}

fn add(status: &mut String, name: &str, version: usize) {
    // Writing to a string cannot fail.
    let _ = write!(
        status,
        "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0.{version}-1\n\n"
    );
}
