//! What has an equivalent.

use serde_json::Value;

use super::{Configuration, Translation, duration, is_true, scalar, storage, without};

pub(super) fn translate(from: &Configuration) -> Translation {
    let mut to = Translation::default();
    to.done.insert("version".to_owned());
    log(from, &mut to);
    http(from, &mut to);
    tls(from, &mut to);
    storage::translate(from, &mut to);
    health(from, &mut to);
    validation(from, &mut to);
    access(from, &mut to);
    for path in from.paths() {
        if !to.done.contains(&path) {
            to.note(&path, without::reason(&path));
        }
    }
    to
}

fn log(from: &Configuration, to: &mut Translation) {
    for key in ["loglevel", "log.level"] {
        let Some(level) = from.text(key) else { continue };
        match level.as_str() {
            "error" | "warn" | "info" | "debug" => to.set("log.level", level, key, ""),
            _ => to.note(key, "not a level: error, warn, info or debug"),
        }
        break;
    }
    let key = "log.formatter";
    match from.text(key).as_deref() {
        Some("text") => to.set("log.format", "text", key, ""),
        Some("json" | "logstash") => to.set("log.format", "json", key, ""),
        Some(_) => to.note(key, "plura writes `text` or `json` (`log.format`)"),
        None => {}
    }
}

fn http(from: &Configuration, to: &mut Translation) {
    let key = "http.addr";
    if let Some(address) = from.text(key) {
        match listen(&address) {
            Some(listen) => to.set("server.listen", listen, key, ""),
            None => to.note(key, "plura listens on an IP address and a port (`server.listen`)"),
        }
    }
    let key = "http.host";
    if let Some(host) = from.text(key) {
        match address(&host) {
            Some(url) => to.set("server.public_url", url, key, ""),
            None => to.note(key, "`server.public_url` is an http or https address without a path"),
        }
    }
    span(from, to, "http.draintimeout", "server.drain_timeout");
}

/// Go listens on all addresses where none is named.
fn listen(address: &str) -> Option<String> {
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = match host {
        "" => "0.0.0.0",
        "localhost" => "127.0.0.1",
        host => host,
    };
    let listen = format!("{host}:{port}");
    listen.parse::<std::net::SocketAddr>().is_ok().then_some(listen)
}

/// An address that is nothing but scheme, host and port.
pub(super) fn address(host: &str) -> Option<String> {
    let host = host.trim_end_matches('/');
    let (scheme, rest) = host.split_once("://")?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    let valid = matches!(scheme, "http" | "https") && !rest.is_empty() && rest.bytes().all(plain);
    valid.then(|| host.to_owned())
}

fn tls(from: &Configuration, to: &mut Translation) {
    let (certificate, key) = ("http.tls.certificate", "http.tls.key");
    match (from.text(certificate), from.text(key)) {
        (Some(file), Some(key_file)) if !file.is_empty() && !key_file.is_empty() => {
            to.set("server.tls.certificate", file, certificate, "read again when it changes");
            to.set("server.tls.key", key_file, key, "");
            client_certificates(from, to);
        }
        (None, None) => {}
        _ => {
            for path in [certificate, key] {
                if from.get(path).is_some() {
                    to.note(path, "`server.tls.certificate` and `server.tls.key` need each other");
                }
            }
        }
    }
}

fn client_certificates(from: &Configuration, to: &mut Translation) {
    let path = "http.tls.clientcas";
    let files = from.get(path).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let Some(first) = files.first().and_then(Value::as_str) else { return };
    let comment = if files.len() > 1 { "one file: put all of them into it" } else { "" };
    to.set("server.tls.client_ca", first, path, comment);
    let key = "http.tls.clientauth";
    let optional = matches!(
        from.text(key).as_deref(),
        Some("request-client-cert" | "verify-client-cert-if-given")
    );
    let how = if optional { "optional" } else { "required" };
    let why = if from.get(key).is_some() { key } else { path };
    to.set("server.tls.client_certificates", how, why, "");
}

fn health(from: &Configuration, to: &mut Translation) {
    span(from, to, "health.storagedriver.interval", "health.interval");
    let key = "health.storagedriver.threshold";
    match from.get(key).and_then(Value::as_u64).filter(|count| *count > 0) {
        Some(count) => {
            to.set("health.failures", i64::try_from(count).unwrap_or(i64::MAX), key, "");
        }
        None if from.get(key).is_some() => to.note(key, "not a number above zero"),
        None => {}
    }
}

/// How much of what a manifest names must be there.
fn validation(from: &Configuration, to: &mut Translation) {
    let (disabled, platforms) = ("validation.disabled", "validation.manifests.indexes.platforms");
    if from.is(disabled) {
        to.set("registry.sparse", "all", disabled, "manifests are checked for nothing else");
        return;
    }
    match from.text(platforms).map(|text| text.to_lowercase()).as_deref() {
        Some("all") => to.set("registry.sparse", "none", platforms, ""),
        Some("none") => to.set("registry.sparse", "index", platforms, ""),
        Some("list") => {
            to.set("registry.sparse", "index", platforms, "without a list of platforms");
        }
        _ => {}
    }
}

fn access(from: &Configuration, to: &mut Translation) {
    if from.get("auth").is_none_or(Value::is_null) {
        to.note(
            "auth",
            "there is none, so everybody may do everything; plura wants an administrator before it \
             listens to other machines (`plura init`), or `server.allow_unauthenticated = true`",
        );
    }
}

/// A duration, if there is one.
pub(super) fn span(from: &Configuration, to: &mut Translation, key: &str, ours: &'static str) {
    let Some(value) = from.get(key).filter(|value| !value.is_null()) else { return };
    match duration::translate(&scalar(value)) {
        Some(text) => to.set(ours, text, key, ""),
        None => to.note(key, format!("not a duration above a millisecond (`{ours}`)")),
    }
}

/// A switch, if it is there.
pub(super) fn switch(from: &Configuration, key: &str) -> Option<bool> {
    from.get(key).filter(|value| !value.is_null()).map(is_true)
}
