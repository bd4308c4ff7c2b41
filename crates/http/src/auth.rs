//! `/auth`: how people, clients and jobs get what they show elsewhere.

mod describe;
mod extract;

use std::sync::Arc;

use axum::{
    Json,
    extract::State as Extract,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use plura_access::{
    Caller, Error, Event, IssuedToken, Outcome, RefusedExchange, TokenRequest, password::Password,
    schema,
};
use plura_oci::ErrorCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use self::extract::{Queried, Small};
use crate::{
    api::{Route, Verb},
    app::State,
    error::ApiError,
    identify::{SESSION_COOKIE, Sender, cookie, is_by_browser},
    request::RequestId,
};

type Shared = Extract<Arc<State>>;
type Answer = Result<Response, ApiError>;

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::open(Verb::Get, "/auth/token", "auth.token", token).described(describe::token()),
        Route::open(Verb::Post, "/auth/token", "auth.token_by_form", token_by_form)
            .described(describe::token_by_form()),
        Route::open(Verb::Get, "/auth/keys", "auth.keys", keys).described(describe::keys()),
        Route::open(Verb::Post, "/auth/exchange", "auth.exchange", exchange)
            .described(describe::exchange()),
        Route::open(Verb::Post, "/auth/login", "auth.login", login).described(describe::login()),
        Route::open(Verb::Post, "/auth/logout", "auth.logout", logout)
            .described(describe::logout()),
        Route::open(Verb::Get, "/auth/oidc/login", "auth.oidc.login", begin_oidc)
            .described(describe::begin_oidc()),
        Route::open(Verb::Get, "/auth/oidc/callback", "auth.oidc.callback", finish_oidc)
            .described(describe::finish_oidc()),
    ]
}

/// The cookie that ties a login at the issuer to the browser that began it: without it, somebody
/// could have a victim finish the login of somebody else.
const LOGIN_COOKIE: &str = "plura_login";

/// What a request may not carry twice.
fn once<'f>(form: &'f [(String, String)], key: &str) -> Option<&'f str> {
    form.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

/// `GET`: what container clients do. Whoever shows nothing gets a token for what is public.
async fn token(Extract(state): Shared, head: Parts) -> Answer {
    let form = pairs(head.uri.query().unwrap_or_default().as_bytes());
    check_service(&form)?;
    let sender = Sender::find(&state, &head, &RequestId::of(&head)).await?;
    state.check_rate(&sender)?;
    let caller = caller(&sender, &head);
    let wants_refresh = once(&form, "offline_token").is_some_and(|value| value == "true");
    issue(&state, &caller, &form, wants_refresh).await
}

/// `POST`: the same with a form (OAuth 2), and how a refresh token is used.
async fn token_by_form(Extract(state): Shared, head: Parts, Small(body): Small) -> Answer {
    let form = pairs(&body);
    check_service(&form)?;
    let sender = Sender::find(&state, &head, &RequestId::of(&head)).await?;
    state.check_rate(&sender)?;
    let (shown, name) = match once(&form, "grant_type") {
        Some("refresh_token") => {
            let token = once(&form, "refresh_token").unwrap_or_default();
            (state.access.refresh(token).await, "")
        }
        Some("password") => {
            let name = once(&form, "username").unwrap_or_default();
            let password: Password = once(&form, "password").unwrap_or_default().into();
            let credential = plura_access::Credential::Basic { name, password: &password };
            (state.access.authenticate(credential, sender.address).await, name)
        }
        _ => {
            let message = "expected `grant_type` to be `password` or `refresh_token`";
            return Err(bad_request(message));
        }
    };
    let principal = match shown {
        Ok(principal) => principal,
        Err(error) => return Err(refused_login(&state, &caller(&sender, &head), name, error).await),
    };
    let refreshed = once(&form, "grant_type") == Some("refresh_token");
    let caller = caller(&Sender { principal, ..sender }, &head);
    let offline = once(&form, "access_type") == Some("offline");
    let mut answer = issued(&state, &caller, &form, offline && !refreshed).await?;
    if refreshed {
        // The protocol wants it back; it stays good until it ends or is ended.
        answer.refresh_token = once(&form, "refresh_token").map(ToOwned::to_owned);
    }
    Ok(no_store(Json(answer)))
}

async fn issue(state: &State, caller: &Caller, form: &[(String, String)], refresh: bool) -> Answer {
    Ok(no_store(Json(issued(state, caller, form, refresh).await?)))
}

