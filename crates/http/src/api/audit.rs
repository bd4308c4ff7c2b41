//! The audit: what was done, and what was refused.

use std::io;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, header};
use plura_access::{Access, AuditEntry, AuditPage, AuditQuery};

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::auth::bad_request;

/// A line of JSON for each entry.
pub(super) const LINES: &str = "application/x-ndjson";

/// Entries that are read at a time for lines.
const AT_A_TIME: u32 = 500;

/// The most entries that can be asked for by number.
const MOST: u32 = 1000;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Verb::Get, "/api/v1/audit", Need::Audit, "audit.read", read).described(
            Description::new("Reads the audit, the newest entry first; as lines, all of it")
                .asks::<AuditQuery>()
                .gives_or_streams::<AuditPage, AuditEntry>(),
        ),
    ]
}

async fn read(call: Call) -> Answer {
    let query: AuditQuery = call.query()?;
    if !wants_lines(&call.head.headers) {
        return ok(&call.access().audit(&query).await?);
    }
    if query.limit.is_some_and(|limit| limit > MOST) {
        return Err(bad_request(&format!(
            "limit: expected 1 to {MOST}; without it, there are all"
        )));
    }
    let rest = query.limit.unwrap_or(u32::MAX);
    let query = AuditQuery { limit: Some(rest.min(AT_A_TIME)), ..query };
    // What is wrong with the query shows now, while there can be another answer.
    let first = call.access().audit(&query).await?;
    Ok(lines(call.access().clone(), query, first, rest))
}

fn wants_lines(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = given.flat_map(|value| value.split(','));
    types.any(|media_type| media_type.split(';').next().is_some_and(|name| name.trim() == LINES))
}

/// Where a stream of lines has got to.
struct Reading {
    access: Access,
    query: AuditQuery,
    page: Option<AuditPage>,
    /// How many more entries are wanted.
    rest: u32,
}

/// One page is in memory at a time, however long the audit is.
fn lines(access: Access, query: AuditQuery, first: AuditPage, rest: u32) -> Response {
    let reading = Reading { access, query, page: Some(first), rest };
    let pages = stream::try_unfold(reading, |mut reading| async move {
        let Some(page) = reading.page.take() else { return Ok(None) };
        let text = text(&page);
        let read = u32::try_from(page.entries.len()).unwrap_or(u32::MAX);
        reading.rest = reading.rest.saturating_sub(read);
        if let Some(next) = page.next.filter(|_| reading.rest > 0) {
            reading.query.before = Some(next);
            reading.query.limit = Some(reading.rest.min(AT_A_TIME));
            reading.page = Some(next_page(&reading).await?);
        }
        Ok::<_, io::Error>(Some((text, reading)))
    });
    ([(header::CONTENT_TYPE, LINES)], Body::from_stream(pages)).into_response()
}

async fn next_page(reading: &Reading) -> io::Result<AuditPage> {
    reading.access.audit(&reading.query).await.map_err(|error| {
        // The connection is cut, so that nobody takes what they have for all there is.
        tracing::error!(%error, "the audit could not be read to its end");
        io::Error::other(error)
    })
}

fn text(page: &AuditPage) -> Bytes {
    let mut text = Vec::new();
    for entry in &page.entries {
        // Writing our own types to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, entry);
        text.push(b'\n');
    }
    text.into()
}
