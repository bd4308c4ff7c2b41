//! Files whose format has a place for a password.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{Rule, Seen, is_published};
use crate::json::{self, Lenient};

pub(super) fn search<'a>(path: &str, text: &'a [u8], seen: &mut Vec<Seen<'a>>) {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = directory.rsplit('/').next().unwrap_or_default();
    if is_published(path) {
        return;
    }
    match name {
        ".dockerconfigjson" | ".dockercfg" => docker(text, seen),
        "config.json" if matches!(parent, ".docker" | "containers" | ".kaniko" | "kaniko") => {
            docker(text, seen);
        }
        "auth.json" if parent == "containers" => docker(text, seen),
        ".netrc" | "_netrc" => netrc(text, seen),
        ".pgpass" | "pgpass.conf" => lines(text, seen, Rule::PgpassPassword, pgpass),
        ".git-credentials" => lines(text, seen, Rule::GitCredentials, git_credentials),
        ".npmrc" => lines(text, seen, Rule::NpmrcCredential, npmrc),
        ".pypirc" => lines(text, seen, Rule::PypircPassword, pypirc),
        "config" if parent == ".kube" => kubeconfig(text, seen),
        _ if name.contains("kubeconfig") => kubeconfig(text, seen),
        _ => {}
    }
}

/// Where `part` of `text` begins.
fn offset(text: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
}

fn push<'a>(text: &'a [u8], value: &'a [u8], rule: Rule, seen: &mut Vec<Seen<'a>>) {
    if is_value(value) {
        seen.push(Seen { rule, at: offset(text, value), value });
    }
}

/// Whether it is the secret itself, and not a variable that it is taken from or a placeholder.
fn is_value(value: &[u8]) -> bool {
    let reference = matches!(value, [] | [b'$' | b'<' | b'%' | b'{' | b'*', ..]);
    !reference
}

fn lines<'a>(
    text: &'a [u8],
    seen: &mut Vec<Seen<'a>>,
    rule: Rule,
    read: fn(&'a [u8]) -> Option<&'a [u8]>,
) {
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if !line.starts_with(b"#")
            && let Some(value) = read(line)
        {
            push(text, value, rule, seen);
        }
    }
}

/// `machine NAME login NAME password VALUE`, in any number of lines.
fn netrc<'a>(text: &'a [u8], seen: &mut Vec<Seen<'a>>) {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut machine = false;
    while let Some(word) = words.next() {
        match word {
            b"machine" | b"default" => machine = true,
            b"password" if machine => {
                push(text, words.next().unwrap_or_default(), Rule::NetrcPassword, seen);
            }
            _ => {}
        }
    }
}

/// `host:port:database:user:password`
fn pgpass(line: &[u8]) -> Option<&[u8]> {
    let mut fields = line.splitn(5, |byte| *byte == b':');
    let user = fields.nth(3)?;
    fields.next().filter(|_| !user.is_empty())
}

/// `https://user:password@host`
fn git_credentials(line: &[u8]) -> Option<&[u8]> {
    let scheme = memchr::memmem::find(line, b"://")?;
    let rest = &line[scheme + 3..];
    let login = &rest[..memchr::memrchr(b'@', rest)?];
    Some(&login[memchr::memchr(b':', login)? + 1..])
}

/// `//registry/:_authToken=VALUE`
fn npmrc(line: &[u8]) -> Option<&[u8]> {
    let (key, value) = assignment(line)?;
    let key = key.rsplit(|byte| *byte == b':').next()?;
    matches!(key, b"_authToken" | b"_auth" | b"_password").then_some(value)
}

fn pypirc(line: &[u8]) -> Option<&[u8]> {
    let at = memchr::memchr2(b'=', b':', line)?;
    (line[..at].trim_ascii() == b"password").then(|| line[at + 1..].trim_ascii())
}

fn assignment(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', line)?;
    let value = line[at + 1..].trim_ascii();
    let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    Some((line[..at].trim_ascii(), quoted.unwrap_or(value)))
}

/// The users of a kubeconfig, in YAML as `kubectl` writes it, or in JSON, which YAML contains.
fn kubeconfig<'a>(text: &'a [u8], seen: &mut Vec<Seen<'a>>) {
    let holds = |word: &[u8]| memchr::memmem::find(text, word).is_some();
    if !(holds(b"clusters") && holds(b"users") && holds(b"Config")) {
        return;
    }
    for line in text.split(|byte| matches!(byte, b'\n' | b',' | b'{' | b'}')) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let key = line[..colon].trim_ascii();
        let key = key.strip_prefix(b"- ").unwrap_or(key).trim_ascii();
        let value = unquoted(line[colon + 1..].trim_ascii());
        let least = match unquoted(key) {
            b"token" => 16,
            b"password" => 1,
            b"client-key-data" => 64,
            _ => continue,
        };
        if value.len() >= least {
            push(text, value, Rule::KubeconfigCredential, seen);
        }
    }
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        value => value,
    }
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    auth: Lenient<String>,
    #[serde(default)]
    password: Lenient<String>,
    #[serde(default, rename = "identitytoken")]
    identity_token: Lenient<String>,
}

/// Each is looked for in the text again.
const MOST_LOGINS: usize = 100;

/// `{"auths": {"registry": {"auth": "…"}}}`, or without the outer object in the oldest form.
fn docker<'a>(text: &'a [u8], seen: &mut Vec<Seen<'a>>) {
    let mut secrets: Vec<String> = Vec::new();
    let mut login = |_: &str, login: Login| secrets.extend(login_secret(login));
    let read = json::each_member_of(text, "auths", &mut login);
    let oldest = memchr::memmem::find(text, b"\"auths\"").is_none();
    if read.is_err() || oldest {
        let member = |key: &str, value: &serde_json::value::RawValue| {
            if let Ok(value) = serde_json::from_str(value.get()) {
                login(key, value);
            }
            Ok(())
        };
        // What is not JSON has no logins.
        drop(json::members(text, member));
    }
    for secret in secrets.into_iter().take(MOST_LOGINS) {
        if let Some(at) = memchr::memmem::find(text, secret.as_bytes()) {
            push(text, &text[at..at + secret.len()], Rule::DockerLogin, seen);
        }
    }
}

fn login_secret(login: Login) -> Option<String> {
    let whole = |auth: &String| {
        let decoded = BASE64_STANDARD.decode(auth).unwrap_or_default();
        let colon = memchr::memchr(b':', &decoded);
        colon.is_some_and(|colon| colon > 0 && colon + 1 < decoded.len())
    };
    let token = login.identity_token.0.filter(|token| token.len() >= 8);
    token
        .or(login.password.0.filter(|password| !password.is_empty()))
        .or(login.auth.0.filter(whole))
}