async fn issued(
    state: &State,
    caller: &Caller,
    form: &[(String, String)],
    refresh: bool,
) -> Result<IssuedToken, ApiError> {
    let scopes = form.iter().filter(|(name, _)| name == "scope");
    // A parameter may hold several; a scope that is not understood is not granted.
    let scopes =
        scopes.flat_map(|(_, value)| value.split(' ')).filter_map(|text| text.parse().ok());
    let request = TokenRequest {
        scopes: scopes.take(plura_access::MOST_SCOPES + 1).collect(),
        refresh,
        client: once(form, "client_id").unwrap_or_default().to_owned(),
    };
    Ok(state.access.issue_token(caller, request).await?)
}

fn check_service(form: &[(String, String)]) -> Result<(), ApiError> {
    match once(form, "service") {
        None | Some("" | plura_access::SERVICE) => Ok(()),
        Some(_) => {
            let expected = format!("expected `service={}`", plura_access::SERVICE);
            Err(bad_request(&expected))
        }
    }
}

/// The public keys of our tokens (RFC 7517).
async fn keys(Extract(state): Shared) -> Answer {
    Ok(Json(state.access.jwks().await?).into_response())
}

/// A token of another issuer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Exchange {
    /// The token (JWT).
    token: String,
    /// The trust entry that is to accept it; without, any one that does.
    trust: Option<String>,
}

async fn exchange(Extract(state): Shared, head: Parts, Small(body): Small) -> Answer {
    let request: Exchange = json_body(&body, r#"{"token": "JWT", "trust": "NAME"}"#)?;
    // Who asks is what the token says; anything else that is shown does not matter.
    let sender = Sender::unknown(&head);
    state.check_rate(&sender)?;
    let caller = caller(&sender, &head);
    let exchanged = state.access.exchange(&caller, &request.token, request.trust.as_deref()).await;
    match exchanged {
        Ok(exchanged) => Ok(no_store(Json(exchanged))),
        Err(RefusedExchange { error, subject }) => {
            let reason = error.to_string();
            let answer = ApiError::from(error);
            if !answer.is_the_servers() {
                let target = subject.map(|subject| format!("subject:{subject}"));
                let target = target.unwrap_or_default();
                refused(&state, &caller, "token.exchange", target, &reason).await?;
            }
            Err(answer)
        }
    }
}

/// A login with a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    name: String,
    #[schema(value_type = schema::Password)]
    password: Password,
}

async fn login(Extract(state): Shared, head: Parts, Small(body): Small) -> Answer {
    let request: Login = json_body(&body, r#"{"name": "NAME", "password": "..."}"#)?;
    // A page of another site could log somebody in as somebody else, who then sees what they do.
    let by_browser = is_by_browser(&head.headers);
    let sender = Sender { ambient: by_browser, ..Sender::unknown(&head) };
    sender.check_same_origin(&state, &head)?;
    state.check_rate(&sender)?;
    let caller = caller(&sender, &head);
    let begun = state.access.login(&caller, &request.name, &request.password, sender.address).await;
    match begun {
        Ok(secret) => {
            let session = session_cookie(&state, &head, SESSION_COOKIE, secret.expose(), None);
            Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, session)]).into_response())
        }
        Err(error) => Err(refused_login(&state, &caller, &request.name, error).await),
    }
}

async fn logout(Extract(state): Shared, head: Parts) -> Answer {
    let sender = match Sender::identify(&state, &head).await {
        Ok(sender) => sender,
        // A session that has ended is left as any other is.
        Err(error) if error.is_refusal() => {
            let sender = Sender::unknown(&head);
            state.check_rate(&sender)?;
            Sender { ambient: is_by_browser(&head.headers), ..sender }
        }
        Err(error) => return Err(error),
    };
    sender.check_same_origin(&state, &head)?;
    if let Some(secret) = cookie(&head.headers, SESSION_COOKIE) {
        state.access.end_secret(&caller(&sender, &head), secret).await?;
    }
    let gone = session_cookie(&state, &head, SESSION_COOKIE, "", Some(0));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, gone)]).into_response())
}

#[derive(Deserialize, IntoParams)]
struct Next {
    /// The path to go on to afterwards.
    next: Option<String>,
}

