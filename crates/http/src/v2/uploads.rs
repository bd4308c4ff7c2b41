use http::{HeaderName, Response, StatusCode, header};
use plura_oci::{Algorithm, ContentRange, Digest, ErrorCode, RepositoryName, UploadId, location};
use plura_registry::{Chunk, Claim, Error, MountFrom, StartedUpload};

use super::{Answer, CONTENT_DIGEST, Call, Refusal, refuse};
use crate::{
    body::Body,
    error::ApiError,
    respond::{self, With},
};

/// The least size of a chunk (distribution-spec, "Pushing a blob in chunks").
const MINIMUM_CHUNK: HeaderName = HeaderName::from_static("oci-chunk-min-length");
/// The session's identifier by itself; clients of the reference registry log it.
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

pub(super) async fn start(
    call: Call<'_>,
    repository: RepositoryName,
    algorithm: Algorithm,
) -> Answer {
    let id = call.registry.start_upload(&repository, algorithm).await.map_err(refuse)?;
    Ok(session(call, StatusCode::ACCEPTED, &repository, &id, 0))
}

pub(super) async fn whole(call: Call<'_>, repository: RepositoryName, digest: Digest) -> Answer {
    let chunk = chunk(call)?;
    call.registry.push_blob(&repository, &digest, chunk).await.map_err(refuse)?;
    Ok(created(call, &repository, &digest))
}

pub(super) async fn mount(
    call: Call<'_>,
    repository: RepositoryName,
    digest: Digest,
    from: MountFrom,
) -> Answer {
    let mounted = call.registry.mount(&repository, &digest, from).await;
    match mounted.map_err(refuse)? {
        StartedUpload::Mounted => Ok(created(call, &repository, &digest)),
        StartedUpload::Session(id) => Ok(session(call, StatusCode::ACCEPTED, &repository, &id, 0)),
    }
}

pub(super) async fn status(call: Call<'_>, repository: RepositoryName, id: UploadId) -> Answer {
    let offset = call.registry.upload_offset(&repository, &id).await.map_err(refuse)?;
    Ok(session(call, StatusCode::NO_CONTENT, &repository, &id, offset))
}

pub(super) async fn append(call: Call<'_>, repository: RepositoryName, id: UploadId) -> Answer {
    let chunk = chunk(call)?;
    let appended = call.registry.append_upload(&repository, &id, chunk).await;
    let offset = appended.map_err(|error| refuse_chunk(call, &repository, &id, error))?;
    Ok(session(call, StatusCode::ACCEPTED, &repository, &id, offset))
}

pub(super) async fn finish(
    call: Call<'_>,
    repository: RepositoryName,
    id: UploadId,
    digest: Digest,
) -> Answer {
    let chunk = chunk(call)?;
    let finished = call.registry.finish_upload(&repository, &id, &digest, chunk).await;
    finished.map_err(|error| refuse_chunk(call, &repository, &id, error))?;
    Ok(created(call, &repository, &digest))
}

/// The body of the request, with what its headers say about it.
fn chunk(call: Call<'_>) -> Result<Chunk, Refusal> {
    let range = call.header(header::CONTENT_RANGE).map(str::parse::<ContentRange>);
    let range = range.transpose().map_err(refuse)?;
    let length = call.header(header::CONTENT_LENGTH).map(str::parse::<u64>).transpose();
    let length = length.map_err(|_| {
        let message = "Content-Length must be a number of bytes";
        refuse(ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::SizeInvalid, message))
    })?;
    Ok(Chunk { claim: Claim { range, length }, body: call.body.stream() })
}

/// Where the session is and how far: what a client needs to go on.
fn session(
    call: Call<'_>,
    status: StatusCode,
    repository: &RepositoryName,
    id: &UploadId,
    offset: u64,
) -> Response<Body> {
    let response = respond::empty(status)
        .with(header::LOCATION, call.location(&location::upload(repository, id)))
        .with(header::RANGE, location::upload_range(offset))
        .with(UPLOAD_UUID, id.as_str());
    match call.registry.settings().minimum_chunk {
        0 => response,
        minimum => response.with(MINIMUM_CHUNK, minimum.to_string()),
    }
}

fn created(call: Call<'_>, repository: &RepositoryName, digest: &Digest) -> Response<Body> {
    respond::empty(StatusCode::CREATED)
        .with(header::LOCATION, call.location(&location::blob(repository, digest)))
        .with(CONTENT_DIGEST, digest.to_string())
}

/// A chunk at the wrong place is answered with the right one.
fn refuse_chunk(
    call: Call<'_>,
    repository: &RepositoryName,
    id: &UploadId,
    error: Error,
) -> Refusal {
    let Error::UploadOutOfOrder { offset, .. } = error else { return refuse(error) };
    let refused = refuse(error)
        .with(header::LOCATION, call.location(&location::upload(repository, id)))
        .with(header::RANGE, location::upload_range(offset));
    Box::new(refused)
}
