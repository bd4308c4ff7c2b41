//! Bodies and queries whose refusals have the form of all errors.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::bad_request;
use crate::{api, error::ApiError};

/// A body that says what to do; larger ones are refused.
pub(super) struct Small(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for Small {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(api::read(request.into_body()).await?))
    }
}

/// The parameters of a query.
pub(super) struct Queried<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Queried<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(query) = Query::try_from_uri(&head.uri)
            .map_err(|rejection| bad_request(&rejection.body_text()))?;
        Ok(Self(query))
    }
}
