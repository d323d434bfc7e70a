//! Where does the key of links come from? The environment, or a secret that may be rotated while functions run.

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

/// A signer, and the secret that its key is read from again and again; `None` for a key that does not change.
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

/// Why there is no key to sign with.
#[derive(Debug, Error)]
pub enum LinkKeyError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    TooShort(#[from] KeyLengthError),
}

/// A rotation is noticed after this long, or at the first link that cannot be verified.
const READ_EVERY: Duration = Duration::from_mins(5);
/// Links that cannot be verified make the secret be read again at most this often.
const READ_AT_MOST_EVERY: Duration = Duration::from_secs(10);

impl LinkKey {
    /// A key that does not change.
    pub fn fixed(signer: TokenSigner) -> Self {
        Self { signer, secret: None }
    }

    /// The key that the settings name, from Secrets Manager or as it is.
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

    /// Reads the secret again, if that was not done lately, after a link could not be verified. Whether it was read.
    pub async fn renew_now(&self, now: Timestamp) -> bool {
        self.renew(now, READ_AT_MOST_EVERY).await
    }

    /// A secret that cannot be read leaves the keys as they are.
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
            tracing::error!(error = aws::log::chain(error), "the key of links could not be read again");
        }
        renewed.is_ok()
    }
}

/// Keeps the key current, before requests are handled.
pub async fn renew_link_key(State(key): State<LinkKey>, request: Request, next: Next) -> Response {
    key.renew(aws::clock::now(), READ_EVERY).await;
    next.run(request).await
}
