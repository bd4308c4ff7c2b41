//! The requests of a registry client, each with its one acceptable status.

use anyhow::{Context as _, Result};

use crate::content::Content;
use crate::http::{Connection, Request, Response};
use crate::image::Image;

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Pushes a blob as most clients do: POST, then everything in one PUT.
pub(crate) fn push_content(
    connection: &mut Connection,
    repository: &str,
    content: &Content,
) -> Result<()> {
    push_slices(connection, repository, &content.digest, &content.slices(0..content.size())?)
}

/// Pushes bytes that are already in one piece.
pub(crate) fn push_bytes(
    connection: &mut Connection,
    repository: &str,
    digest: &str,
    bytes: &[u8],
) -> Result<()> {
    push_slices(connection, repository, digest, &[bytes])
}

/// Pushes a blob in PATCH requests of equal size, then an empty PUT.
pub(crate) fn push_in_chunks(
    connection: &mut Connection,
    repository: &str,
    content: &Content,
    chunks: u64,
) -> Result<()> {
    let mut location = start_upload(connection, repository)?;
    for chunk in 0..chunks {
        let (start, end) = (content.size() * chunk / chunks, content.size() * (chunk + 1) / chunks);
        let range = format!("{start}-{}", end - 1);
        let request = Request {
            method: "PATCH",
            target: &location,
            headers: &[("Content-Type", "application/octet-stream"), ("Content-Range", &range)],
            body: &content.slices(start..end)?,
        };
        location = location_of(&connection.expect(202, &request)?)?;
    }
    finish_upload(connection, &location, &content.digest, &[])
}

/// Pushes an image under its tag.
pub(crate) fn push_image(
    connection: &mut Connection,
    repository: &str,
    image: &Image,
) -> Result<()> {
    for blob in [&image.config, &image.layer] {
        push_bytes(connection, repository, &blob.digest, &blob.bytes)?;
    }
    put_manifest(connection, repository, &image.tag, &image.manifest.bytes)
}

/// Puts a manifest under a tag or its digest.
pub(crate) fn put_manifest(
    connection: &mut Connection,
    repository: &str,
    reference: &str,
    bytes: &[u8],
) -> Result<()> {
    let request = Request {
        method: "PUT",
        target: &format!("/v2/{repository}/manifests/{reference}"),
        headers: &[("Content-Type", MANIFEST_TYPE)],
        body: &[bytes],
    };
    connection.expect(201, &request).map(drop)
}

/// Makes a blob of one repository readable in another.
pub(crate) fn mount(
    connection: &mut Connection,
    repository: &str,
    from: &str,
    digest: &str,
) -> Result<()> {
    let target = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
    let request = Request { method: "POST", target: &target, ..Request::default() };
    connection.expect(201, &request).map(drop)
}

/// Deletes a manifest by its digest.
pub(crate) fn delete_manifest(
    connection: &mut Connection,
    repository: &str,
    digest: &str,
) -> Result<()> {
    let target = format!("/v2/{repository}/manifests/{digest}");
    let request = Request { method: "DELETE", target: &target, ..Request::default() };
    connection.expect(202, &request).map(drop)
}

fn push_slices(
    connection: &mut Connection,
    repository: &str,
    digest: &str,
    slices: &[&[u8]],
) -> Result<()> {
    let location = start_upload(connection, repository)?;
    finish_upload(connection, &location, digest, slices)
}

fn start_upload(connection: &mut Connection, repository: &str) -> Result<String> {
    let target = format!("/v2/{repository}/blobs/uploads/");
    let request = Request { method: "POST", target: &target, ..Request::default() };
    location_of(&connection.expect(202, &request)?)
}

fn finish_upload(
    connection: &mut Connection,
    location: &str,
    digest: &str,
    slices: &[&[u8]],
) -> Result<()> {
    let separator = if location.contains('?') { '&' } else { '?' };
    let request = Request {
        method: "PUT",
        target: &format!("{location}{separator}digest={digest}"),
        headers: &[("Content-Type", "application/octet-stream")],
        body: slices,
    };
    connection.expect(201, &request).map(drop)
}

fn location_of(response: &Response) -> Result<String> {
    let location = response.head.header("location").context("the answer has no Location")?;
    Ok(path_of(location).to_owned())
}

/// Registries give the location with or without scheme and host.
fn path_of(location: &str) -> &str {
    let Some((_, behind_scheme)) = location.split_once("://") else { return location };
    behind_scheme.find('/').map_or("/", |slash| &behind_scheme[slash..])
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn locations_with_and_without_host_lead_to_the_same_path() {
        assert_eq!(path_of("/v2/a/blobs/uploads/1?x=y"), "/v2/a/blobs/uploads/1?x=y");
        assert_eq!(path_of("http://127.0.0.1:5/v2/a?x=http"), "/v2/a?x=http");
    }
}
