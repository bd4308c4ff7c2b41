//! The part of a provider that people log in with: everybody who asks is let in at once.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::http::{Received, Reply};

/// A client as the provider knows it.
#[derive(Debug, Clone)]
pub struct LoginClient {
    /// Its name.
    pub id: String,
    /// Its secret; nothing for a public client.
    pub secret: Option<String>,
    /// Where browsers are sent back to.
    pub redirect_uri: String,
}

/// Clients, and codes that were given out and not redeemed.
#[derive(Debug, Default)]
pub(super) struct Logins {
    clients: BTreeMap<String, (LoginClient, Value)>,
    codes: BTreeMap<String, Code>,
    given_out: usize,
}

#[derive(Debug)]
struct Code {
    client: String,
    redirect_uri: String,
    challenge: String,
    nonce: String,
}

impl Logins {
    pub(super) fn allow(&mut self, client: LoginClient, claims: Value) {
        self.clients.insert(client.id.clone(), (client, claims));
    }

    /// Sends the browser back with a code.
    pub(super) fn authorize(&mut self, received: &Received) -> Reply {
        let get = |name| received.parameter(name).unwrap_or_default().to_owned();
        let (client, redirect_uri) = (get("client_id"), get("redirect_uri"));
        let known = self.clients.get(&client);
        let scopes = get("scope");
        let correct = known.is_some_and(|(known, _)| known.redirect_uri == redirect_uri)
            && get("response_type") == "code"
            && get("code_challenge_method") == "S256"
            && get("tenant") == "a"
            && scopes.split(' ').any(|scope| scope == "openid");
        if !correct {
            return Reply::status(400);
        }
        self.given_out += 1;
        let code = format!("code-{}", self.given_out);
        let (challenge, nonce) = (get("code_challenge"), get("nonce"));
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("code", &code)
            .append_pair("state", &get("state"))
            .finish();
        let location = format!("{redirect_uri}?{back}");
        self.codes.insert(code, Code { client, redirect_uri, challenge, nonce });
        Reply::redirect(&location)
    }

    /// The claims and the nonce for the ID token that a code stands for, or an error of RFC 6749.
    pub(super) fn redeem(&mut self, received: &Received) -> Result<(Value, String), &'static str> {
        let get = |name| received.parameter(name).unwrap_or_default();
        let client = self.authenticate(received)?;
        if get("grant_type") != "authorization_code" {
            return Err("unsupported_grant_type");
        }
        // A code is good for one try.
        let code = self.codes.remove(get("code")).ok_or("invalid_grant")?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(get("code_verifier").as_bytes()));
        let (known, claims) = self.clients.get(&client).ok_or("invalid_client")?;
        let correct = code.client == known.id
            && code.redirect_uri == get("redirect_uri")
            && code.challenge == challenge;
        if !correct {
            return Err("invalid_grant");
        }
        let mut claims = claims.clone();
        if claims.get("aud").is_none() {
            claims["aud"] = json!(known.id);
        }
        Ok((claims, code.nonce))
    }

    fn authenticate(&self, received: &Received) -> Result<String, &'static str> {
        let (id, secret) = credentials(received).ok_or("invalid_client")?;
        let (known, _) = self.clients.get(&id).ok_or("invalid_client")?;
        if known.secret == secret { Ok(id) } else { Err("invalid_client") }
    }
}

/// Who asks, from the `Authorization` header or from the form.
fn credentials(received: &Received) -> Option<(String, Option<String>)> {
    let Some(header) = &received.authorization else {
        let secret = received.parameter("client_secret").map(str::to_owned);
        return Some((received.parameter("client_id")?.to_owned(), secret));
    };
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| {
        let pair = format!("x={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, Some(decode(secret)?)))
}

pub(super) async fn browse(authorization_url: &str) -> (String, String) {
    let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build();
    let answer = client.expect("a client").get(authorization_url).send().await;
    let answer = answer.expect("the provider answers");
    assert_eq!(answer.status(), 302, "{authorization_url}");
    let location = answer.headers()["location"].to_str().expect("an address");
    let (_, query) = location.split_once('?').expect("an address with parameters");
    let back: BTreeMap<_, _> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    (back["code"].clone(), back["state"].clone())
}
