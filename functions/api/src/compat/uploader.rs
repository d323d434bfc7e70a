//! Authenticates uploaders: by the user's bearer token, or by an upload token in the path if the client
//! cannot send a header.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use domain::id::OwnerId;
use web::{ApiError, Caller};

use crate::App;

/// Permission to upload as `owner`, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uploader {
    pub(crate) owner: OwnerId,
}

impl FromRequestParts<App> for Uploader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|_| ApiError::RouteNotFound)?;
        let token = params.iter().find(|(name, _)| *name == "token").map(|(_, token)| token.to_owned());
        let owner = match token {
            Some(token) => app.read_signed(|signer, now| signer.read_upload(&token, now)).await?,
            None => Caller::from_request_parts(parts, app).await?.owner,
        };
        Ok(Self { owner })
    }
}
