//! Extractors for JSON bodies and query strings that fail with an [`ApiError`] instead of axum's plain text.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// A JSON body of at most [`MAX_JSON_BYTES`]; a larger one is an [`ApiError::BodyTooLarge`].
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

/// Ten tags of the largest size fit many times over.
pub(crate) const MAX_JSON_BYTES: u64 = 64 * 1024;

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, ApiError> {
        let limit = usize::try_from(MAX_JSON_BYTES).unwrap_or(usize::MAX);
        axum::extract::DefaultBodyLimit::apply(axum::extract::DefaultBodyLimit::max(limit), &mut request);
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(ApiError::InvalidJson(error.body_text())),
            Err(JsonRejection::JsonDataError(error)) => Err(ApiError::InvalidBody(error.body_text())),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(ApiError::UnsupportedMediaType { expected: "application/json" })
            }
            Err(_) => Err(ApiError::BodyTooLarge { limit_bytes: MAX_JSON_BYTES }),
        }
    }
}

/// The parsed query string.
#[derive(Clone, Copy, Debug)]
pub struct QueryString<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryString<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(ApiError::InvalidQuery(error.body_text())),
        }
    }
}
