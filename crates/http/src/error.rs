//! What went wrong, as a status, a code and words. The only file that knows which is which.
//!
//! | who must act | answer |
//! |---|---|
//! | the caller, by asking differently | 4xx, with what was expected and how to fix it |
//! | the caller, by trying again | 503 with `Retry-After` |
//! | the operator | 5xx without details; the log has them under the request's id |

use std::time::Duration;

use http::{Response, StatusCode, header};
use plura_access as access;
use plura_oci::{ErrorCode, RequestError};
use plura_registry::{Error, ImageError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{body::Body, respond, respond::With};

/// An error as it is answered.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    detail: Option<Value>,
    allow: Option<&'static str>,
    retry_after: Option<u32>,
    cause: Option<Cause>,
    denial: Option<Box<Denial>>,
}

/// What the operator must know and the caller need not: travels with the response to where the
/// request's id is known, and is logged there.
#[derive(Clone, Debug)]
pub(crate) struct Cause(pub(crate) String);

/// Why somebody who may do such things may not do this one: travels with the response to where it is
/// written down.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    pub(crate) rule: String,
    pub(crate) reason: String,
}

/// Seconds after which trying again may help.
const RETRY_AFTER: u32 = 5;

/// The form of distribution-spec, "Error Codes".
#[derive(Serialize)]
struct Envelope<'a> {
    errors: [Entry<'a>; 1],
}

#[derive(Serialize)]
struct Entry<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a Value>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        let (detail, allow, retry_after, cause, denial) = (None, None, None, None, None);
        Self { status, code, message, detail, allow, retry_after, cause, denial }
    }

    /// Whether credentials were refused.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS)
    }

    /// Whether the server could not do its part.
    pub(crate) fn is_the_servers(&self) -> bool {
        self.status.is_server_error()
    }

    /// The words.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let Self { status, code, message, detail, allow, retry_after, cause, denial } = self;
        let entry = Entry { code: code.as_str(), message: &message, detail: detail.as_ref() };
        let mut response = respond::json(status, &Envelope { errors: [entry] });
        if let Some(allow) = allow {
            response = response.with(header::ALLOW, allow);
        }
        if let Some(seconds) = retry_after {
            response = response.with(header::RETRY_AFTER, seconds.to_string());
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        if let Some(denial) = denial {
            response.extensions_mut().insert(*denial);
        }
        response
    }

    /// The same with where to get what is missing, where that is the matter.
    pub(crate) fn into_response_with_challenge(self, challenge: &str) -> Response<Body> {
        let unauthorised = self.status == StatusCode::UNAUTHORIZED;
        let response = self.into_response();
        if unauthorised { response.with(header::WWW_AUTHENTICATE, challenge) } else { response }
    }

    /// The sender has to slow down (RFC 6585, "429 Too Many Requests").
    pub(crate) fn too_many(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let message = format!("too many requests; try again in {seconds} s");
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, message);
        Self { retry_after: Some(seconds), ..error }
    }

    pub(crate) fn with_detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Something that the operator must know and the caller cannot mend.
    fn internal(error: &Error, code: ErrorCode, status: StatusCode, message: &str) -> Self {
        let cause = Some(Cause(Chain(error).to_string()));
        Self { cause, ..Self::new(status, code, message) }
    }

    /// The same error, but one that says "later" rather than "never" if it is the server's: for
    /// answers that clients would otherwise take for "there is none".
    pub(crate) fn or_unavailable(self) -> Self {
        if !self.status.is_server_error() {
            return self;
        }
        Self { status: StatusCode::SERVICE_UNAVAILABLE, retry_after: Some(RETRY_AFTER), ..self }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let status = match (error.code, error.allow) {
            (_, Some(_)) => StatusCode::METHOD_NOT_ALLOWED,
            (ErrorCode::Unsupported | ErrorCode::BlobUploadUnknown, None) => StatusCode::NOT_FOUND,
            (_, None) => StatusCode::BAD_REQUEST,
        };
        let allow = error.allow;
        Self { allow, ..Self::new(status, error.code, error.message) }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        match &error {
            Error::BlobUnknown(digest) => caused(StatusCode::NOT_FOUND, ErrorCode::BlobUnknown)
                .with_detail(json!({ "digest": digest })),
            Error::ManifestUnknown(reference) => {
                caused(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown)
                    .with_detail(json!({ "reference": reference.to_string() }))
            }
            Error::RepositoryUnknown(name) => caused(StatusCode::NOT_FOUND, ErrorCode::NameUnknown)
                .with_detail(json!({ "name": name })),
            Error::UploadUnknown => caused(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown),
            Error::UploadBusy => caused(StatusCode::CONFLICT, ErrorCode::BlobUploadInvalid),
            Error::UploadOutOfOrder { .. } => {
                caused(StatusCode::RANGE_NOT_SATISFIABLE, ErrorCode::BlobUploadInvalid)
            }
            Error::UploadInterrupted { source, .. }
                if source.kind() == std::io::ErrorKind::TimedOut =>
            {
                caused(StatusCode::REQUEST_TIMEOUT, ErrorCode::BlobUploadInvalid)
            }
            Error::UploadInterrupted { .. } => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::BlobUploadInvalid)
            }
            Error::BlobTooLarge { .. } => {
                caused(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid)
            }
            Error::Length { .. } => caused(StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid),
            Error::DigestMismatch { expected, computed } => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::DigestInvalid)
                    .with_detail(json!({ "expected": expected, "computed": computed }))
            }
            Error::ManifestInvalid(_) => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid)
            }
            Error::Signatures(refusal) => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::ManifestInvalid)
                    .with_detail(json!(refusal))
            }
            Error::ManifestReferences { missing } => {
                caused(StatusCode::NOT_FOUND, ErrorCode::ManifestBlobUnknown)
                    .with_detail(json!({ "missing": missing }))
            }
            Error::OverQuota(over) => {
                let rule = format!("quota of project {}", over.project);
                let detail = json!({ "rule": rule, "quota": over.quota, "wanted": over.wanted });
                let denial = Some(Box::new(Denial { rule, reason: text.clone() }));
                let answer = caused(StatusCode::FORBIDDEN, ErrorCode::Denied);
                Self { denial, ..answer.with_detail(detail) }
            }
            Error::Governed(refusals) => {
                let rules: Vec<&str> = refusals.iter().map(|one| one.rule.as_str()).collect();
                let denial = Denial { rule: rules.join(", "), reason: text.clone() };
                let answer = caused(StatusCode::FORBIDDEN, ErrorCode::Denied);
                let answer = answer.with_detail(json!({ "refusals": refusals }));
                Self { denial: Some(Box::new(denial)), ..answer }
            }
            Error::RulesChanged => {
                let answer = caused(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
                Self { retry_after: Some(RETRY_AFTER), ..answer }
            }
            Error::CollectingElsewhere => caused(StatusCode::CONFLICT, ErrorCode::Conflict),
            Error::DeleteDisabled => caused(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unsupported),
            _ => operators(&error),
        }
    }
}

