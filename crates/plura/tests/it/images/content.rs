//! Images with something to look at.

use plura_testkit::{Blob, Image, Manifest, Random, Repository, media_type};
use serde_json::{Value, json};

/// An image of these parts.
pub(super) fn image_of(config: Blob, layers: &[Blob]) -> Image {
    let descriptor = |blob: &Blob| blob.descriptor(plura_testkit::Algorithm::Sha256);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::IMAGE,
        "config": descriptor(&config),
        "layers": layers.iter().map(descriptor).collect::<Vec<_>>(),
    });
    let manifest = Manifest::of(media_type::IMAGE, &manifest);
    let mut blobs = vec![config];
    blobs.extend_from_slice(layers);
    Image { blobs, manifest }
}

/// A configuration with these bytes.
pub(super) fn config_of(text: String) -> Blob {
    Blob { media_type: media_type::CONFIG, bytes: text.into() }
}

/// A layer of that many bytes, the same each time.
pub(super) fn layer(fill: char, size: usize) -> Blob {
    Blob { media_type: media_type::LAYER, bytes: fill.to_string().repeat(size).into() }
}

/// What a web server's image says about itself, for an architecture.
pub(super) fn config(architecture: &str) -> Value {
    json!({
        "created": "2026-01-02T03:04:05.678Z",
        "author": "Alice",
        "os": "linux",
        "architecture": architecture,
        "moby.buildkit.x": "kept",
        "config": {
            "User": "1000",
            "Entrypoint": ["/usr/bin/tini", "--"],
            "Cmd": ["serve", "all of it"],
            "Env": ["PATH=/usr/bin", format!("ARCH={architecture}")],
            "WorkingDir": "/srv",
            "ExposedPorts": {"8080/tcp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"org.opencontainers.image.revision": "abc", "arch": architecture},
            "StopSignal": "SIGQUIT",
            "Healthcheck": {"Test": ["CMD", "true"]},
            "Hostname": "builder",
        },
        "rootfs": {"type": "layers", "diff_ids": [
            format!("sha256:{}", "1".repeat(64)), format!("sha256:{}", "2".repeat(64)),
        ]},
        "history": [
            {"created": "2026-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) ADD file:x in / "},
            {"created": "2026-01-02T03:04:05Z", "created_by": "ENV ARCH=x", "empty_layer": true},
            {"created": "2026-01-02T03:04:05Z", "created_by": "RUN make install # buildkit",
                "comment": "buildkit.dockerfile.v0"},
        ],
    })
}

/// The image that the configuration is of.
pub(super) fn web(architecture: &str) -> Image {
    image_of(config_of(config(architecture).to_string()), &[layer('a', 3000), layer('b', 500)])
}

/// What `BuildKit` puts beside an image in its index.
pub(super) fn attestation() -> Image {
    let config = json!({"architecture": "unknown", "os": "unknown", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", "3".repeat(64))]}});
    let statement = Blob {
        media_type: "application/vnd.in-toto+json",
        bytes: r#"{"_type":"https://in-toto.io/Statement/v0.1"}"#.into(),
    };
    image_of(config_of(config.to_string()), &[statement])
}

/// A Helm chart.
pub(super) fn chart() -> Image {
    let config = Blob {
        media_type: "application/vnd.cncf.helm.config.v1+json",
        bytes: r#"{"name":"web","version":"1.0.0","apiVersion":"v2"}"#.into(),
    };
    let content = Blob {
        media_type: "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        bytes: "a chart".into(),
    };
    image_of(config, &[content])
}

/// An index for two platforms, as `docker buildx build` pushes it.
pub(super) struct Multi {
    pub(super) amd64: Image,
    pub(super) arm64: Image,
    pub(super) attestation: Image,
    pub(super) index: Manifest,
}

impl Multi {
    pub(super) async fn push(repository: &Repository, tag: &str) -> Self {
        let (amd64, arm64, attestation) = (web("amd64"), web("arm64"), attestation());
        for image in [&amd64, &arm64, &attestation] {
            repository.push_image(image).await;
        }
        let with = |image: &Image, field: &str, value: Value| {
            let mut descriptor = image.manifest.descriptor();
            descriptor[field] = value;
            descriptor
        };
        let mut statement = with(
            &attestation,
            "annotations",
            json!({
                "vnd.docker.reference.type": "attestation-manifest",
                "vnd.docker.reference.digest": amd64.digest(),
            }),
        );
        statement["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        let arm = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
        let index = Manifest::index(&[
            with(&amd64, "platform", json!({"os": "linux", "architecture": "amd64"})),
            with(&arm64, "platform", arm),
            statement,
        ]);
        repository.put_manifest(tag, &index).await.expect(201);
        Self { amd64, arm64, attestation, index }
    }
}

/// Something about a manifest.
pub(super) fn about(random: &mut Random, artifact_type: &str, subject: &Manifest) -> Image {
    Image::artifact(random, artifact_type).about(subject)
}
