//! `/v2`: a request becomes an [`Action`], the action is carried out by one use case, and its outcome
//! becomes a response.

mod audited;
pub(crate) mod authorise;
mod blobs;
mod lists;
mod manifests;
mod uploads;

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header, request::Parts};
use plura_access::{Event, Origin};
use plura_governance::Error as GovernanceError;
use plura_oci::{Action, RepositoryName, StartUpload};
use plura_policy::{Asked, Permission};
use plura_registry::{Error, Registry};

use crate::{
    app::State,
    body::Body,
    error::{ApiError, Denial},
    identify::Sender,
    listen::RequestBody,
    request::{LentBody, RequestId},
    respond::{self, With},
};

use authorise::Allowed;

/// Which API this is; clients of the reference registry look for it.
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The digest of what is answered, or was stored.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Whether the path belongs to `/v2`.
pub(crate) fn is_ours(path: &str) -> bool {
    path.strip_prefix("/v2").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request, and says what it was.
pub(crate) async fn answer(
    state: &State,
    request: Request<RequestBody>,
    id: &RequestId,
) -> (&'static str, Response<Body>) {
    let (head, body) = request.into_parts();
    let body = LentBody::new(body, &head.headers);
    let (name, answered) =
        match Action::parse(head.method.as_str(), head.uri.path(), head.uri.query()) {
            Ok(action) => (action.name(), carry_out(state, &head, &body, id, action).await),
            Err(error) => ("not_understood", Err(refuse(error))),
        };
    let response = match answered {
        Ok(response) => response,
        Err(response) => {
            body.drain().await;
            *response
        }
    };
    (name, response.with(API_VERSION, "registry/2.0"))
}

/// Who asks, whether they may, and then the action itself: in this order, for every action.
async fn carry_out(
    state: &State,
    head: &Parts,
    body: &LentBody,
    id: &RequestId,
    action: Action,
) -> Answer {
    let sender = Sender::find(state, head, id).await.map_err(|error| {
        let challenge = authorise::challenge(&state.realm(head), None, Some("invalid_token"));
        Box::new(error.into_response_with_challenge(&challenge))
    })?;
    if !matches!(action, Action::ListReferrers { .. }) {
        state.check_rate(&sender).map_err(refuse)?;
    }
    sender.check_same_origin(state, head).map_err(refuse)?;
    let question =
        authorise::Question { state, sender: &sender, request: id, head, action: &action };
    let allowed = question.decide().await?;
    let (method, head, address) = (&head.method, &head.headers, sender.address);
    let permission = authorise::permission(&action);
    if permission == Some(Permission::Pull) {
        let registry = &state.registry;
        let call = Call { state, registry, head, method, body, address, sender: &sender };
        // Only manifests are refused for what they are.
        let event = matches!(action, Action::GetManifest(..)).then(|| audited::event(&action));
        let answered = dispatch(call, action, allowed).await;
        if let Some((denial, event)) = denial_of(&answered).zip(event) {
            record_denial(state, &sender.origin(id), &denial, event).await?;
        }
        return answered;
    }
    let origin = match (permission, action.repository()) {
        (Some(permission), Some(name)) => {
            let asked = Asked::Repository { name, public: false };
            sender.permitted(state, id, permission, asked)
        }
        _ => sender.origin(id),
    };
    let origin = Arc::new(origin);
    let registry = state.registry.on_behalf_of(Arc::clone(&origin));
    let event = audited::event(&action);
    let call = Call { state, registry: &registry, head, method, body, address, sender: &sender };
    let answered = dispatch(call, action, allowed).await;
    if let Some(denial) = denial_of(&answered) {
        record_denial(state, &origin, &denial, event).await?;
    }
    answered
}

/// Why it was refused, where somebody who may do such things was.
fn denial_of(answered: &Answer) -> Option<Denial> {
    answered.as_ref().err()?.extensions().get::<Denial>().cloned()
}

/// Every denial is in the audit, also of those who may do such things in general.
async fn record_denial(
    state: &State,
    origin: &Origin,
    denial: &Denial,
    event: Event,
) -> Result<(), Refusal> {
    let event = audited::denied(event, &denial.rule, &denial.reason);
    state.access.record(origin, event).await.map_err(refuse)
}

/// A request whose action is known and allowed.
#[derive(Clone, Copy)]
struct Call<'a> {
    state: &'a State,
    /// The registry, on behalf of who asks.
    registry: &'a Registry,
    head: &'a HeaderMap,
    method: &'a Method,
    body: &'a LentBody,
    /// Where the sender is.
    address: IpAddr,
    /// Who asks.
    sender: &'a Sender,
}

/// A response, or a refusal; a refusal may leave the request's body unread.
type Answer = Result<Response<Body>, Refusal>;

/// Boxed, since the way without errors should not carry its size.
type Refusal = Box<Response<Body>>;

