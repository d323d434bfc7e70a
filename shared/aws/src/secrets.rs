//! Reads secrets from Secrets Manager, with their previous values, so that tokens stay valid for a while
//! after a rotation.

use aws_sdk_secretsmanager::Client;

use crate::error::{StoreError, StoreErrorKind};

/// One secret.
#[derive(Clone, Debug)]
pub struct Secret {
    client: Client,
    arn: String,
}

/// A secret's values.
pub struct SecretValues {
    pub current: String,
    /// The value before the last rotation, which Secrets Manager keeps under the label `AWSPREVIOUS`.
    pub previous: Option<String>,
}

impl std::fmt::Debug for SecretValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretValues([redacted])")
    }
}

impl Secret {
    pub fn new(client: Client, arn: String) -> Self {
        Self { client, arn }
    }

    /// Reads both values. The previous one is `None` before the first rotation.
    pub async fn read(&self) -> Result<SecretValues, StoreError> {
        let current = self.version("AWSCURRENT").await?;
        let previous = match self.version("AWSPREVIOUS").await {
            Ok(value) => Some(value),
            Err(error) if error.kind == StoreErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(SecretValues { current, previous })
    }

    async fn version(&self, stage: &str) -> Result<String, StoreError> {
        let read = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage).send().await;
        let read = read.map_err(|error| StoreError::of_sdk("read a secret", error))?;
        read.secret_string.ok_or_else(|| StoreError::new("read a secret", StoreErrorKind::Corrupt))
    }
}
