//! Reads the key that signs links from the environment, or from a secret that may be rotated at run time.

use std::sync::Arc;
use std::time::Duration;

use aws::{Sdk, Secret, StoreError};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::timestamp::Timestamp;
use settings::{ConfigError, LinkSettings};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::token::{KeyLengthError, TokenSigner};

/// A signer, and the secret from which its key is refreshed; `None` for a fixed key.
#[derive(Clone, Debug)]
pub struct LinkKey {
    pub signer: TokenSigner,
    secret: Option<Arc<Rotated>>,
}

#[derive(Debug)]
struct Rotated {
    secret: Secret,
    read_at: Mutex<Timestamp>,
}

/// Why the signing key could not be loaded.
#[derive(Debug, Error)]
pub enum LinkKeyError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TooShort(#[from] KeyLengthError),
}

/// The secret is read again after this time, or earlier if a link cannot be verified.
const READ_EVERY: Duration = Duration::from_mins(5);
/// The shortest time between two reads that links which cannot be verified cause.
const READ_AT_MOST_EVERY: Duration = Duration::from_secs(10);

impl LinkKey {
    /// Uses a key that does not change.
    pub fn fixed(signer: TokenSigner) -> Self {
        Self { signer, secret: None }
    }

    /// Loads the key from the secret that the settings name, or from the settings themselves.
    pub async fn connect(settings: &LinkSettings, sdk: &Sdk, now: Timestamp) -> Result<Self, LinkKeyError> {
        let Some(arn) = settings.secret_key_arn.clone() else {
            let key = settings.secret_key.as_ref().ok_or(ConfigError::Missing("SECRET_KEY"))?;
            return Ok(Self::fixed(TokenSigner::new(key.exposed().as_bytes())?));
        };
        let secret = Secret::new(sdk.secrets(), arn);
        let values = secret.read().await?;
        let signer = TokenSigner::new(values.current.as_bytes())?;
        signer.rotate(values.current.as_bytes(), values.previous.as_deref().map(str::as_bytes))?;
        Ok(Self { signer, secret: Some(Arc::new(Rotated { secret, read_at: Mutex::new(now) })) })
    }

    /// Reads the secret again after a link could not be verified, unless it was read in the last ten seconds.
    /// Returns whether it was read.
    pub async fn renew_now(&self, now: Timestamp) -> bool {
        self.renew(now, READ_AT_MOST_EVERY).await
    }

    /// If the secret cannot be read or is too short, the signer keeps its keys, and the failure is logged.
    async fn renew(&self, now: Timestamp, every: Duration) -> bool {
        let Some(rotated) = &self.secret else { return false };
        let mut read_at = rotated.read_at.lock().await;
        if now.since(*read_at) < every {
            return false;
        }
        *read_at = now;
        let renewed = match rotated.secret.read().await {
            Ok(values) => {
                let previous = values.previous.as_deref().map(str::as_bytes);
                self.signer.rotate(values.current.as_bytes(), previous).map_err(LinkKeyError::from)
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &renewed {
            tracing::error!(
                error = aws::log::chain(error),
                "refreshing the signing key of links failed; the present key stays in use"
            );
        }
        renewed.is_ok()
    }
}

/// Middleware: refreshes the key, if it is due, before the request is handled.
pub async fn renew_link_key(State(key): State<LinkKey>, request: Request, next: Next) -> Response {
    key.renew(aws::clock::now(), READ_EVERY).await;
    next.run(request).await
}