async fn dispatch(call: Call<'_>, action: Action, allowed: Allowed) -> Answer {
    if let Action::StartUpload(repository, _) | Action::DeleteBlob(repository, _) = &action {
        call.state.knowledge.governance.check_blobs(repository).await.map_err(refuse)?;
    }
    match action {
        Action::Ping => Ok(respond::json(StatusCode::OK, &serde_json::json!({}))),
        Action::ListRepositories(page) => {
            lists::repositories(call, page, &allowed.readable()).await
        }
        Action::ListTags(repository, page) => lists::tags(call, repository, page).await,
        Action::TagHistory(repository, tag, page) => {
            lists::tag_history(call, repository, tag, page).await
        }
        Action::ListReferrers { repository, subject, artifact_type, page } => {
            lists::referrers(call, repository, subject, artifact_type, page).await
        }
        Action::GetManifest(repository, reference) => {
            manifests::get(call, repository, reference).await
        }
        Action::PutManifest { repository, reference, tags } => {
            manifests::put(call, repository, reference, tags).await
        }
        Action::DeleteManifest(repository, reference) => {
            let governance = &call.state.knowledge.governance;
            let deleted = governance.delete(call.registry, &repository, &reference).await;
            match deleted {
                Err(GovernanceError::Registry(error)) => {
                    deleted_or_refused(Err(error), "GET, HEAD, PUT")
                }
                Err(error) => Err(refuse(error)),
                Ok(()) => deleted_or_refused(Ok(()), "GET, HEAD, PUT"),
            }
        }
        Action::GetBlob(repository, digest) => blobs::get(call, repository, digest).await,
        Action::DeleteBlob(repository, digest) => {
            let deleted = call.registry.delete_blob(&repository, &digest).await;
            deleted_or_refused(deleted, "GET, HEAD")
        }
        Action::StartUpload(repository, StartUpload::Session(algorithm)) => {
            uploads::start(call, repository, algorithm).await
        }
        Action::StartUpload(repository, StartUpload::Whole(digest)) => {
            uploads::whole(call, repository, digest).await
        }
        Action::StartUpload(repository, StartUpload::Mount { digest, .. }) => {
            uploads::mount(call, repository, digest, allowed.mount_from()).await
        }
        Action::UploadStatus(repository, upload) => uploads::status(call, repository, upload).await,
        Action::AppendUpload(repository, upload) => uploads::append(call, repository, upload).await,
        Action::FinishUpload(repository, upload, digest) => {
            uploads::finish(call, repository, upload, digest).await
        }
        Action::CancelUpload(repository, upload) => {
            let cancelled = call.registry.cancel_upload(&repository, &upload).await;
            cancelled.map(|()| respond::empty(StatusCode::NO_CONTENT)).map_err(refuse)
        }
    }
}

impl Call<'_> {
    /// Whether somebody who may push only looks whether something is there: what signs does so.
    fn is_lookup(&self, name: &RepositoryName) -> bool {
        let asked = Asked::Repository { name, public: false };
        let rights = &self.sender.principal.rights;
        self.method == Method::HEAD && plura_policy::allows(rights, Permission::Push, asked)
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.head.get(name)?.to_str().ok()
    }

    /// A path of `/v2` as `Location` shows it.
    fn location(&self, path: &str) -> String {
        match &self.state.options.public_url {
            Some(base) => format!("{base}{path}"),
            None => path.to_owned(),
        }
    }

    /// Whether the client has this content already (RFC 9110, "If-None-Match").
    fn has_already(&self, etag: &str) -> bool {
        let given = self.head.get_all(header::IF_NONE_MATCH).iter();
        given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
            |candidate| {
                let candidate = candidate.trim();
                candidate == "*" || candidate.strip_prefix("W/").unwrap_or(candidate) == etag
            },
        )
    }
}

fn refuse(error: impl Into<ApiError>) -> Refusal {
    Box::new(error.into().into_response())
}

/// Where deleting is switched off, the answer says what else the path allows (RFC 9110, "405 Method
/// Not Allowed").
fn deleted_or_refused(deleted: Result<(), Error>, allow: &str) -> Answer {
    match deleted {
        Ok(()) => Ok(respond::empty(StatusCode::ACCEPTED)),
        Err(error @ Error::DeleteDisabled) => {
            Err(Box::new(refuse(error).with(header::ALLOW, allow)))
        }
        Err(error) => Err(refuse(error)),
    }
}

/// `Link` to the page behind `last` (RFC 8288).
fn next_page(path: &str, last: &str, size: Option<u32>, filter: Option<&str>) -> String {
    let size = size.map(|n| format!("&n={n}")).unwrap_or_default();
    let filter = filter.map(|f| format!("&artifactType={}", escape(f))).unwrap_or_default();
    format!("<{path}?last={}{size}{filter}>; rel=\"next\"", escape(last))
}

/// Percent-escapes what may not stand in a query (RFC 3986, "unreserved" stays).
fn escape(text: &str) -> String {
    use std::fmt::Write;

    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}
