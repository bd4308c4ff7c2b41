use http::{HeaderName, Response, StatusCode, header};
use jiff::Timestamp;
use plura_oci::{Digest, HistoryPage, Page, RepositoryName, Tag, media_types};
use plura_registry::Readable;
use serde_json::{Value, json};

use super::{Answer, Call, next_page, refuse};
use crate::{
    body::Body,
    error::ApiError,
    respond::{self, With},
};

/// Says that the answer holds only what was asked for (distribution-spec, "Listing Referrers").
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

pub(super) async fn repositories(call: Call<'_>, page: Page, readable: &Readable) -> Answer {
    let found = call.registry.repositories(&page, readable).await.map_err(refuse)?;
    let response = respond::json(StatusCode::OK, &json!({ "repositories": &found.names }));
    match found.names.last().filter(|_| found.more) {
        Some(last) => {
            Ok(response.with(header::LINK, next_page("/v2/_catalog", last, page.limit, None)))
        }
        None => Ok(response),
    }
}

pub(super) async fn tags(call: Call<'_>, repository: RepositoryName, page: Page) -> Answer {
    let found = call.registry.tags(&repository, &page).await.map_err(refuse)?;
    let governance = &call.state.knowledge.governance;
    let shown = governance.without_blocked(&repository, found.names.clone()).await;
    let body = json!({ "name": &repository, "tags": shown.map_err(refuse)? });
    let response = respond::json(StatusCode::OK, &body);
    match found.names.last().filter(|_| found.more) {
        Some(last) => {
            let path = format!("/v2/{repository}/tags/list");
            Ok(response.with(header::LINK, next_page(&path, last, page.limit, None)))
        }
        None => Ok(response),
    }
}

/// What a tag pointed at: an index whose descriptors say when, and whether the tag came or went. As drafted
/// for the distribution specification (`extensions/_oci.md`, "Component: `tag-history`", of its pull request
/// 606): unknown repositories and tags have an empty history, so that 404 is only said by registries that have
/// no such endpoint.
pub(super) async fn tag_history(
    call: Call<'_>,
    repository: RepositoryName,
    tag: Tag,
    page: HistoryPage,
) -> Answer {
    let found = call.registry.tag_history(&repository, &tag, &page).await.map_err(refuse)?;
    let instant = |at: i64| Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX);
    let entries = found.entries.iter().map(|entry| {
        json!({
            "mediaType": entry.media_type,
            "size": entry.size,
            "digest": entry.digest,
            "annotations": {
                "org.opencontainers.distribution.tag.timestamp": instant(entry.at.0).to_string(),
                "org.opencontainers.distribution.tag.event":
                    if entry.deleted { "deleted" } else { "created" },
            },
        })
    });
    let response = index(&json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_INDEX,
        "manifests": entries.collect::<Vec<_>>(),
    }));
    let Some(last) = found.entries.last().filter(|_| found.more) else { return Ok(response) };
    let next = HistoryPage { before: Some(instant(last.at.0)), ..page };
    let path = format!("/v2/{repository}/_oci/tag-history/{tag}");
    let link = format!("<{path}?{}>; rel=\"next\"", next.to_query());
    Ok(response.with(header::LINK, link))
}

fn index(index: &Value) -> Response<Body> {
    let mut response = respond::json(StatusCode::OK, index);
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.with(header::CONTENT_TYPE, media_types::OCI_INDEX)
}

pub(super) async fn referrers(
    call: Call<'_>,
    repository: RepositoryName,
    subject: Digest,
    artifact_type: Option<String>,
    page: Page,
) -> Answer {
    let filter = artifact_type.as_deref();
    let found = call.registry.referrers(&repository, &subject, filter, &page).await;
    let found = found.map_err(|error| refuse(ApiError::from(error).or_unavailable()))?;
    let mut response = index(&json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_INDEX,
        "manifests": &found.descriptors,
    }));
    if filter.is_some() {
        response = response.with(FILTERS_APPLIED, "artifactType");
    }
    if let Some(last) = found.descriptors.last().filter(|_| found.more) {
        let path = format!("/v2/{repository}/referrers/{subject}");
        let link = next_page(&path, &last.digest.to_string(), page.limit, filter);
        response = response.with(header::LINK, link);
    }
    Ok(response)
}
