//! Who sends a request: what it shows, and what that proves.

use std::{net::IpAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts, uri::Authority};
use plura_access::{
    CertificateNames, Credential, Event, Identity, Origin, Outcome, Principal, password::Password,
};
use plura_oci::ErrorCode;
use plura_policy::{Asked, Permission};
use serde_json::json;

use crate::{app::State, error::ApiError, listen::Connection, request::RequestId};

/// The cookie of a browser's session. The prefix has browsers refuse it from other hosts and, over
/// plain HTTP, from anybody (draft-ietf-httpbis-rfc6265bis, "Cookie Name Prefixes"); over plain HTTP on
/// loopback it goes without.
pub(crate) const SESSION_COOKIE: &str = "plura_session";

/// Longer credentials are none.
const LONGEST: usize = 16 * 1024;

/// Who sends a request, and how it is recorded if it changes something.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) principal: Arc<Principal>,
    pub(crate) address: IpAddr,
    /// Whether it showed anything.
    pub(crate) showed: bool,
    /// Whether what it may do comes of where it is sent from, and not of what its author knows: a page
    /// of another site can have a browser send such a request.
    pub(crate) ambient: bool,
}

/// What a request shows, taken apart.
enum Shown {
    Nothing,
    Basic { name: String, password: Password },
    Bearer(String),
    Session(String),
}

impl Sender {
    /// Finds out who sends the request. Credentials that are refused are recorded.
    pub(crate) async fn find(
        state: &State,
        head: &Parts,
        request: &RequestId,
    ) -> Result<Self, ApiError> {
        let found = Self::identify(state, head).await;
        if let Err(error) = &found
            && error.is_refusal()
        {
            let unknown = Self::unknown(head);
            // First of all, since every refusal is written down: a flood of them ends here.
            state.check_rate(&unknown)?;
            let event = Event {
                outcome: Outcome::Denied,
                detail: json!({ "reason": error.message() }).to_string(),
                ..Event::done("login", Self::tried(state, head).await?)
            };
            state.access.record(&unknown.origin(request), event).await?;
        }
        found
    }

    /// The account that was tried, if there is one: any other name may be a password that was typed
    /// into the wrong field.
    async fn tried(state: &State, head: &Parts) -> Result<String, ApiError> {
        let Ok(Shown::Basic { name, .. }) = Shown::of(&head.headers, false) else {
            return Ok(String::new());
        };
        let known = state.access.is_account(&name).await?;
        Ok(if known { format!("account:{name}") } else { String::new() })
    }

    /// The sender of a request, whatever it shows.
    pub(crate) fn unknown(head: &Parts) -> Self {
        let principal = Arc::new(Principal::anonymous());
        Self { principal, address: address(head), showed: false, ambient: false }
    }

    pub(crate) async fn identify(state: &State, head: &Parts) -> Result<Self, ApiError> {
        let (connection, address) = (head.extensions.get::<Connection>(), address(head));
        let access = &state.access;
        // A client may have a password for another server of that name: an open one does not look.
        if access.is_open().await? {
            return Ok(Self {
                principal: access.local(),
                address,
                showed: false,
                ambient: is_by_browser(&head.headers),
            });
        }
        let authorization = authorization(&head.headers)?;
        if let Some(principal) = authorization.and_then(|text| access.recall(text)) {
            return Ok(Self { principal, address, showed: true, ambient: false });
        }
        let is_v2 = crate::v2::is_ours(head.uri.path());
        let shown = Shown::of(&head.headers, !is_v2)?;
        let names = connection.and_then(certificate);
        let credential = match (&shown, &names) {
            (Shown::Basic { name, password }, _) => Credential::Basic { name, password },
            (Shown::Bearer(token), _) => Credential::Bearer(token),
            (Shown::Session(secret), _) => Credential::Session(secret),
            (Shown::Nothing, Some(names)) => Credential::Certificate(names),
            (Shown::Nothing, None) => Credential::None,
        };
        let showed = !matches!(credential, Credential::None);
        // Programs show certificates, too, and say nothing about pages.
        let ambient = match credential {
            Credential::Session(_) => true,
            Credential::Certificate(_) => is_by_browser(&head.headers),
            _ => false,
        };
        let principal = access.authenticate(credential, address).await?;
        // Only what the header proves: behind an empty one stands the certificate, or nobody.
        if let (Some(text), Shown::Basic { .. } | Shown::Bearer(_)) = (authorization, &shown) {
            access.note(text, &principal);
        }
        Ok(Self { principal, address, showed, ambient })
    }

