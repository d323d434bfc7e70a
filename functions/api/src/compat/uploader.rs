//! Who uploads? The bearer of a user's token, or, where a client can send no header, of an upload token in the path.

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use domain::id::OwnerId;
use web::{ApiError, Caller};

use crate::App;

/// Whoever may upload for `owner`, and do nothing else.
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
