//! The transit engine of Vault, and of what came of it: it keeps keys, and signs with them.
//!
//! Only the SHA-256 of what is signed goes there, except for Ed25519, which signs messages as they are.
//! What comes back is verified before it is used.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plura_oci::Digest;
use plura_trust::PublicKey;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use serde_json::{Value, json};

use crate::api_client::{body, http};
use crate::cli::{AuthorityArgs, is_local};
use crate::exit::Hint;
use crate::prompt;
use crate::secret::Secret;
use crate::settings::BaseUrl;
use crate::table::printable;

/// The most bytes of an answer.
const LONGEST: usize = 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is before the bytes of an Ed25519 key in its `SubjectPublicKeyInfo` (RFC 8410, 4).
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0];

/// A key that Vault keeps.
pub(crate) struct TransitKey {
    vault: Vault,
    /// Where it is: the mount and the name.
    place: (String, String),
    version: u64,
    scheme: Scheme,
    public: PublicKey,
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Ecdsa,
    Rsa,
    Ed25519,
}

impl TransitKey {
    /// Asks for the public half of a key, in its newest version.
    pub(crate) async fn open(mount: &str, name: &str) -> anyhow::Result<Self> {
        let vault = Vault::from_environment()?;
        let answer = vault.ask(Method::GET, [mount, "keys", name], None).await?;
        let data = &answer["data"];
        let scheme = match data["type"].as_str().unwrap_or_default() {
            "ecdsa-p256" | "ecdsa-p384" | "ecdsa-p521" => Scheme::Ecdsa,
            "rsa-2048" | "rsa-3072" | "rsa-4096" => Scheme::Rsa,
            "ed25519" => Scheme::Ed25519,
            other => bail!("it is of the type `{}`, which cannot sign here", printable(other)),
        };
        let version = data["latest_version"].as_u64().context("the answer has no version")?;
        let key = data["keys"][version.to_string()]["public_key"].as_str();
        let public = public_key(scheme, key.context("the answer has no public key")?)?;
        let place = (mount.to_owned(), name.to_owned());
        Ok(Self { vault, place, version, scheme, public })
    }

    /// The key that verifies what this one signs.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The signature over the message.
    pub(crate) async fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let (mount, name) = &self.place;
        let question = question(self.scheme, self.version, message);
        let answer = self.vault.ask(Method::POST, [mount, "sign", name], Some(question)).await?;
        let text = answer["data"]["signature"].as_str().context("the answer has no signature")?;
        // `vault:v1:` and the signature.
        let encoded = text.rsplit(':').next().unwrap_or_default();
        let signature = BASE64_STANDARD.decode(encoded).context("the signature is not Base64")?;
        let holds = self.public.verifies(message, &signature);
        ensure!(holds, "the signature that came back is not of this key over what was sent");
        Ok(signature)
    }
}

fn question(scheme: Scheme, version: u64, message: &[u8]) -> Value {
    if scheme == Scheme::Ed25519 {
        return json!({ "input": BASE64_STANDARD.encode(message), "key_version": version });
    }
    let mut question = json!({
        "input": BASE64_STANDARD.encode(Digest::sha256(message).hash()),
        "prehashed": true,
        "hash_algorithm": "sha2-256",
        "key_version": version,
    });
    match scheme {
        Scheme::Rsa => question["signature_algorithm"] = "pkcs1v15".into(),
        _ => question["marshaling_algorithm"] = "asn1".into(),
    }
    question
}

fn public_key(scheme: Scheme, text: &str) -> anyhow::Result<PublicKey> {
    if scheme != Scheme::Ed25519 || text.starts_with("-----") {
        return PublicKey::from_pem(text).context("its public key cannot be read");
    }
    let bytes = BASE64_STANDARD.decode(text).context("its public key is not Base64")?;
    let spki = [&ED25519_PREFIX[..], &bytes].concat();
    PublicKey::from_spki(&spki).context("its public key cannot be read")
}

/// How to reach Vault, and who asks.
struct Vault {
    http: Client,
    base: Url,
    token: Secret,
    namespace: Option<String>,
}

