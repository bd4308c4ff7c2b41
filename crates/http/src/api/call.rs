//! A request to the API, taken apart: who sends it, what its path, query and body say.

use std::{
    fmt::Display,
    io,
    net::IpAddr,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{body::Body, extract::Query, response::Response};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, TryStreamExt};
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use plura_access::{Access, Caller};
use plura_oci::ErrorCode;
use serde::de::DeserializeOwned;

use super::authorise;
use crate::{
    app::State,
    auth::{bad_request, json_body},
    error::ApiError,
};

/// How a handler answers.
pub(crate) type Answer = Result<Response, ApiError>;

/// A request whose sender is known.
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    /// On whose behalf everything is done.
    pub(crate) caller: Caller,
    /// The other end of the connection.
    pub(super) address: IpAddr,
    /// What the request is called in the audit.
    pub(super) action: &'static str,
    pub(super) head: Parts,
    /// What stands in the path's placeholders.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) body: Result<Bytes, Unread>,
    /// A body that is read as it comes.
    pub(super) rest: Mutex<Option<Body>>,
}

impl Call {
    pub(crate) fn access(&self) -> &Access {
        &self.state.access
    }

    /// What stands in a placeholder of the path.
    pub(crate) fn parameter<T>(&self, name: &'static str) -> Result<T, ApiError>
    where
        T: FromStr<Err: Display>,
    {
        // A route without the placeholder is a mistake of ours, which its tests find.
        self.named(name)?.ok_or_else(|| bad_request(&format!("expected {name} in the path")))
    }

    /// The same where the path may have no such placeholder.
    pub(super) fn named<T>(&self, name: &'static str) -> Result<Option<T>, ApiError>
    where
        T: FromStr<Err: Display>,
    {
        let found = self.parameters.iter().find(|(placeholder, _)| placeholder == name);
        parse(name, found.map(|(_, text)| text.as_str()))
    }

    /// A parameter of the query.
    pub(super) fn asked<T>(&self, name: &'static str) -> Result<Option<T>, ApiError>
    where
        T: FromStr<Err: Display>,
    {
        let query = self.head.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let found = pairs.find(|(key, _)| key == name).map(|(_, value)| value);
        parse(name, found.as_deref())
    }

    /// All parameters of the query.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let Query(query) = Query::try_from_uri(&self.head.uri)
            .map_err(|rejection| bad_request(&rejection.body_text()))?;
        Ok(query)
    }

    /// Refuses parameters that mean nothing here: a misspelt filter would otherwise filter nothing.
    pub(super) fn check_query(&self, known: &[String]) -> Result<(), ApiError> {
        let mut seen = Vec::new();
        let query = self.head.uri.query().unwrap_or_default();
        for (key, _) in form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().any(|known| *known == key) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let message = format!("unknown query parameter `{key}`; expected {known}");
                return Err(bad_request(&message));
            }
            if seen.contains(&key) {
                return Err(bad_request(&format!("the query parameter `{key}` is given twice")));
            }
            seen.push(key);
        }
        Ok(())
    }

    /// The body; `expected` shows what it looks like.
    pub(crate) fn json<T: DeserializeOwned>(&self, expected: &str) -> Result<T, ApiError> {
        let body = self.body.as_ref().map_err(|unread| ApiError::from(*unread))?;
        // A page of another site cannot say so without being asked for permission first (CORS).
        if !is_json(&self.head.headers) {
            let message = format!("expected `Content-Type: application/json`, and {expected}");
            return Err(bad_request(&message));
        }
        // Fields in the order of their declaration are not what anybody means.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(bad_request(&format!("the body is a list; expected {expected}")));
        }
        json_body(body, expected)
    }

    /// The body as it comes, once, if it is of one of these media types.
    pub(crate) fn sent(
        &self,
        media_types: &[&str],
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + Unpin + use<>, ApiError> {
        // A page of another site cannot say so without being asked for permission first (CORS).
        let given = media_type(&self.head.headers);
        if !media_types.iter().any(|known| given.is_some_and(|it| it.eq_ignore_ascii_case(known))) {
            let expected = media_types.join("`, `");
            return Err(bad_request(&format!("expected a `Content-Type` of `{expected}`")));
        }
        let body = self.rest.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stream = body.unwrap_or_default().into_data_stream();
        Ok(TryStreamExt::map_err(stream, io::Error::other))
    }

    /// The same where there need not be a body.
    pub(crate) fn json_or_default<T>(&self, expected: &str) -> Result<T, ApiError>
    where
        T: DeserializeOwned + Default,
    {
        match &self.body {
            Ok(body) if body.is_empty() => Ok(T::default()),
            _ => self.json(expected),
        }
    }

    /// What was done; a refusal on the way is noted in the audit.
    pub(crate) async fn done<T>(
        &self,
        outcome: Result<T, plura_access::Error>,
    ) -> Result<T, ApiError> {
        if let Err(plura_access::Error::Denied(decision)) = &outcome {
            authorise::record(self, None, decision).await?;
        }
        Ok(outcome?)
    }

    /// What the request is about, as the audit has it.
    pub(super) fn target(&self) -> String {
        const LONGEST: usize = 300;
        match self.parameters.first() {
            Some((kind, name)) if name.len() <= LONGEST => format!("{kind}:{name}"),
            _ => self.head.uri.path().chars().take(LONGEST).collect(),
        }
    }
}

fn parse<T>(name: &str, text: Option<&str>) -> Result<Option<T>, ApiError>
where
    T: FromStr<Err: Display>,
{
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error| bad_request(&format!("{name}: {error}")))
}

fn is_json(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|given| given.eq_ignore_ascii_case("application/json"))
}

pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    given.map(|value| value.split(';').next().unwrap_or_default().trim())
}

/// The most bytes of a body that says what to do.
const LARGEST: usize = 64 * 1024;
/// The most that is read for the sake of an answer: who is sending sees it only afterwards.
const DRAINED: usize = 1 << 20;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is too large.
    TooLarge,
    /// It ended early.
    Ended,
}

impl From<Unread> for ApiError {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => {
                let message = format!("the body has more than {} KiB", LARGEST / 1024);
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, message)
            }
            Unread::Ended => bad_request("the body ended before it was complete"),
        }
    }
}

/// The whole body, if it is small.
pub(crate) async fn read(mut body: Body) -> Result<Bytes, Unread> {
    let (mut bytes, mut seen) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        // Trailers say nothing that is asked here.
        let Ok(data) = frame.map_err(|_| Unread::Ended)?.into_data() else { continue };
        seen += data.len();
        if seen <= LARGEST {
            bytes.extend_from_slice(&data);
        }
        if seen > DRAINED {
            break;
        }
    }
    if seen <= LARGEST { Ok(bytes.freeze()) } else { Err(Unread::TooLarge) }
}
