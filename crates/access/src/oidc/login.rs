//! People who come in through a browser: the authorisation code flow of OIDC, with PKCE (RFC 7636).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form_urlencoded::{Serializer, byte_serialize};
use reqwest::{StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::discovery::Endpoints;
use super::{Claims, Expected, FetchError, Issuers, TokenError};

/// How long a login may take, in seconds.
pub(crate) const LONGEST_LOGIN: i64 = 600;
/// Longer codes are not passed on.
const LONGEST_CODE: usize = 4096;

/// A provider that people log in with.
#[derive(Debug, Clone)]
pub struct LoginProvider {
    /// The issuer of its tokens, exactly as they write it.
    pub issuer: String,
    /// What the provider calls us.
    pub client_id: String,
    /// How we prove that we are that client; nothing if the provider made us a public one.
    pub client_secret: Option<ClientSecret>,
    /// Where the provider sends the browser back to; the provider has to know it.
    pub redirect_uri: String,
    /// What to ask for beside `openid`, such as `profile`, `email`, `groups`.
    pub scopes: Vec<String>,
    /// The claim that names the groups of a person, with `/` between names of nested claims.
    pub groups_claim: Option<String>,
}

/// The secret of a client, which shows itself nowhere.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct ClientSecret(String);

/// A login that somebody began. The caller keeps it for the browser that it redirects, for ten minutes,
/// and sees to it that it is used once.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// Where to send the browser.
    pub authorization_url: String,
    /// What the browser must bring back.
    pub state: String,
    /// What the token must contain.
    pub nonce: String,
    /// What proves to the provider that who began is who finishes.
    pub verifier: String,
    /// When it began, in seconds since 1970.
    pub started_at: i64,
}

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who says so.
    pub issuer: String,
    /// Who it is. Only together with the issuer this names one person for ever.
    pub subject: String,
    /// What to call the person: `preferred_username`, or else the verified e-mail address. Providers let
    /// people change it, and may give it to another person.
    pub name: Option<String>,
    /// The e-mail address, if the provider has verified it.
    pub email: Option<String>,
    /// The groups that the provider puts the person in.
    pub groups: Vec<String>,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The provider cannot be asked.
    #[error("the login provider is not available; try again later")]
    Provider(#[source] FetchError),
    /// The provider has no endpoint that is needed, or an answer of it makes no sense.
    #[error("the login provider gave an answer that is not understood: {0}")]
    Answer(&'static str),
    /// The browser did not bring back what it was sent away with.
    #[error("this login was not begun here; begin again")]
    State,
    /// It was begun too long ago.
    #[error("this login took too long; begin again")]
    TooLate,
    /// The code cannot be one.
    #[error("the login provider's code is missing or too long")]
    Code,
    /// The provider refused the code.
    #[error("the login provider refused: {0}")]
    Refused(String),
    /// The token is not valid.
    #[error("the login provider's token is not valid: {0}")]
    Token(#[source] TokenError),
    /// The token was made for another login.
    #[error("the login provider's token belongs to another login; begin again")]
    Nonce,
    /// The token was made for another client, with us as one more audience.
    #[error("the login provider's token was made for another client")]
    OtherClient,
    /// The system gave no random numbers.
    #[error("no randomness is available")]
    Randomness,
}

impl LoginProvider {
    /// Begins a login.
    pub async fn begin(&self, issuers: &Issuers, now: i64) -> Result<Begun, LoginError> {
        let snapshot = issuers.snapshot(&self.issuer, |_| true, now).await;
        let snapshot = snapshot.map_err(LoginError::Provider)?;
        let endpoint = snapshot.endpoints.authorization.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.no_endpoint("authorization_endpoint"))?;
        let (state, nonce, verifier) = (random()?, random()?, random()?);
        let authorization_url = self.authorization_url(endpoint, &state, &nonce, &verifier);
        Ok(Begun { authorization_url, state, nonce, verifier, started_at: now })
    }

    /// Finishes the login that `begun` is, with the code and state that the browser brought.
    pub async fn finish(
        &self,
        issuers: &Issuers,
        code: &str,
        state: &str,
        begun: Begun,
        now: i64,
    ) -> Result<Identity, LoginError> {
        if !same(state, &begun.state) {
            return Err(LoginError::State);
        }
        if now.abs_diff(begun.started_at) > LONGEST_LOGIN.unsigned_abs() {
            return Err(LoginError::TooLate);
        }
        if code.is_empty() || code.len() > LONGEST_CODE {
            return Err(LoginError::Code);
        }
        let token = self.redeem(issuers, code, &begun.verifier, now).await?;
        let claims =
            issuers.verify(&token, &self.expected(), now).await.map_err(LoginError::Token)?;
        self.identity(&claims, &begun.nonce)
    }

    fn authorization_url(
        &self,
        endpoint: &Url,
        state: &str,
        nonce: &str,
        verifier: &str,
    ) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let others = self.scopes.iter().filter(|scope| *scope != "openid");
        let scope = others.fold("openid".to_owned(), |all, scope| format!("{all} {scope}"));
        let mut url = endpoint.clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &scope)
            .append_pair("state", state)
            .append_pair("nonce", nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        url.into()
    }

    /// Exchanges the code for the ID token.
    async fn redeem(
        &self,
        issuers: &Issuers,
        code: &str,
        verifier: &str,
        now: i64,
    ) -> Result<String, LoginError> {
        let snapshot = issuers.snapshot(&self.issuer, |_| true, now).await;
        let snapshot = snapshot.map_err(LoginError::Provider)?;
        let endpoint = snapshot.endpoints.token.as_ref();
        let endpoint = endpoint.ok_or_else(|| self.no_endpoint("token_endpoint"))?;
        let (form, credentials) = self.token_request(&snapshot.endpoints, code, verifier);
        let credentials = credentials.as_ref().map(|(id, secret)| (id.as_str(), secret.as_str()));
        let answer = issuers.web().post(endpoint, form, credentials).await;
        let (status, body) = answer.map_err(LoginError::Provider)?;
        read_token_answer(status, &body)
    }

    /// The form for the token endpoint, and what goes into the `Authorization` header (RFC 6749,
    /// section 2.3.1).
    fn token_request(
        &self,
        endpoints: &Endpoints,
        code: &str,
        verifier: &str,
    ) -> (String, Option<(String, String)>) {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", verifier);
        match &self.client_secret {
            Some(ClientSecret(secret)) if !endpoints.secret_in_form => {
                let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let credentials = (encode(&self.client_id), encode(secret));
                (form.finish(), Some(credentials))
            }
            secret => {
                form.append_pair("client_id", &self.client_id);
                if let Some(ClientSecret(secret)) = secret {
                    form.append_pair("client_secret", secret);
                }
                (form.finish(), None)
            }
        }
    }

    fn expected(&self) -> Expected {
        let (issuer, audience) = (self.issuer.clone(), self.client_id.clone());
        Expected { issuer, audience, jwks_file: None }
    }

    /// Who the token is about, if it was made for this login:
    /// <https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation>.
    fn identity(&self, claims: &Claims, nonce: &str) -> Result<Identity, LoginError> {
        let text =
            |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !text("nonce").is_some_and(|found| same(found, nonce)) {
            return Err(LoginError::Nonce);
        }
        let made_for = text("azp");
        let only_us = claims.audience.iter().all(|one| *one == self.client_id);
        if made_for.map_or(!only_us, |client| client != self.client_id) {
            return Err(LoginError::OtherClient);
        }
        let verified = claims.get("email_verified");
        // Some providers write the text.
        let verified = verified.is_some_and(|value| *value == true || *value == "true");
        let email = text("email").filter(|_| verified).map(str::to_owned);
        let name = text("preferred_username").map(str::to_owned).or_else(|| email.clone());
        let groups = self.groups_claim.as_deref().and_then(|path| claims.get(path));
        let (issuer, subject) = (claims.issuer.clone(), claims.subject.clone());
        Ok(Identity { issuer, subject, name, email, groups: groups.map(texts).unwrap_or_default() })
    }

    fn no_endpoint(&self, endpoint: &'static str) -> LoginError {
        LoginError::Provider(FetchError::NoEndpoint { address: self.issuer.clone(), endpoint })
    }
}

impl ClientSecret {
    /// Hides a secret.
    pub fn new(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret(hidden)")
    }
}

/// Who knows what is inside could finish the login of somebody else.
impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

fn read_token_answer(status: StatusCode, body: &[u8]) -> Result<String, LoginError> {
    #[derive(Deserialize)]
    struct Granted {
        id_token: String,
    }
    #[derive(Deserialize)]
    struct Denied {
        error: String,
    }
    if status == StatusCode::OK {
        let granted: Result<Granted, _> = serde_json::from_slice(body);
        return Ok(granted.map_err(|_| LoginError::Answer("it has no id_token"))?.id_token);
    }
    let denied: Result<Denied, _> = serde_json::from_slice(body);
    let reason =
        denied.map_or_else(|_| format!("status {}", status.as_u16()), |denied| denied.error);
    // RFC 6749 writes errors as words like `invalid_grant`; nothing else is passed on.
    let word = |character: &char| character.is_ascii_alphanumeric() || "_ ".contains(*character);
    Err(LoginError::Refused(reason.chars().filter(word).take(100).collect()))
}

/// A claim with one text or several; what is not text is passed over.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn random() -> Result<String, LoginError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| LoginError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(crate) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}
