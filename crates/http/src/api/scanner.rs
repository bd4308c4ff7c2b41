//! The open API of pluggable scanners, version 1, as Harbor speaks it: plura as a scanner of what it has.
//!
//! Nothing is begun or kept by a scan. Its name says what it is about, and its report is made when it is asked
//! for, from what is known then: by any process, and also after a restart.

use axum::{Json, response::IntoResponse};
use http::{HeaderValue, StatusCode, header};
use plura_contents::SbomFormat;
use plura_oci::{Digest, ErrorCode, Reference, RepositoryName};
use plura_policy::Permission;
use plura_registry::{Error as RegistryError, ImageError, ImageQuery};
use plura_vulnerabilities::{
    Scanner,
    harbor::{
        Artifact, ErrorMessage, ErrorResponse, SbomReport, ScanRequest, ScanResponse, media_types,
    },
};
use serde::Serialize;

use super::{
    authorise::{Need, repository as permit},
    call::{Answer, Call, media_type},
    route::{Route, Verb},
};
use crate::{
    auth::{bad_request, json_body},
    error::ApiError,
};

/// The longest name of a scan: the longest repository and digest, in hexadecimal.
const LONGEST_NAME: usize = 1024;
const EXPECTED: &str = r#"{"registry": {"url": "https://registry.example.com"}, "artifact": {"repository": "apps/web", "digest": "sha256:..."}}"#;

pub(super) fn routes() -> Vec<Route> {
    const SCAN: &str = "/scanner/api/v1/scan";
    const REPORT: &str = "/scanner/api/v1/scan/{scan}/report";
    vec![
        Route::new(
            Verb::Get,
            "/scanner/api/v1/metadata",
            Need::Login,
            "scanner.metadata",
            metadata,
        ),
        Route::new(Verb::Post, SCAN, Need::Scan, "scanner.scan", scan),
        Route::new(Verb::Get, REPORT, Need::Scan, "scanner.report", report),
    ]
}

async fn metadata(call: Call) -> Answer {
    let metadata = call.state.knowledge.vulnerabilities.adapter_metadata(scanner()).await?;
    Ok(answer(StatusCode::OK, media_types::METADATA, &metadata))
}

async fn scan(call: Call) -> Answer {
    let request = request(&call)?;
    let repository: RepositoryName = parsed("artifact.repository", &request.artifact.repository)?;
    let digest: Digest = parsed("artifact.digest", &request.artifact.digest)?;
    permit(&call, Permission::Pull, &repository).await?;
    let query = query(&repository, digest);
    match call.state.registry.image_manifest(&query).await {
        Ok(_) => {
            let accepted = ScanResponse { id: name_of(&repository, &digest) };
            Ok(answer(StatusCode::ACCEPTED, media_types::SCAN_RESPONSE, &accepted))
        }
        Err(ImageError::Registry(error)) if !is_unknown(&error) => Err(error.into()),
        Err(error) => {
            let message = format!("{error}: this scanner looks into images that it has itself");
            let refused = ErrorResponse { error: ErrorMessage { message } };
            Ok(answer(StatusCode::UNPROCESSABLE_ENTITY, media_types::ERROR, &refused))
        }
    }
}

async fn report(call: Call) -> Answer {
    let name: String = call.parameter("scan")?;
    let Some((repository, digest)) = scan_of(&name) else {
        let message = "there is no such scan";
        return Err(ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message));
    };
    permit(&call, Permission::Pull, &repository).await?;
    let accept = call.head.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let accept = accept.unwrap_or_default();
    if accept.starts_with("application/vnd.security.sbom.report+json") {
        return sbom(&call, &repository, digest).await;
    }
    let is_old = accept.starts_with("application/vnd.scanner.adapter.vuln.report.harbor+json");
    let form = if is_old { media_types::REPORT_1_0 } else { media_types::REPORT };
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    let report = vulnerabilities.adapter_report(&repository, &digest, scanner()).await?;
    Ok(answer(StatusCode::OK, form, &report))
}

async fn sbom(call: &Call, repository: &RepositoryName, digest: Digest) -> Answer {
    let wanted = call.asked::<String>("sbom_media_type")?;
    let is_cyclonedx = wanted.is_some_and(|wanted| wanted.contains("cyclonedx"));
    let format = if is_cyclonedx { SbomFormat::CycloneDx } else { SbomFormat::Spdx };
    let sbom = call.state.knowledge.contents.sbom(&query(repository, digest), format).await?;
    let artifact = Artifact {
        repository: repository.to_string(),
        digest: digest.to_string(),
        ..Artifact::default()
    };
    let report = SbomReport {
        generated_at: jiff::Timestamp::now(),
        artifact,
        scanner: scanner(),
        media_type: format.media_type().to_owned(),
        sbom: serde_json::from_slice(&sbom.bytes).unwrap_or_default(),
    };
    Ok(answer(StatusCode::OK, media_types::SBOM, &report))
}

fn request(call: &Call) -> Result<ScanRequest, ApiError> {
    // A page of another site cannot say so without being asked for permission first (CORS).
    let given = media_type(&call.head.headers).unwrap_or_default();
    let known = media_types::SCAN_REQUEST.split(';').next().unwrap_or_default();
    if ![known, "application/json"].iter().any(|known| given.eq_ignore_ascii_case(known)) {
        return Err(bad_request(&format!("expected a `Content-Type` of `{known}`")));
    }
    json_body(call.body.as_ref().map_err(|unread| ApiError::from(*unread))?, EXPECTED)
}

fn is_unknown(error: &RegistryError) -> bool {
    matches!(error, RegistryError::RepositoryUnknown(_) | RegistryError::ManifestUnknown(_))
}

fn query(repository: &RepositoryName, digest: Digest) -> ImageQuery {
    let reference = Reference::Digest(digest);
    ImageQuery { repository: repository.clone(), reference, platform: None }
}

fn scanner() -> Scanner {
    Scanner {
        name: "plura".into(),
        vendor: "plura".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

/// The name of a scan: what it is about, in characters that stand in any path.
fn name_of(repository: &RepositoryName, digest: &Digest) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let text = format!("{repository}@{digest}");
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn scan_of(name: &str) -> Option<(RepositoryName, Digest)> {
    if name.len() > LONGEST_NAME || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..name.len()).step_by(2).map(|at| name.get(at..at + 2));
    let bytes: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    let (repository, digest) = text.split_once('@')?;
    Some((repository.parse().ok()?, digest.parse().ok()?))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, ApiError> {
    text.parse().map_err(|error| bad_request(&format!("{field}: {error}")))
}

fn answer(
    status: StatusCode,
    form: &'static str,
    value: &impl Serialize,
) -> axum::response::Response {
    let mut response = (status, Json(value)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_scan_says_what_it_is_about() {
        let (repository, digest) = ("apps/web".parse().unwrap(), Digest::sha256(b"manifest"));
        let name = name_of(&repository, &digest);
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(scan_of(&name), Some((repository, digest)));
        for wrong in ["", "6", "zz", "61", "+1+1", "6170707340", &"61".repeat(LONGEST_NAME)] {
            assert_eq!(scan_of(wrong), None, "{wrong}");
        }
    }
}
