use crate::{Digest, RepositoryName, UploadId};

/// Where a manifest is.
pub fn manifest(repository: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{repository}/manifests/{digest}")
}

/// Where a blob is.
pub fn blob(repository: &RepositoryName, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

/// Where an upload session goes on.
pub fn upload(repository: &RepositoryName, upload: &UploadId) -> String {
    format!("/v2/{repository}/blobs/uploads/{upload}")
}

/// `Range` of an upload session that holds `offset` bytes; the inclusive form has no way to say
/// "none", so an empty session prints as `0-0`, as the reference registry does.
pub fn upload_range(offset: u64) -> String {
    format!("0-{}", offset.max(1) - 1)
}
