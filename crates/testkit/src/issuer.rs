//! An issuer of OIDC tokens on loopback: real discovery, real keys, real signatures, and
//! every trick that a dishonest one knows.

mod keys;
mod login;
mod workload;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::login::LoginClient;

use self::keys::Keys;
use self::login::Logins;
use crate::http::{self, Received, Reply};

/// An issuer that listens on a free port of loopback until it is dropped.
#[derive(Debug)]
pub struct Issuer {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What an issuer does wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// Every request is answered with 503.
    Unavailable,
    /// Connections are accepted, and nothing is ever answered.
    Silent,
    /// Discovery says that the issuer is this one.
    OtherIssuer(String),
    /// Discovery says that the keys are here.
    KeysAt(String),
    /// Discovery redirects to here.
    RedirectTo(String),
    /// The keys come with this many bytes of padding, and without a length in the head.
    Oversize(usize),
    /// The keys are not JSON.
    Garbage,
}

#[derive(Debug)]
struct Shared {
    keys: Mutex<Arc<Keys>>,
    mishap: Mutex<Option<Mishap>>,
    logins: Mutex<Logins>,
    key_fetches: AtomicUsize,
    discovery_fetches: AtomicUsize,
}

impl Issuer {
    /// Starts one, with new keys.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address: SocketAddr = listener.local_addr().expect("a bound socket");
        let url = format!("http://{address}");
        let shared = Arc::new(Shared {
            keys: Mutex::new(Arc::new(Keys::generate(1))),
            mishap: Mutex::default(),
            logins: Mutex::default(),
            key_fetches: AtomicUsize::new(0),
            discovery_fetches: AtomicUsize::new(0),
        });
        let (answering, base) = (Arc::clone(&shared), url.clone());
        let task =
            tokio::spawn(http::serve(listener, move |received| answering.answer(&base, &received)));
        Self { url, shared, task }
    }

    /// The issuer, as its tokens write it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token with these claims, signed with RS256 as the large issuers do.
    pub fn sign(&self, claims: &Value) -> String {
        let keys = self.shared.keys();
        keys.sign(&json!({"alg": "RS256", "kid": keys.id("RS256"), "typ": "JWT"}), claims)
    }

    /// A token signed with one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, `EdDSA`, and
    /// the id of the key for it.
    pub fn sign_as(&self, algorithm: &str, claims: &Value) -> String {
        let keys = self.shared.keys();
        keys.sign(&json!({"alg": algorithm, "kid": keys.id(algorithm)}), claims)
    }

    /// A token with exactly this header, signed with the key for its `alg`, whatever else it says.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.shared.keys().sign(header, claims)
    }

    /// The id of the key that signs with this algorithm now.
    pub fn key_id(&self, algorithm: &str) -> String {
        self.shared.keys().id(algorithm)
    }

    /// A token without a signature, with the algorithm written like this (`none`, `None`, ...).
    pub fn forge_unsigned(&self, algorithm: &str, claims: &Value) -> String {
        let header = json!({"alg": algorithm, "kid": self.key_id("RS256")});
        format!("{}.", keys::message(&header, claims))
    }

    /// A token signed with HS256, the public RSA key being the secret.
    pub fn forge_with_public_key(&self, claims: &Value) -> String {
        let keys = self.shared.keys();
        keys.forge(&json!({"alg": "HS256", "kid": keys.id("RS256")}), claims)
    }

    /// The public keys, as they are published.
    pub fn jwks(&self) -> Value {
        self.shared.keys().published()
    }

    /// New keys with new ids. The old ones are not published any more.
    pub fn rotate(&self) {
        let mut keys = self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(Keys::generate(keys.generation() + 1));
    }

    /// From now on, this goes wrong, or nothing does.
    pub fn misbehave(&self, mishap: impl Into<Option<Mishap>>) {
        *self.shared.mishap.lock().unwrap_or_else(PoisonError::into_inner) = mishap.into();
    }

    /// How often the keys were asked for.
    pub fn key_fetches(&self) -> usize {
        self.shared.key_fetches.load(Ordering::SeqCst)
    }

    /// How often discovery was asked for.
    pub fn discovery_fetches(&self) -> usize {
        self.shared.discovery_fetches.load(Ordering::SeqCst)
    }

    /// Ends the issuer; connections to it are refused from now on.
    pub async fn stop(&mut self) {
        self.task.abort();
        // Waits until the listener is gone.
        drop((&mut self.task).await);
    }

    /// Makes a client known that people may log in to. The claims are added to the ID tokens.
    pub fn allow_login(&self, client: LoginClient, claims: Value) {
        self.shared.logins().allow(client, claims);
    }

    /// Logs in as a browser would: follows the address to the provider and returns what the browser
    /// is sent back with, `code` and `state`.
    pub async fn browse(&self, authorization_url: &str) -> (String, String) {
        assert!(authorization_url.starts_with(&self.url), "{authorization_url}");
        login::browse(authorization_url).await
    }

    fn claims(&self, audience: &str) -> Value {
        let now = seconds_now();
        json!({
            "iss": self.url,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + 300,
        })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if nothing shall ever be answered.
    fn answer(&self, base: &str, received: &Received) -> Option<Reply> {
        let mishap = self.mishap.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::SeqCst);
        match received.path.as_str() {
            "/.well-known/openid-configuration" => count(&self.discovery_fetches),
            "/keys" => count(&self.key_fetches),
            _ => 0,
        };
        match mishap {
            Some(Mishap::Silent) => return None,
            Some(Mishap::Unavailable) => return Some(Reply::status(503)),
            _ => {}
        }
        Some(match (received.method.as_str(), received.path.as_str()) {
            ("GET", "/.well-known/openid-configuration") => discovery(base, mishap),
            ("GET", "/keys") => self.key_answer(mishap.as_ref()),
            ("GET", "/authorize") => self.logins().authorize(received),
            ("POST", "/token") => match self.logins().redeem(received) {
                Ok((mut claims, nonce)) => {
                    let now = seconds_now();
                    claims["iss"] = json!(base);
                    claims["nonce"] = json!(nonce);
                    claims["iat"] = json!(now);
                    claims["exp"] = json!(now + 300);
                    let keys = self.keys();
                    let header = json!({"alg": "RS256", "kid": keys.id("RS256")});
                    let id_token = keys.sign(&header, &claims);
                    Reply::json(&json!({
                        "access_token": "unused",
                        "token_type": "Bearer",
                        "id_token": id_token,
                    }))
                }
                Err(error) => Reply::json(&json!({"error": error})).with_status(400),
            },
            _ => Reply::status(404),
        })
    }

    fn key_answer(&self, mishap: Option<&Mishap>) -> Reply {
        match mishap {
            Some(Mishap::Garbage) => Reply::text("<html>not found</html>"),
            Some(Mishap::Oversize(bytes)) => {
                let mut keys = self.keys().published();
                keys["padding"] = json!("x".repeat(*bytes));
                Reply::json(&keys).without_length()
            }
            _ => Reply::json(&self.keys().published()),
        }
    }
}

fn discovery(base: &str, mishap: Option<Mishap>) -> Reply {
    let mut document = json!({
        "issuer": base,
        "jwks_uri": format!("{base}/keys"),
        "authorization_endpoint": format!("{base}/authorize?tenant=a"),
        "token_endpoint": format!("{base}/token"),
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
        "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
    });
    match mishap {
        Some(Mishap::OtherIssuer(issuer)) => document["issuer"] = json!(issuer),
        Some(Mishap::KeysAt(address)) => document["jwks_uri"] = json!(address),
        Some(Mishap::RedirectTo(address)) => return Reply::redirect(&address),
        _ => {}
    }
    Reply::json(&document)
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs()
}
