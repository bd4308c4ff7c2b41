//! The steps of the demo. Each checks what it shows.

use anyhow::{Context, ensure};
use plura_oci::{Digest, media_types};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::image::{Content, Image};

const REPOSITORY: &str = "apps/hello/web";
const TAG: &str = "1.0.0";
const OTHER: &str = "apps/hello/copy";

/// Pushes the image: layers in chunks, the rest in one request each, the index last.
pub(super) async fn push(client: &Client<'_>) -> anyhow::Result<Image> {
    let image = Image::build()?;
    client.tell("Push an image for two platforms, its layers in three chunks each")?;
    client.same_as(
        "skopeo copy --all --dest-tls-verify=false oci:./image docker://HOST/apps/hello/web:1.0.0",
    )?;
    for platform in &image.platforms {
        push_in_chunks(client, &platform.layer).await?;
        push_whole(client, &platform.config).await?;
        let digest = platform.manifest.digest.to_string();
        put_manifest(client, &digest, &platform.manifest).await?;
    }
    put_manifest(client, TAG, &image.index).await?;
    Ok(image)
}

/// Pulls by tag, then by digest, as a client does: index, manifest, layers.
pub(super) async fn pull(client: &Client<'_>, image: &Image) -> anyhow::Result<()> {
    client.tell("Pull it by tag and by digest; every byte is compared")?;
    client.same_as(&format!("docker pull HOST/{REPOSITORY}:{TAG}"))?;
    get_manifest(client, TAG, &image.index.digest).await?;
    get_manifest(client, &image.index.digest.to_string(), &image.index.digest).await?;
    for platform in &image.platforms {
        let digest = &platform.manifest.digest;
        get_manifest(client, &digest.to_string(), digest).await?;
        let layer = &platform.layer.digest;
        client.fetch(Ask::new(Method::GET, blob(layer), StatusCode::OK), Some(layer)).await?;
    }
    client.tell("A part of a layer, as clients that resume ask for it")?;
    let layer = &image.platforms[0].layer;
    let ask = Ask::new(Method::GET, blob(&layer.digest), StatusCode::PARTIAL_CONTENT);
    let part = client.fetch(ask.header("Range", "bytes=512-1023"), None).await?;
    ensure!(part == layer.bytes[512..1024], "not the bytes that were asked for");
    Ok(())
}

/// Attaches a bill of materials to the image, and finds it there; mounts a layer elsewhere.
pub(super) async fn attach(client: &Client<'_>, image: &Image) -> anyhow::Result<()> {
    client.tell("Attach a bill of materials to the image, and find it by the image's digest")?;
    client.same_as(&format!("oras discover --plain-http HOST/{REPOSITORY}:{TAG}"))?;
    let (empty, document, artifact) = image.bill_of_materials();
    push_whole(client, &empty).await?;
    push_whole(client, &document).await?;
    put_manifest(client, &artifact.digest.to_string(), &artifact).await?;
    ensure!(referrers(client, image).await? == [artifact.digest.to_string()], "not attached");

    client.tell("Use a layer in another repository without sending it again")?;
    let layer = image.platforms[0].layer.digest;
    let path = format!("/v2/{OTHER}/blobs/uploads/?mount={layer}&from={REPOSITORY}");
    client.ask(Ask::new(Method::POST, path, StatusCode::CREATED)).await?;
    Ok(())
}

/// Lists tags and repositories.
pub(super) async fn list(client: &Client<'_>) -> anyhow::Result<()> {
    client.tell("List tags and repositories")?;
    client.same_as(&format!("skopeo list-tags --tls-verify=false docker://HOST/{REPOSITORY}"))?;
    let tags = read(client, &format!("/v2/{REPOSITORY}/tags/list?n=100")).await?;
    ensure!(tags["tags"] == json!([TAG]), "the tag is not listed: {tags}");
    let catalog = read(client, "/v2/_catalog").await?;
    ensure!(catalog["repositories"] == json!([OTHER, REPOSITORY]), "not listed: {catalog}");
    Ok(())
}

/// After a restart everything is there.
pub(super) async fn survive(client: &Client<'_>, image: &Image) -> anyhow::Result<()> {
    client.tell("The server was stopped and started again; the image is there")?;
    get_manifest(client, TAG, &image.index.digest).await?;
    Ok(())
}

