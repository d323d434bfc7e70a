//! Encrypts the passwords of files between upload and scan, with AES-256-GCM and for one file each.
//!
//! Invariant: a password that was sealed for one file cannot be opened for another.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::id::FileId;
use domain::password::{Password, SealedPassword};
use settings::PasswordSettings;
use sha2::Digest as _;
use thiserror::Error;

use crate::error::StoreError;
use crate::sdk::Sdk;
use crate::secrets::Secret;

/// The key with which the API seals passwords and the scan function opens them.
#[derive(Clone)]
pub struct PasswordKey(Arc<RandomizedNonceKey>);

impl std::fmt::Debug for PasswordKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasswordKey(..)")
    }
}

/// Why a password cannot be sealed or opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PasswordKeyError {
    #[error("the key that encrypts passwords must have at least 32 bytes")]
    TooShort,
    #[error("a password could not be encrypted")]
    NotSealed,
    #[error("a password was encrypted with another key, or for another file")]
    NotOpened,
}

impl PasswordKey {
    const LEAST_BYTES: usize = 32;

    /// Derives the key from a secret of at least 32 bytes.
    pub fn new(secret: &str) -> Result<Self, PasswordKeyError> {
        if secret.len() < Self::LEAST_BYTES {
            return Err(PasswordKeyError::TooShort);
        }
        let key = sha2::Sha256::digest(["airlock file passwords\n", secret].concat());
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| PasswordKeyError::TooShort)?;
        Ok(Self(Arc::new(key)))
    }

    /// Loads the key from the secret that the settings name, or from the settings themselves. `None` if
    /// passwords are not accepted.
    pub async fn connect(settings: &PasswordSettings, sdk: &Sdk) -> Result<Option<Self>, StoreError> {
        let secret = match &settings.key_arn {
            Some(arn) => Some(Secret::new(sdk.secrets(), arn.clone()).read().await?.current),
            None => settings.key.as_ref().map(|key| key.exposed().to_owned()),
        };
        let key = secret.map(|secret| Self::new(&secret)).transpose();
        key.map_err(|error| {
            StoreError::caused("read the key that encrypts passwords", crate::StoreErrorKind::Corrupt, error)
        })
    }

    pub fn seal(&self, password: &Password, file: FileId) -> Result<SealedPassword, PasswordKeyError> {
        let mut bytes = password.exposed().as_bytes().to_vec();
        let sealed = self.0.seal_in_place_append_tag(Aad::from(file.to_string()), &mut bytes);
        let nonce = sealed.map_err(|_| PasswordKeyError::NotSealed)?;
        Ok(SealedPassword::of(URL_SAFE_NO_PAD.encode([nonce.as_ref().as_slice(), &bytes].concat())))
    }

    pub fn open(&self, sealed: &SealedPassword, file: FileId) -> Result<Password, PasswordKeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed.text()).map_err(|_| PasswordKeyError::NotOpened)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(PasswordKeyError::NotOpened)?;
        let mut rest = rest.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(file.to_string()), &mut rest);
        let opened = opened.map_err(|_| PasswordKeyError::NotOpened)?;
        let text = std::str::from_utf8(opened).map_err(|_| PasswordKeyError::NotOpened)?;
        Password::parse(text).map_err(|_| PasswordKeyError::NotOpened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u128) -> FileId {
        FileId::from_random(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn only_the_same_key_and_file_open_a_password() {
        let (key, password) =
            (PasswordKey::new(&"k".repeat(32)).unwrap(), Password::parse("böse 123").unwrap());
        let sealed = key.seal(&password, file(1)).unwrap();
        assert_eq!(key.open(&sealed, file(1)), Ok(password.clone()));
        assert_ne!(key.seal(&password, file(1)).unwrap(), sealed, "no two ciphertexts are equal");
        assert_eq!(key.open(&sealed, file(2)), Err(PasswordKeyError::NotOpened));
        let other = PasswordKey::new(&"x".repeat(32)).unwrap();
        assert_eq!(other.open(&sealed, file(1)), Err(PasswordKeyError::NotOpened));
        for text in ["", "AAAA", "!", &sealed.text()[1..]] {
            assert_eq!(
                key.open(&SealedPassword::of(text.to_owned()), file(1)),
                Err(PasswordKeyError::NotOpened)
            );
        }
        assert!(!sealed.text().contains("123") && !format!("{sealed:?}{key:?}").contains(sealed.text()));
        assert_eq!(PasswordKey::new("short").unwrap_err(), PasswordKeyError::TooShort);
    }
}
