use http::{Method, StatusCode, header};
use plura_oci::{ByteRange, Digest, ErrorCode, RepositoryName};

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
    let range = wanted_range(call, &etag, content.size)?;
    let whole = ByteRange { start: 0, end: content.size };
    let ByteRange { start, end } = range.unwrap_or(whole);
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = if call.method == Method::HEAD || start == end {
        respond::empty(status)
    } else {
        let opened = registry.open_blob(&content).await.map_err(refuse)?;
        respond::with_body(status, Body::file(FileSlice { file: opened.file, start, end }))
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
