use std::time::Duration;

use http::{Method, StatusCode, header};
use plura_blob::BlobObject;
use plura_oci::{ByteRange, Digest, ErrorCode, RepositoryName};
use plura_registry::{Error, Opened};

use super::{Answer, CONTENT_DIGEST, Call, Refusal, refuse};
use crate::{
    body::{Body, FileSlice},
    error::ApiError,
    respond::{self, With},
};

pub(super) async fn get(call: Call<'_>, repository: RepositoryName, digest: Digest) -> Answer {
    let registry = call.registry;
    let content = registry.blob(&repository, &digest).await.map_err(refuse)?;
    let etag = format!("\"{digest}\"");
    if call.has_already(&etag) {
        return Ok(respond::empty(StatusCode::NOT_MODIFIED)
            .with(CONTENT_DIGEST, digest.to_string())
            .with(header::ETAG, &etag));
    }
    let opened = match *call.method {
        Method::HEAD => None,
        _ => Some(registry.open_blob(&content).await.map_err(refuse)?),
    };
    let redirect = &call.state.options.redirect;
    if let Some(Opened::Object(object)) = &opened
        && redirect.applies_to(content.redirect, call.address)
    {
        return redirected(object, redirect.expires, &digest).await;
    }
    let range = wanted_range(call, &etag, content.size)?;
    let whole = ByteRange { start: 0, end: content.size };
    let ByteRange { start, end } = range.unwrap_or(whole);
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = match opened {
        Some(Opened::File(opened)) if start < end => {
            respond::with_body(status, Body::file(FileSlice { file: opened.file, start, end }))
        }
        Some(Opened::Object(object)) if start < end => {
            let stream = registry.read_object(&content, &object, start..end).await;
            respond::with_body(status, Body::object(stream.map_err(refuse)?, end - start))
        }
        _ => respond::empty(status),
    };
    if let Some(range) = range {
        response = response.with(header::CONTENT_RANGE, range.content_range(content.size));
    }
    Ok(response
        .with(header::CONTENT_LENGTH, (end - start).to_string())
        .with(header::CONTENT_TYPE, "application/octet-stream")
        .with(header::ACCEPT_RANGES, "bytes")
        // The content of a digest never changes; who may read it does, so only the client may keep it.
        .with(header::CACHE_CONTROL, "private, max-age=31536000, immutable")
        .with(header::ETAG, &etag)
        .with(CONTENT_DIGEST, digest.to_string()))
}

/// Sends the client to the object store, which has the bytes. Clients compare the digest.
async fn redirected(object: &BlobObject, expires: Duration, digest: &Digest) -> Answer {
    let url = object.signed_url(expires).await.map_err(|error| refuse(Error::from(error)))?;
    Ok(respond::empty(StatusCode::TEMPORARY_REDIRECT)
        .with(header::LOCATION, url)
        // The address is a credential, and ends.
        .with(header::CACHE_CONTROL, "no-store")
        .with(CONTENT_DIGEST, digest.to_string()))
}

/// The part that the client wants. A HEAD is about the whole (RFC 9110, "Range").
fn wanted_range(call: Call<'_>, etag: &str, size: u64) -> Result<Option<ByteRange>, Refusal> {
    // A part of something else is of no use to a client that resumes (RFC 9110, "If-Range").
    let same = call.header(header::IF_RANGE).is_none_or(|expected| expected.trim() == etag);
    let header = call.header(header::RANGE).filter(|_| same && call.method == Method::GET);
    header.map_or(Ok(None), |header| ByteRange::parse(header, size)).map_err(|error| {
        let code = ErrorCode::RangeInvalid;
        let refused = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, code, error.to_string());
        Box::new(refuse(refused).with(header::CONTENT_RANGE, format!("bytes */{size}")))
    })
}
