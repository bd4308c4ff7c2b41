//! What happens, as it happens: pages of JSON, or server-sent events.

use std::io;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use plura_events::{Event, EventPage, EventQuery, Follower};

use super::{
    answer::ok,
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

/// Events as they happen (HTML, "Server-sent events").
const STREAM: &str = "text/event-stream";

/// What a client that comes back sends of what it has.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Verb::Get, "/api/v1/events", Need::Audit, "event.list", events).described(
            Description::new(
                "Lists what happened, the oldest first; as `text/event-stream`, also what happens \
                 from now on, behind `Last-Event-ID` if that is sent",
            )
            .asks::<EventQuery>()
            .gives_or::<EventPage>(STREAM),
        ),
    ]
}

async fn events(call: Call) -> Answer {
    let query: EventQuery = call.query()?;
    let events = &call.state.knowledge.events;
    if !wants_stream(&call.head.headers) {
        return ok(&events.page(&query).await?);
    }
    let last = last_event_id(&call.head.headers)?;
    Ok(stream_of(events.follow(&query, last).await?))
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let given = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut types = given.flat_map(|value| value.split(','));
    types.any(|media_type| media_type.split(';').next().is_some_and(|name| name.trim() == STREAM))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let wrong = || bad_request("Last-Event-ID: expected the id of an event, which is a number");
    id.filter(|id| *id >= 0).map(Some).ok_or_else(wrong)
}

fn stream_of(follower: Follower) -> Response {
    // An id alone is no event, and what a client comes back with that has seen none.
    let first = format!("id: {}\nretry: 1000\n\n", follower.position());
    let state = (follower, Some(Bytes::from(first)));
    let told = stream::try_unfold(state, |(mut follower, first)| async move {
        if let Some(first) = first {
            return Ok(Some((first, (follower, None))));
        }
        match follower.next().await {
            Ok(Some(events)) => Ok(Some((text(&events), (follower, None)))),
            Ok(None) => Ok(None),
            Err(error) => {
                tracing::error!(%error, "events cannot be followed");
                Err(io::Error::other(error))
            }
        }
    });
    let mut response = Body::from_stream(told).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect answers would hold events back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Events with their ids; nothing is a comment, which keeps the connection open.
fn text(events: &[Event]) -> Bytes {
    if events.is_empty() {
        return Bytes::from_static(b":\n\n");
    }
    let mut text = Vec::new();
    for event in events {
        // Types are plain words, and JSON has no line breaks of its own.
        text.extend_from_slice(
            format!("id: {}\nevent: {}\ndata: ", event.id, event.r#type).as_bytes(),
        );
        // Writing our own types to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, event);
        text.extend_from_slice(b"\n\n");
    }
    text.into()
}