/// Collects nothing while the image is needed, and all of it when it is not.
pub(super) async fn collect(client: &Client<'_>, image: &Image) -> anyhow::Result<()> {
    client.tell(
        "Collect: only the layer that was mounted and never used goes, by link, not by byte",
    )?;
    client.same_as("plura reg gc --dry-run --server http://HOST")?;
    let planned = gc(client, true).await?;
    let done = gc(client, false).await?;
    ensure!(planned["items"] == done["items"], "the run differs from its rehearsal");
    ensure!(done["blobs"] == 0 && done["links"] == 1, "collected what is needed: {done}");
    for platform in &image.platforms {
        let layer = &platform.layer.digest;
        client.fetch(Ask::new(Method::GET, blob(layer), StatusCode::OK), Some(layer)).await?;
    }

    client.tell("Delete the tag; the image, its attachment and its bytes are collected")?;
    client
        .same_as(&format!("skopeo delete --tls-verify=false docker://HOST/{REPOSITORY}:{TAG}"))?;
    let path = format!("/v2/{REPOSITORY}/manifests/{TAG}");
    client.ask(Ask::new(Method::DELETE, path, StatusCode::ACCEPTED)).await?;
    let planned = gc(client, true).await?;
    let done = gc(client, false).await?;
    ensure!(planned["bytes"] == done["bytes"], "the run differs from its rehearsal");
    ensure!(done["manifests"] == 4 && done["blobs"] == 6, "not everything was collected: {done}");
    let path = format!("/v2/{REPOSITORY}/manifests/{}", image.index.digest);
    client.ask(Ask::new(Method::HEAD, path, StatusCode::NOT_FOUND)).await?;
    client.tell(&format!("{} bytes were given back", done["bytes"]))
}

async fn push_in_chunks(client: &Client<'_>, content: &Content) -> anyhow::Result<()> {
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let mut session = client.ask(Ask::new(Method::POST, path, StatusCode::ACCEPTED)).await?;
    let size = content.bytes.len().div_ceil(3);
    for (number, chunk) in content.bytes.chunks(size).enumerate() {
        let start = number * size;
        let range = format!("{start}-{}", start + chunk.len() - 1);
        let ask = Ask::new(Method::PATCH, location(&session)?, StatusCode::ACCEPTED);
        session = client.ask(ask.header("Content-Range", range).body(chunk)).await?;
    }
    let path = format!("{}?digest={}", location(&session)?, content.digest);
    client.ask(Ask::new(Method::PUT, path, StatusCode::CREATED)).await?;
    Ok(())
}

async fn push_whole(client: &Client<'_>, content: &Content) -> anyhow::Result<()> {
    let path = format!("/v2/{REPOSITORY}/blobs/uploads/?digest={}", content.digest);
    let ask = Ask::new(Method::POST, path, StatusCode::CREATED);
    client.ask(ask.body(content.bytes.clone())).await?;
    Ok(())
}

async fn put_manifest(
    client: &Client<'_>,
    reference: &str,
    content: &Content,
) -> anyhow::Result<()> {
    let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let ask = Ask::new(Method::PUT, path, StatusCode::CREATED);
    client.ask(ask.header("Content-Type", content.media_type).body(content.bytes.clone())).await?;
    Ok(())
}

async fn get_manifest(
    client: &Client<'_>,
    reference: &str,
    digest: &Digest,
) -> anyhow::Result<Vec<u8>> {
    let path = format!("/v2/{REPOSITORY}/manifests/{reference}");
    let accept = format!("{}, {}", media_types::OCI_INDEX, media_types::OCI_MANIFEST);
    let ask = Ask::new(Method::GET, path, StatusCode::OK).header("Accept", accept);
    client.fetch(ask, Some(digest)).await
}

async fn referrers(client: &Client<'_>, image: &Image) -> anyhow::Result<Vec<String>> {
    let path = format!("/v2/{REPOSITORY}/referrers/{}", image.index.digest);
    let answer = read(client, &path).await?;
    let entries = answer["manifests"].as_array().context("no list of referrers")?;
    Ok(entries.iter().filter_map(|entry| entry["digest"].as_str()).map(str::to_owned).collect())
}

async fn gc(client: &Client<'_>, dry_run: bool) -> anyhow::Result<Value> {
    let body = json!({ "dry_run": dry_run }).to_string();
    let ask = Ask::new(Method::POST, "/v1/registry/gc", StatusCode::OK);
    let ask = ask.header("Content-Type", "application/json").body(body);
    parse(&client.fetch(ask, None).await?)
}

async fn read(client: &Client<'_>, path: &str) -> anyhow::Result<Value> {
    parse(&client.fetch(Ask::new(Method::GET, path, StatusCode::OK), None).await?)
}

fn parse(bytes: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(bytes).context("the answer is not JSON")
}

fn blob(digest: &Digest) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

fn location(response: &reqwest::Response) -> anyhow::Result<String> {
    let location = response.headers().get("location").context("no Location in the answer")?;
    Ok(location.to_str().context("Location is not text")?.to_owned())
}
