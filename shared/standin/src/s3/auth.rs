//! Verifies signatures with one pair of keys.

use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

pub(super) struct OwnKeys {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OwnKeys {
    /// `InvalidAccessKeyId` for another key, as in S3.
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key_id {
            return Ok(self.secret_access_key.clone());
        }
        Err(s3_error!(
            InvalidAccessKeyId,
            "there is no such access key; `secrets.json` in the data directory has the right one"
        ))
    }
}