async fn begin_oidc(Extract(state): Shared, Queried(query): Queried<Next>, head: Parts) -> Answer {
    // Only a path of ours: a login page that sends people elsewhere is a gift to thieves.
    let next = query.next.filter(|next| is_path(next)).unwrap_or_else(|| "/".to_owned());
    let begun = state.access.begin_oidc(&next).await?;
    let bound = session_cookie(&state, &head, LOGIN_COOKIE, &begun.kept, Some(600));
    let mut response = Redirect::to(&begun.authorization_url).into_response();
    response.headers_mut().append(header::SET_COOKIE, bound);
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
struct Callback {
    /// What the issuer answered.
    code: Option<String>,
    /// What ties the answer to the login that was begun.
    state: Option<String>,
    /// Why the issuer refused.
    error: Option<String>,
}

/// However it ends, the browser has nothing to keep of it any more.
async fn finish_oidc(
    Extract(state): Shared,
    Queried(query): Queried<Callback>,
    head: Parts,
) -> Response {
    let finished = finish_login(&state, query, &head).await;
    let mut response = finished.unwrap_or_else(IntoResponse::into_response);
    let gone = session_cookie(&state, &head, LOGIN_COOKIE, "", Some(0));
    response.headers_mut().append(header::SET_COOKIE, gone);
    response
}

async fn finish_login(state: &State, query: Callback, head: &Parts) -> Answer {
    if let Some(error) = query.error {
        let error: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(bad_request(&format!("the issuer did not log you in: {error}")));
    }
    let (Some(code), Some(given)) = (query.code, query.state) else {
        return Err(bad_request("expected `code` and `state` from the issuer"));
    };
    let Some(kept) = cookie(&head.headers, LOGIN_COOKIE) else {
        return Err(bad_request("this login was begun in another browser; begin again"));
    };
    let caller = caller(&Sender::unknown(head), head);
    let (secret, next) = match state.access.finish_oidc(&caller, kept, &given, &code).await {
        Ok(begun) => begun,
        Err(error) => return Err(refused_login(state, &caller, "", error).await),
    };
    let session = session_cookie(state, head, SESSION_COOKIE, secret.expose(), None);
    let mut response = Redirect::to(&next).into_response();
    response.headers_mut().append(header::SET_COOKIE, session);
    Ok(response)
}

/// A path on this host, which a browser cannot take for another host's.
fn is_path(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    text.starts_with('/') && !text.starts_with("//") && plain
}

/// A cookie that scripts do not see and other sites do not send. Whether it may go without encryption
/// is decided by what the browser talks to, which may be a proxy.
fn session_cookie(
    state: &State,
    head: &Parts,
    name: &str,
    value: &str,
    age: Option<u32>,
) -> HeaderValue {
    let secure = if state.base_url(head).starts_with("https://") { "; Secure" } else { "" };
    let age = age.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}");
    // Secrets and tokens are letters, digits and `_-.`.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

pub(crate) fn caller(sender: &Sender, head: &Parts) -> Caller {
    let origin = sender.origin(&RequestId::of(head));
    Caller { principal: Arc::clone(&sender.principal), origin: Arc::new(origin) }
}

/// Every failed login is in the audit; with the name that was tried, if there is one like it: any
/// other may be a password that was typed into the wrong field. A server that could not look refused
/// nobody.
async fn refused_login(state: &State, caller: &Caller, name: &str, error: Error) -> ApiError {
    let reason = error.to_string();
    let answer = ApiError::from(error);
    if answer.is_the_servers() {
        return answer;
    }
    let recorded = match state.access.is_account(name).await {
        Ok(known) => {
            let target = if known { format!("account:{name}") } else { String::new() };
            refused(state, caller, "login", target, &reason).await
        }
        Err(error) => Err(error.into()),
    };
    recorded.err().unwrap_or(answer)
}

async fn refused(
    state: &State,
    caller: &Caller,
    action: &'static str,
    target: String,
    reason: &str,
) -> Result<(), ApiError> {
    let event = Event {
        outcome: Outcome::Denied,
        detail: json!({ "reason": reason }).to_string(),
        ..Event::done(action, target)
    };
    Ok(state.access.record(&caller.origin, event).await?)
}

/// A body as JSON, whatever type the client says it is.
pub(crate) fn json_body<'b, T: Deserialize<'b>>(
    body: &'b [u8],
    expected: &str,
) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| bad_request(&format!("{error}; expected {expected}")))
}

pub(crate) fn bad_request(message: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::Invalid, message)
}

/// What has a secret in it is not kept by anything on the way (RFC 6749, section 5.1).
pub(crate) fn no_store(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