impl From<plura_evidence::Error> for ApiError {
    fn from(error: plura_evidence::Error) -> Self {
        use plura_evidence::Error as E;
        let text = error.to_string();
        match error {
            E::ManifestUnknown(_) | E::PolicyUnknown(_) => {
                Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, text)
            }
            E::Refused(refusal) => Self::new(StatusCode::BAD_REQUEST, ErrorCode::Invalid, text)
                .with_detail(json!(refusal)),
            E::Registry(error) => error.into(),
            E::Metadata(error) => Error::Metadata(error).into(),
        }
    }
}

impl From<plura_contents::Error> for ApiError {
    fn from(error: plura_contents::Error) -> Self {
        use plura_contents::Error as E;
        match error {
            E::Image(error) => error.into(),
            E::Registry(error) => error.into(),
            E::Metadata(error) => Error::Metadata(error).into(),
            error => {
                let message = "the registry cannot read the image now; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let cause = Some(Cause(Chain(&error).to_string()));
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause, retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_vulnerabilities::Error> for ApiError {
    fn from(error: plura_vulnerabilities::Error) -> Self {
        use plura_vulnerabilities::{Error as E, ImportError as I};
        let text = error.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        match error {
            E::ManifestUnknown(_)
            | E::SourceUnknown(_)
            | E::ExceptionUnknown(_)
            | E::ScannerUnknown(_)
            | E::VexUnknown(_) => caused(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            E::ExceptionExists(_) | E::ScannerExists(_) => {
                caused(StatusCode::CONFLICT, ErrorCode::Conflict)
            }
            E::Import(I::TooLarge) => caused(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid),
            E::Import(_)
            | E::Refused(_)
            | E::ExceptionName(_)
            | E::ScannerName(_)
            | E::ScannerUrl(_)
            | E::Ignore(_)
            | E::Vex(_)
            | E::Report(_)
            | E::Search(_) => caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid),
            E::Image(error) => error.into(),
            E::Contents(error) => error.into(),
            E::Evidence(error) => error.into(),
            E::Registry(error) => error.into(),
            E::Metadata(error) => Error::Metadata(error).into(),
            E::Spool(_) | E::Stopped => {
                let message = "the server cannot do it now; try again later";
                let cause = Some(Cause(text));
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause, retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_transparency::Error> for ApiError {
    fn from(error: plura_transparency::Error) -> Self {
        use plura_transparency::Error as E;
        let internal = |status, code, message: &str| {
            let cause = Some(Cause(Chain(&error).to_string()));
            Self { cause, ..Self::new(status, code, message) }
        };
        match error {
            E::NoSuchEntry { .. } => {
                Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, error.to_string())
            }
            E::Metadata(error) => Error::Metadata(error).into(),
            E::Tampered(_) | E::Gap(_) | E::Head(_) | E::Proof(_) | E::Log(_) => {
                let message = "the log is damaged; its operator can run `plura check`";
                internal(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message)
            }
            _ => {
                let message = "the log cannot be read now; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let answer = internal(status, ErrorCode::Unavailable, message);
                Self { retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_governance::Error> for ApiError {
    fn from(error: plura_governance::Error) -> Self {
        use plura_governance::Error as E;
        let text = error.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        let denied = |rule: String, detail: Value| {
            let denial = Some(Box::new(Denial { rule, reason: text.clone() }));
            let answer = caused(StatusCode::FORBIDDEN, ErrorCode::Denied).with_detail(detail);
            Self { denial, ..answer }
        };
        match error {
            E::ManifestUnknown { .. }
            | E::Place(_)
            | E::VersionUnknown(_)
            | E::ApprovalUnknown(_)
            | E::FreezeUnknown(_)
            | E::PlanUnknown(_)
            | E::HoldUnknown(_)
            | E::NotBlocked(_) => caused(StatusCode::NOT_FOUND, ErrorCode::NotFound),
            E::BlockedAlready(_) => caused(StatusCode::CONFLICT, ErrorCode::Conflict),
            E::PolicyChanged { in_force } => caused(StatusCode::CONFLICT, ErrorCode::Conflict)
                .with_detail(json!({ "in_force": in_force })),
            E::Channel(_) | E::Invalid(_) => caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid),
            E::Document(error) => caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid)
                .with_detail(json!({ "problems": error.problems })),
            E::Blocked { block, .. } => denied("block".to_owned(), json!({ "block": block })),
            E::PullDenied(decision) => {
                let rules: Vec<&str> = decision.blocking().map(|one| one.rule.as_str()).collect();
                denied(rules.join(", "), json!({ "decision": decision }))
            }
            E::Refused(refusal) => refusal.into(),
            E::Registry(error) => error.into(),
            E::Metadata(error) => Error::Metadata(error).into(),
            error => {
                let message = "the registry cannot do it now; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let cause = Some(Cause(Chain(&error).to_string()));
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause, retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_events::Error> for ApiError {
    fn from(error: plura_events::Error) -> Self {
        use plura_events::Error as E;
        let text = error.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        match error {
            E::WebhookUnknown(_) | E::ProjectUnknown(_) | E::JobUnknown(_) => {
                caused(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            E::WebhookExists(_) | E::TooMany(_) | E::JobAlways(_) => {
                caused(StatusCode::CONFLICT, ErrorCode::Conflict)
            }
            E::Invalid { .. } => caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid),
            E::Metadata(error) => Error::Metadata(error).into(),
            E::Connections(_) => {
                let message = "the server cannot do it now; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause: Some(Cause(text)), retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_governance::ReportError> for ApiError {
    fn from(error: plura_governance::ReportError) -> Self {
        use plura_governance::ReportError as E;
        match error {
            E::NothingBefore { .. } => {
                Self::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, error.to_string())
            }
            E::TooLarge { .. } => {
                Self::new(StatusCode::CONFLICT, ErrorCode::Conflict, error.to_string())
            }
            E::Image(error) => error.into(),
            E::Governance(error) => (*error).into(),
            E::Contents(error) => error.into(),
            E::Vulnerabilities(error) => (*error).into(),
            E::Evidence(error) => error.into(),
            E::Log(error) => (*error).into(),
            E::Registry(error) => error.into(),
            E::Metadata(error) => Error::Metadata(error).into(),
            E::Signing(_) | E::Writing(_) => {
                let message = "the registry cannot do it now; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let cause = Some(Cause(Chain(&error).to_string()));
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause, retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

impl From<plura_governance::Refusal> for ApiError {
    fn from(refusal: plura_governance::Refusal) -> Self {
        use plura_governance::{KeyProblem, Refusal as R};
        let text = refusal.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        match refusal {
            R::NoPromotion(_) | R::NothingThere { .. } => {
                caused(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            R::NoService(_) | R::NotFrom { .. } => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid)
            }
            R::Key(KeyProblem::Unknown | KeyProblem::Used | KeyProblem::Expired) => {
                caused(StatusCode::FORBIDDEN, ErrorCode::Denied)
            }
            R::Denied(decision) => caused(StatusCode::CONFLICT, ErrorCode::Conflict)
                .with_detail(json!({ "decision": *decision })),
            R::Busy => {
                let answer = caused(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable);
                Self { retry_after: Some(RETRY_AFTER), ..answer }
            }
            R::OtherRepository { .. }
            | R::AlreadyThere { .. }
            | R::NotHeld(_)
            | R::NoTarget(_)
            | R::NeverThere { .. }
            | R::Blocked { .. }
            | R::Ended(_)
            | R::KeyReused
            | R::Key(_) => caused(StatusCode::CONFLICT, ErrorCode::Conflict),
        }
    }
}

impl From<ImageError> for ApiError {
    fn from(error: ImageError) -> Self {
        let (text, fix) = (error.to_string(), error.fix());
        let (status, code) = match error {
            ImageError::Unknown { .. }
            | ImageError::NoPlatform { .. }
            | ImageError::ChildMissing(_)
            | ImageError::NoConfiguration
            // Of a blob, the repository has none: its manifest may name what is not there.
            | ImageError::Registry(Error::BlobUnknown(_)) => {
                (StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            ImageError::PlatformNeeded { .. } => (StatusCode::BAD_REQUEST, ErrorCode::Invalid),
            ImageError::NotAnImage(_) | ImageError::ConfigurationTooLarge(_) => {
                (StatusCode::CONFLICT, ErrorCode::Conflict)
            }
            ImageError::Registry(error) => return error.into(),
        };
        let answer = Self::new(status, code, text);
        match fix {
            Some(fix) => answer.with_detail(json!({ "fix": fix })),
            None => answer,
        }
    }
}

impl From<access::Error> for ApiError {
    fn from(error: access::Error) -> Self {
        use access::Error as E;
        let text = error.to_string();
        let caused = |status, code| Self::new(status, code, text.clone());
        match error {
            E::BadCredentials
            | E::BadToken(_)
            | E::LoginRequired
            | E::Token(_)
            | E::NotTrusted(_)
                if !is_unavailable(&error) =>
            {
                caused(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized)
            }
            E::Locked(wait) => Self { message: text.clone(), ..Self::too_many(wait) },
            E::Denied(decision) => crate::v2::authorise::denied(&decision),
            E::Login(_) if !is_unavailable(&error) => {
                caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid)
            }
            E::Invalid { .. } => caused(StatusCode::BAD_REQUEST, ErrorCode::Invalid),
            E::Unknown { .. } | E::NotConfigured(_) => {
                caused(StatusCode::NOT_FOUND, ErrorCode::NotFound)
            }
            E::Conflict(_) => caused(StatusCode::CONFLICT, ErrorCode::Conflict),
            E::Metadata(error) => Error::Metadata(error).into(),
            error => {
                let message = "the registry cannot check who asks; try again later";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let cause = Some(Cause(Chain(&error).to_string()));
                let answer = Self::new(status, ErrorCode::Unavailable, message);
                Self { cause, retry_after: Some(RETRY_AFTER), ..answer }
            }
        }
    }
}

/// The issuer could not be asked: nobody's credentials are wrong.
fn is_unavailable(error: &access::Error) -> bool {
    use access::oidc::{LoginError, TokenError};
    matches!(
        error,
        access::Error::Token(TokenError::NoKeys { .. })
            | access::Error::Login(
                LoginError::Provider(_) | LoginError::Token(TokenError::NoKeys { .. })
            )
    )
}

/// Errors whose cause is not the caller's: the log says what happened, the answer what to expect.
fn operators(error: &Error) -> ApiError {
    if error.is_storage_full() {
        let message = "the registry's storage is full; its operator has to make room";
        let status = StatusCode::INSUFFICIENT_STORAGE;
        return ApiError::internal(error, ErrorCode::Unavailable, status, message);
    }
    if error.is_damage() {
        let message = "the stored content is damaged; its operator can run `plura check`";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        return ApiError::internal(error, ErrorCode::Unknown, status, message);
    }
    let message = "the registry cannot reach its storage; try again later";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let answer = ApiError::internal(error, ErrorCode::Unavailable, status, message);
    ApiError { retry_after: Some(RETRY_AFTER), ..answer }
}

/// An error with its causes, for one line of the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            // An error may name its cause itself; the cause is not said twice.
            let named = error.to_string();
            if !text.ends_with(&named) {
                text = format!("{text}: {named}");
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}
