use http::{HeaderName, StatusCode, header};
use plura_governance::Pull;
use plura_oci::{ErrorCode, Reference, RepositoryName, Tag, location};
use plura_registry::{PutManifest, Timestamp};

use super::{Answer, CONTENT_DIGEST, Call, Refusal, refuse};
use crate::{
    body::Body,
    error::ApiError,
    respond::{self, With},
};

/// The digest of what a pushed manifest is about: the registry keeps its referrers.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// A tag that a push by digest set.
const TAG: HeaderName = HeaderName::from_static("oci-tag");

pub(super) async fn get(
    call: Call<'_>,
    repository: RepositoryName,
    reference: Reference,
) -> Answer {
    let found = call.registry.manifest(&repository, &reference).await.map_err(refuse)?;
    let pull = Pull {
        repository: &repository,
        reference: &reference,
        found: &found,
        is_lookup: call.is_lookup(&repository),
    };
    call.state.knowledge.governance.check_pull(&pull).await.map_err(refuse)?;
    call.registry.note_pull(&repository, &found.digest, Timestamp::now());
    let digest = found.digest.to_string();
    let etag = format!("\"{digest}\"");
    let status = if call.has_already(&etag) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let length = found.bytes.len();
    let response = match (status, call.method.as_str()) {
        (StatusCode::OK, "GET") => respond::with_body(status, Body::from(found.bytes)),
        _ => respond::empty(status),
    };
    let response = response
        .with(header::CONTENT_TYPE, &found.media_type)
        .with(CONTENT_DIGEST, &digest)
        .with(header::ETAG, &etag);
    Ok(match status {
        StatusCode::OK => response.with(header::CONTENT_LENGTH, length.to_string()),
        _ => response,
    })
}

pub(super) async fn put(
    call: Call<'_>,
    repository: RepositoryName,
    reference: Reference,
    tags: Vec<Tag>,
) -> Answer {
    let limit = call.registry.settings().manifest_limit;
    let bytes = match call.body.read(limit).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(too_large(limit)),
        Err(error) => {
            let message = format!("the transfer broke off: {error}");
            let code = ErrorCode::ManifestInvalid;
            return Err(refuse(ApiError::new(StatusCode::BAD_REQUEST, code, message)));
        }
    };
    let content_type = call.header(header::CONTENT_TYPE).map(ToOwned::to_owned);
    let put = PutManifest {
        repository: repository.clone(),
        reference,
        tags: tags.clone(),
        content_type,
        bytes,
    };
    let governance = &call.state.knowledge.governance;
    let pushed = governance.push(call.registry, put).await.map_err(refuse)?;
    let path = location::manifest(&repository, &pushed.digest);
    let mut response = respond::empty(StatusCode::CREATED)
        .with(header::LOCATION, call.location(&path))
        .with(CONTENT_DIGEST, pushed.digest.to_string());
    if let Some(subject) = pushed.subject {
        response = response.with(SUBJECT, subject.to_string());
    }
    for tag in &tags {
        response = response.with(TAG, tag.as_str());
    }
    for warning in pushed.warnings.iter().take(MOST_WARNINGS) {
        response = response.with(header::WARNING, warning_text(&warning.to_string()));
    }
    Ok(response)
}

/// Warnings in one answer; together they may have 4096 bytes (distribution-spec, "Warnings").
const MOST_WARNINGS: usize = 4;

/// A warning as clients print it: `299 - "words"` (distribution-spec, "Warnings").
fn warning_text(words: &str) -> String {
    const LONGEST: usize = 900;
    let plain = |c: char| match c {
        '"' => '\'',
        '\\' => '/',
        c if c.is_ascii_graphic() || c == ' ' => c,
        _ => '?',
    };
    let words: String = words.chars().take(LONGEST).map(plain).collect();
    format!("299 - \"{words}\"")
}

fn too_large(limit: u64) -> Refusal {
    let message =
        format!("a manifest has at most {limit} bytes (setting `registry.manifest_limit`)");
    refuse(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, message))
}
