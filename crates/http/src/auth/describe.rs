//! What is told about `/auth` to those who write clients.

use http::StatusCode as S;
use plura_access::{Exchanged, IssuedToken};
use utoipa::{IntoParams, ToSchema};

use super::{Callback, Exchange, Login, Next};
use crate::api::Description;

/// What asking for credentials, or for what they are good for, may be answered with.
const CREDENTIALS: [S; 5] = [
    S::UNAUTHORIZED,
    S::TOO_MANY_REQUESTS,
    S::INTERNAL_SERVER_ERROR,
    S::SERVICE_UNAVAILABLE,
    S::INSUFFICIENT_STORAGE,
];

/// What a client wants a token for.
#[derive(IntoParams)]
#[expect(dead_code, reason = "it describes a query whose parameters may be repeated")]
struct TokenQuery {
    /// `plura`, as the challenge names it.
    #[param(pattern = "^(plura)?$")]
    service: Option<String>,
    /// `repository:NAME:pull,push`; may be given again.
    scope: Option<Vec<String>>,
    /// Who logs in; what counts is what is shown.
    account: Option<String>,
    /// What the client calls itself.
    client_id: Option<String>,
    /// `true` for a refresh token, too.
    offline_token: Option<String>,
}

/// What a client wants a token for, and what it shows.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes a form whose fields may be repeated")]
struct TokenForm {
    /// `password` or `refresh_token`.
    #[schema(pattern = "^(password|refresh_token)$")]
    grant_type: String,
    /// `plura`, as the challenge names it.
    #[schema(pattern = "^(plura)?$")]
    service: Option<String>,
    /// `repository:NAME:pull,push`; several are separated by spaces.
    scope: Option<String>,
    /// What the client calls itself.
    client_id: Option<String>,
    /// `offline` for a refresh token, too.
    access_type: Option<String>,
    /// With `password`.
    username: Option<String>,
    /// With `password`.
    password: Option<String>,
    /// With `refresh_token`.
    refresh_token: Option<String>,
}

pub(super) fn token() -> Description {
    Description::new("Gives container clients a token (Docker token protocol)")
        .asks::<TokenQuery>()
        .gives::<IssuedToken>()
        .refuses(&CREDENTIALS)
}

pub(super) fn token_by_form() -> Description {
    Description::new("Gives container clients a token (OAuth 2)")
        .takes_form::<TokenForm>()
        .gives::<IssuedToken>()
        .refuses(&CREDENTIALS)
}

pub(super) fn keys() -> Description {
    Description::new("Gives the keys that verify tokens of this server (JWK set)").gives_an_object()
}

pub(super) fn exchange() -> Description {
    Description::new("Exchanges a token of another issuer for one of this server")
        .takes::<Exchange>()
        .gives::<Exchanged>()
        .refuses(&CREDENTIALS)
}

pub(super) fn login() -> Description {
    Description::new("Begins a browser's session; the secret is in a cookie")
        .takes::<Login>()
        .gives_nothing()
        .refuses(&CREDENTIALS)
}

pub(super) fn logout() -> Description {
    Description::new("Ends a browser's session")
        .gives_nothing()
        .refuses(&CREDENTIALS)
        .refuses(&[S::BAD_REQUEST, S::FORBIDDEN])
}

pub(super) fn begin_oidc() -> Description {
    Description::new("Begins a login at the issuer")
        .asks::<Next>()
        .redirects()
        .refuses(&CREDENTIALS)
        .refuses(&[S::NOT_FOUND])
}

pub(super) fn finish_oidc() -> Description {
    Description::new("Finishes a login at the issuer, which sends the browser here")
        .asks::<Callback>()
        .redirects()
        .refuses(&CREDENTIALS)
        .refuses(&[S::NOT_FOUND, S::CONFLICT])
}