    /// Refuses what a browser sends that its user may not have meant: a page of another site can have
    /// it send a form, with the session's cookie (CSRF). Browsers say where a request comes from.
    pub(crate) fn check_same_origin(&self, state: &State, head: &Parts) -> Result<(), ApiError> {
        if !self.ambient || head.method.is_safe() {
            return Ok(());
        }
        let is_local = self.principal.identity == Identity::Local;
        // Where nobody logs in, another site needs no cookie: it has its own name lead here (DNS
        // rebinding), and its pages are of the same origin then.
        if is_same_origin(head) && (!is_local || is_own_name(state, head)) {
            return Ok(());
        }
        let message = if is_local {
            "this server has no login, and takes changes from programs and from pages of its own, \
             not from other sites in a browser; `plura init` makes an administrator, who can log in"
        } else {
            "changes are taken from pages of this server only; programs use a token in the \
             Authorization header"
        };
        Err(ApiError::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message))
    }

    /// The sender of a request that was permitted, as the audit has it: by the name that decided.
    pub(crate) fn permitted(
        &self,
        state: &State,
        request: &RequestId,
        permission: Permission,
        asked: Asked<'_>,
    ) -> Origin {
        let actor = state.access.deciding_name(&self.principal, permission, asked).to_owned();
        Origin { actor, ..self.origin(request) }
    }

    /// As the audit has it.
    pub(crate) fn origin(&self, request: &RequestId) -> Origin {
        let identity = &self.principal.identity;
        Origin {
            request_id: request.to_string(),
            actor_kind: identity.kind().to_owned(),
            actor: identity.name().to_owned(),
            subject: identity.subject(),
            method: self.principal.method.as_str().to_owned(),
            address: self.address.to_string(),
            build: self.principal.build.clone(),
        }
    }
}

/// The client's end of the connection, as [`crate::forwarded`] found it.
fn address(head: &Parts) -> IpAddr {
    let connection = head.extensions.get::<Connection>();
    connection.map_or(IpAddr::from([127, 0, 0, 1]), |connection| connection.peer.ip())
}

fn certificate(connection: &Connection) -> Option<Arc<CertificateNames>> {
    let client = connection.client.as_ref()?;
    let names = CertificateNames {
        spiffe_id: client.spiffe_id.clone(),
        dns_names: client.dns_names.clone(),
    };
    (names.spiffe_id.is_some() || !names.dns_names.is_empty()).then(|| Arc::new(names))
}

impl Shown {
    fn of(headers: &HeaderMap, cookies: bool) -> Result<Self, ApiError> {
        let Some(text) = authorization(headers)? else {
            let session = if cookies { cookie(headers, SESSION_COOKIE) } else { None };
            return Ok(session.map_or(Self::Nothing, |value| Self::Session(value.to_owned())));
        };
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        // Schemes are compared without case (RFC 9110, "Authentication Scheme").
        if scheme.eq_ignore_ascii_case("basic") {
            return Self::basic(rest.trim());
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer(rest.trim().to_owned()));
        }
        Err(malformed("expected `Basic` or `Bearer` in the Authorization header"))
    }

    fn basic(encoded: &str) -> Result<Self, ApiError> {
        let expected = || malformed("expected `NAME:PASSWORD` in base64 behind `Basic`");
        let decoded = STANDARD.decode(encoded).map_err(|_| expected())?;
        let text = String::from_utf8(decoded).map_err(|_| expected())?;
        let (name, password) = text.split_once(':').ok_or_else(expected)?;
        // Clients that have nothing sometimes say so in this way.
        if name.is_empty() && password.is_empty() {
            return Ok(Self::Nothing);
        }
        Ok(Self::Basic { name: name.to_owned(), password: password.into() })
    }
}

/// The one `Authorization` of a request.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(malformed("there is more than one Authorization header"));
    }
    if value.len() > LONGEST {
        return Err(malformed("the Authorization header is too long"));
    }
    let text = value.to_str().map_err(|_| malformed("the Authorization header is not text"))?;
    Ok(Some(text))
}

fn is_same_origin(head: &Parts) -> bool {
    let site = head.headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    let origin = head.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    match (site, origin) {
        (Some(b"same-origin" | b"none"), _) => true,
        (None, Some(origin)) => Some(origin) == host(head),
        _ => false,
    }
}

/// Whether the request was sent to a name that nobody else can have lead here: an address, the name of
/// this machine to itself, or the one that was set.
fn is_own_name(state: &State, head: &Parts) -> bool {
    let Some(host) = host(head).and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = host.host();
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let name = name.to_ascii_lowercase();
    let public = state.options.public_url.as_deref().and_then(|url| url.parse::<Uri>().ok());
    let public = public.and_then(|url| url.host().map(str::to_ascii_lowercase));
    address.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || public.is_some_and(|public| public == name)
}

/// What the client calls this server, with the port.
fn host(head: &Parts) -> Option<&str> {
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    host.or_else(|| head.uri.authority().map(Authority::as_str))
}

/// Whether a browser sends it, since only browsers say where a request comes from.
pub(crate) fn is_by_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site")
}

/// The value of a cookie.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && value.len() <= LONGEST).then_some(value)
    });
    pairs.next()
}

fn malformed(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
}
