//! Layers with something to read in them.

use plura_testkit::{Blob, Image, media_type};
use serde_json::json;

use super::content::{config_of, image_of};

/// A layer that holds these files, and nothing else.
pub(crate) fn layer_of(files: &[(&str, &str)]) -> Blob {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).expect("a path fits");
    }
    let bytes = archive.into_inner().expect("memory has room");
    Blob { media_type: "application/vnd.oci.image.layer.v1.tar", bytes: bytes.into() }
}

/// What a base image of Debian has: an operating system, and two packages in its database.
pub(crate) fn debian() -> Blob {
    layer_of(&[
        ("etc/os-release", "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
        (
            "var/lib/dpkg/status",
            "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
             Source: glibc\nVersion: 2.36-9+deb12u4\n\n\
             Package: tar\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: 1.34+dfsg-1.2\n",
        ),
    ])
}

/// A package of npm in a directory of that name.
pub(crate) fn npm(name: &str, version: &str) -> Blob {
    let manifest = json!({ "name": name, "version": version, "license": "MIT" }).to_string();
    layer_of(&[(&format!("srv/node_modules/{name}/package.json"), &manifest)])
}

/// A layer that cannot be unpacked by anybody: it claims to be compressed, and breaks off.
pub(crate) fn truncated() -> Blob {
    let bytes: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xed\xc1";
    Blob { media_type: media_type::LAYER, bytes: bytes::Bytes::from_static(bytes) }
}

/// An image of these layers.
pub(crate) fn image(name: &str, layers: &[Blob]) -> Image {
    let config = json!({
        "created": "2026-01-02T03:04:05Z",
        "os": "linux",
        "architecture": "amd64",
        "config": {
            "User": "0:0",
            "ExposedPorts": {"8080/tcp": {}},
            "Env": ["PATH=/usr/bin", "DATABASE_URL=postgres://db.example/app"],
            "Labels": {"name": name},
        },
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    image_of(config_of(config.to_string()), layers)
}