impl Vault {
    /// As Vault's own client finds it.
    fn from_environment() -> anyhow::Result<Self> {
        let address = variable("VAULT_ADDR").context("`VAULT_ADDR` is not set");
        let address =
            address.hint("say where Vault is: `VAULT_ADDR=https://vault.example.com:8200`")?;
        let base: BaseUrl = address.trim_end_matches('/').parse().map_err(|_| {
            anyhow!("`VAULT_ADDR` is not an address such as `https://vault.example.com:8200`")
        })?;
        let encrypted = base.url().scheme() == "https" || is_local(&base);
        ensure!(encrypted, "`VAULT_ADDR` is not encrypted, and the token would be seen by others");
        let authority = AuthorityArgs { ca_file: variable("VAULT_CACERT").map(PathBuf::from) };
        let http = http(base.url(), &authority).hint("is `VAULT_CACERT` a PEM file?")?;
        let base = base.url().clone();
        Ok(Self { http, base, token: token()?, namespace: variable("VAULT_NAMESPACE") })
    }

    /// Asks; the mount may have several segments.
    async fn ask(
        &self,
        method: Method,
        [mount, what, name]: [&str; 3],
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let mut url = self.base.clone();
        let mut segments = url.path_segments_mut().map_err(|()| anyhow!("not an address"))?;
        segments.pop_if_empty().push("v1").extend(mount.split('/')).extend([what, name]);
        drop(segments);
        let mut request = self.authenticated(self.http.request(method, url)).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| anyhow!(error.without_url()));
        let response = response.context("Vault does not answer");
        answer(response.hint("is it running, and unsealed, where `VAULT_ADDR` says?")?).await
    }

    fn authenticated(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("x-vault-token", self.token.expose());
        let request = request.header("x-vault-request", "true");
        match &self.namespace {
            Some(namespace) => request.header("x-vault-namespace", namespace),
            None => request,
        }
    }
}

async fn answer(response: Response) -> anyhow::Result<Value> {
    let status = response.status();
    let body = body(response, LONGEST).await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(answer);
    }
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let errors: Vec<&str> = errors.iter().filter_map(Value::as_str).collect();
    let reason = if errors.is_empty() { "no reason given".to_owned() } else { errors.join("; ") };
    let said: anyhow::Result<Value> =
        Err(anyhow!("Vault answered {status}: {}", printable(&reason)));
    said.hint("the token needs `read` on `MOUNT/keys/KEY` and `update` on `MOUNT/sign/KEY`")
}

fn token() -> anyhow::Result<Secret> {
    if let Some(token) = variable("VAULT_TOKEN") {
        return Ok(Secret::new(token));
    }
    let file = variable("HOME").map(|home| PathBuf::from(home).join(".vault-token"));
    let token = file.filter(|file| file.exists()).map(|file| prompt::secret_from_file(&file));
    let missing = || anyhow!("there is no token for Vault");
    token.ok_or_else(missing).hint("set `VAULT_TOKEN`, or run `vault login`")?
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_go_there_as_hashes_except_for_ed25519() {
        let hash = BASE64_STANDARD.encode(Digest::sha256(b"hello").hash());
        let common = json!({
            "input": hash, "prehashed": true, "hash_algorithm": "sha2-256", "key_version": 3,
        });
        let with = |name: &str, value: &str| {
            let mut all = common.clone();
            all[name] = value.into();
            all
        };
        assert_eq!(question(Scheme::Ecdsa, 3, b"hello"), with("marshaling_algorithm", "asn1"));
        assert_eq!(question(Scheme::Rsa, 3, b"hello"), with("signature_algorithm", "pkcs1v15"));
        let whole = json!({ "input": "aGVsbG8=", "key_version": 1 });
        assert_eq!(question(Scheme::Ed25519, 1, b"hello"), whole);
    }

    #[test]
    fn a_bare_ed25519_key_is_read() {
        let bytes = BASE64_STANDARD.encode([7; 32]);
        let key = public_key(Scheme::Ed25519, &bytes).expect("a key");
        assert_eq!(key.spki()[..12], ED25519_PREFIX);
        assert!(public_key(Scheme::Ed25519, "AA==").is_err());
        assert!(public_key(Scheme::Ecdsa, &bytes).is_err());
    }
}
