//! Where the registry keeps its bytes, and what it does with them.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{
    Configuration, Translation, scalar,
    translate::{address, span, switch},
};

/// Where secrets are to be put.
const ACCESS_KEY: &str = "/etc/plura/s3-access-key";
const SECRET_KEY: &str = "/etc/plura/s3-secret-key";

pub(super) fn translate(from: &Configuration, to: &mut Translation) {
    let key = "storage.delete.enabled";
    let delete = switch(from, key).unwrap_or(false);
    let comment = if delete { "" } else { "not enabled there" };
    to.set("registry.delete", delete, key, comment);
    if switch(from, "storage.maintenance.uploadpurging.enabled") != Some(false) {
        span(from, to, "storage.maintenance.uploadpurging.age", "registry.upload_expiry");
    }
    if let Some(path) = from.root_directory() {
        to.note(
            "storage.filesystem.rootdirectory",
            format!(
                "its content is taken over in place by `plura adopt --from registry:{}`; plura's own \
                 directory is another one (`data`)",
                printable(&path)
            ),
        );
        note_if_there(
            from,
            to,
            "storage.redirect.disable",
            "files are never redirected; with a bucket, see `storage.redirect.enabled`",
        );
    }
    for driver in ["s3", "s3aws"] {
        if from.get(&format!("storage.{driver}")).is_some_and(Value::is_object) {
            s3(from, to, &format!("storage.{driver}"));
            if let Some(disable) = switch(from, "storage.redirect.disable") {
                let key = "storage.redirect.disable";
                to.set("storage.redirect.enabled", !disable, key, "the other way round");
            }
            break;
        }
    }
}

fn s3(from: &Configuration, to: &mut Translation, driver: &str) {
    let key = |name: &str| format!("{driver}.{name}");
    let text = |name: &str| from.text(&key(name)).filter(|text| !text.is_empty());
    if let Some(bucket) = text("bucket") {
        to.set("storage.backend", "s3", &key("bucket"), "");
        to.set("storage.s3.bucket", bucket, &key("bucket"), "");
    }
    if let Some(region) = text("region") {
        to.set("storage.s3.region", region, &key("region"), "");
    }
    endpoint(from, to, driver);
    keys(from, to, driver);
    if let Some(path_style) = switch(from, &key("forcepathstyle")) {
        to.set("storage.s3.path_style", path_style, &key("forcepathstyle"), "");
    }
    encryption(from, to, driver);
    if let Some(class) = text("storageclass").filter(|class| class.to_uppercase() != "NONE") {
        to.set("storage.s3.storage_class", class, &key("storageclass"), "");
    }
    part_size(from, to, &key("chunksize"));
    tree(from, to, &key("rootdirectory"));
}

/// One key without the other is nothing that could be used.
fn keys(from: &Configuration, to: &mut Translation, driver: &str) {
    let names = ["accesskey", "secretkey"].map(|name| format!("{driver}.{name}"));
    let there = |key: &String| from.text(key).is_some_and(|text| !text.is_empty());
    let settings =
        [("storage.s3.access_key_file", ACCESS_KEY), ("storage.s3.secret_key_file", SECRET_KEY)];
    for (key, (ours, file)) in names.iter().zip(settings) {
        if names.iter().all(there) {
            to.set(ours, file, key, "put it into this file");
        } else if from.get(key).is_some() {
            to.note(key, "without both keys, plura asks the environment, then the machine's role");
        }
    }
}

/// An endpoint is a host or an address there, and `secure` says which scheme.
fn endpoint(from: &Configuration, to: &mut Translation, driver: &str) {
    let (key, secure) = (format!("{driver}.regionendpoint"), format!("{driver}.secure"));
    let Some(named) = from.text(&key).filter(|text| !text.is_empty()) else { return };
    let plain = switch(from, &secure) == Some(false);
    let endpoint = match named.split_once("://") {
        Some(_) => named,
        None if plain => format!("http://{named}"),
        None => format!("https://{named}"),
    };
    // A password may stand in an address, and a path is none of its parts.
    let Some(endpoint) = address(&endpoint) else {
        to.note(&key, "`storage.s3.endpoint` is an http or https address without a path");
        return;
    };
    let is_http = endpoint.starts_with("http://");
    to.set("storage.s3.endpoint", endpoint, &key, "");
    let why = if from.get(&secure).is_some() { &secure } else { &key };
    if is_http {
        to.set("storage.s3.allow_http", true, why, "nothing is encrypted on the way");
    } else if from.get(&secure).is_some() {
        to.note(&secure, "the scheme of `storage.s3.endpoint` says it");
    }
}

fn encryption(from: &Configuration, to: &mut Translation, driver: &str) {
    let (encrypt, key_id) = (format!("{driver}.encrypt"), format!("{driver}.keyid"));
    match (switch(from, &encrypt), from.text(&key_id).filter(|text| !text.is_empty())) {
        (Some(true), Some(id)) => {
            to.set("storage.s3.encryption", "kms", &encrypt, "");
            to.set("storage.s3.encryption_key", id, &key_id, "");
        }
        (Some(true), None) => to.set("storage.s3.encryption", "aes256", &encrypt, ""),
        (Some(false), _) => to.set("storage.s3.encryption", "none", &encrypt, ""),
        (None, _) => {}
    }
}

/// Parts are of five megabytes and more, and several of them must fit into memory.
fn part_size(from: &Configuration, to: &mut Translation, key: &str) {
    const FITTING: RangeInclusive<u64> = 5 << 20..=64 << 20;
    let Some(size) = from.get(key).filter(|value| !value.is_null()) else { return };
    match scalar(size).parse::<u64>().ok().filter(|size| FITTING.contains(size)) {
        Some(size) => {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            to.set("storage.s3.part_size", size, key, "bytes; grows with large blobs");
        }
        None => to.note(
            key,
            "not from 5 MiB to 64 MiB; larger parts want more memory (`storage.s3.part_size`, \
             `storage.s3.upload_memory`), and parts grow with large blobs by themselves",
        ),
    }
}

fn tree(from: &Configuration, to: &mut Translation, key: &str) {
    if let Some((bucket, root)) = from.bucket() {
        let (bucket, root) = (printable(&bucket), printable(&root));
        to.note(
            key,
            format!(
                "its content is taken over in place by `plura adopt --from \
                 registry:s3://{bucket}/{root}`; plura's own keys begin otherwise"
            ),
        );
    }
}

fn note_if_there(from: &Configuration, to: &mut Translation, key: &str, text: &str) {
    if from.get(key).is_some() {
        to.note(key, text);
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
