//! Signs and verifies the service's own tokens: download links, listing cursors and upload tokens. They share
//! one key but each kind has its own audience, so that none is accepted as another kind or as a user's token.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use domain::access::LinkClaims;
use domain::id::{FileId, OwnerId, VersionId};
use domain::timestamp::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::ApiError;

const ISSUER: &str = "airlock";
const LINK_AUDIENCE: &str = "airlock:download";
const CURSOR_AUDIENCE: &str = "airlock:cursor";
const UPLOAD_AUDIENCE: &str = "airlock:upload";
const PARTS_AUDIENCE: &str = "airlock:parts";
/// The length of the hash's output (RFC 7518, 3.2).
const MIN_KEY_BYTES: usize = 32;
/// Longer tokens are refused; the service's own have fewer than 500 bytes.
const MAX_TOKEN_BYTES: usize = 4096;

/// Signs and verifies the service's own tokens with its secret.
#[derive(Clone)]
pub struct TokenSigner(Arc<RwLock<Keys>>);

struct Keys {
    encoding: EncodingKey,
    /// The current key, then the previous one, whose tokens stay valid until the next rotation.
    decoding: Vec<DecodingKey>,
}

/// A secret that is too short to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the key must have at least {MIN_KEY_BYTES} bytes")]
pub struct KeyLengthError;

#[derive(Serialize, Deserialize)]
struct LinkToken {
    iss: String,
    aud: String,
    sub: FileId,
    ver: VersionId,
    /// The record's link generation; absent in links of earlier releases.
    #[serde(rename = "gen", default)]
    generation: u32,
    iat: i64,
    exp: i64,
}

#[derive(Serialize, Deserialize)]
struct CursorToken<T> {
    iss: String,
    aud: String,
    sub: OwnerId,
    at: T,
}

/// An upload token that expires.
#[derive(Serialize, Deserialize)]
struct PermitToken<T> {
    iss: String,
    aud: String,
    sub: T,
    iat: i64,
    exp: i64,
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSigner([redacted])")
    }
}

impl TokenSigner {
    pub fn new(secret: &[u8]) -> Result<Self, KeyLengthError> {
        Ok(Self(Arc::new(RwLock::new(Keys::new(secret, None)?))))
    }

    /// Replaces the key in every clone; tokens that `previous` signed stay valid. If a key is too short,
    /// nothing changes.
    pub fn rotate(&self, current: &[u8], previous: Option<&[u8]>) -> Result<(), KeyLengthError> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Keys::new(current, previous)?;
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs a link to exactly these bytes, valid until `expires_at`.
    pub fn sign_link(&self, claims: &LinkClaims, now: Timestamp) -> Result<String, ApiError> {
        self.sign(&LinkToken {
            iss: ISSUER.to_owned(),
            aud: LINK_AUDIENCE.to_owned(),
            sub: claims.file_id,
            ver: claims.version_id.clone(),
            generation: claims.generation,
            iat: now.as_secs(),
            exp: claims.expires_at.as_secs(),
        })
    }

    /// Verifies a link's signature. `access::grant` checks its expiry, with all other conditions.
    pub fn read_link(&self, token: &str) -> Result<LinkClaims, ApiError> {
        let link: LinkToken = self.read(token, LINK_AUDIENCE).ok_or(ApiError::InvalidLink)?;
        Ok(LinkClaims {
            file_id: link.sub,
            version_id: link.ver,
            expires_at: Timestamp::from_secs(link.exp),
            generation: link.generation,
        })
    }

    /// Signs an opaque cursor that is valid for one owner only.
    pub fn sign_cursor(&self, owner: &OwnerId, at: &impl Serialize) -> Result<String, ApiError> {
        self.sign(&CursorToken {
            iss: ISSUER.to_owned(),
            aud: CURSOR_AUDIENCE.to_owned(),
            sub: owner.clone(),
            at,
        })
    }

    pub fn read_cursor<T: DeserializeOwned>(&self, owner: &OwnerId, token: &str) -> Result<T, ApiError> {
        let cursor: Option<CursorToken<T>> = self.read(token, CURSOR_AUDIENCE);
        cursor.filter(|cursor| cursor.sub == *owner).map(|cursor| cursor.at).ok_or(ApiError::InvalidCursor)
    }

    /// Signs a token for clients that cannot send a header. It permits uploads for `owner` until
    /// `expires_at`, and nothing else.
    pub fn sign_upload(
        &self,
        owner: &OwnerId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        self.sign_permit(UPLOAD_AUDIENCE, owner, expires_at, now)
    }

    pub fn read_upload(&self, token: &str, now: Timestamp) -> Result<OwnerId, ApiError> {
        self.read_permit(token, UPLOAD_AUDIENCE, now)
    }

    /// Signs a token that permits listing the parts of this one file's upload, completing it and aborting it,
    /// until `expires_at`.
    pub fn sign_parts(
        &self,
        file: FileId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        self.sign_permit(PARTS_AUDIENCE, file, expires_at, now)
    }

    pub fn read_parts(&self, token: &str, now: Timestamp) -> Result<FileId, ApiError> {
        self.read_permit(token, PARTS_AUDIENCE, now)
    }

    fn sign_permit(
        &self,
        audience: &str,
        sub: impl Serialize,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<String, ApiError> {
        let (iat, exp) = (now.as_secs(), expires_at.as_secs());
        self.sign(&PermitToken { iss: ISSUER.to_owned(), aud: audience.to_owned(), sub, iat, exp })
    }

    fn read_permit<T: DeserializeOwned>(
        &self,
        token: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<T, ApiError> {
        let permit: Option<PermitToken<T>> = self.read(token, audience);
        let permit = permit.filter(|permit| now < Timestamp::from_secs(permit.exp));
        permit.map(|permit| permit.sub).ok_or(ApiError::InvalidUploadToken)
    }

    fn sign(&self, claims: &impl Serialize) -> Result<String, ApiError> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.keys().encoding)
            .map_err(|_| ApiError::Internal)
    }

    fn read<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Option<T> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub"]);
        validation.validate_exp = false;
        let keys = self.keys();
        let mut read = keys.decoding.iter().map(|key| jsonwebtoken::decode(token, key, &validation));
        read.find_map(Result::ok).map(|data| data.claims)
    }
}

impl Keys {
    fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, KeyLengthError> {
        if current.len() < MIN_KEY_BYTES {
            return Err(KeyLengthError);
        }
        let previous = previous.filter(|key| key.len() >= MIN_KEY_BYTES);
        let decoding =
            [Some(current), previous].into_iter().flatten().map(DecodingKey::from_secret).collect();
        Ok(Self { encoding: EncodingKey::from_secret(current), decoding })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn claims() -> LinkClaims {
        LinkClaims {
            file_id: FileId::from_random(Uuid::from_u128(1)),
            version_id: VersionId::parse("v1").unwrap(),
            expires_at: Timestamp::from_secs(1_700_003_600),
            generation: 3,
        }
    }

    #[test]
    fn a_link_reads_back_and_nothing_else_is_a_link() {
        let signer = TokenSigner::new(&[7; 32]).unwrap();
        let link = signer.sign_link(&claims(), NOW).unwrap();
        assert_eq!(signer.read_link(&link).unwrap(), claims());

        let other = TokenSigner::new(&[8; 32]).unwrap();
        assert!(other.read_link(&link).is_err(), "another key");
        let cursor = signer.sign_cursor(&OwnerId::local(), &claims().file_id).unwrap();
        assert!(signer.read_link(&cursor).is_err(), "another audience");
        for at in 0..link.len() {
            let mut tampered = link.clone().into_bytes();
            tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(tampered).unwrap();
            assert!(signer.read_link(&tampered).map_or(true, |read| read == claims()), "byte {at}");
        }
        for bad in ["", "a.b.c", &"x".repeat(5000), "eyJhbGciOiJub25lIn0.e30."] {
            assert!(signer.read_link(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rotated_key_verifies_once_more() {
        let signer = TokenSigner::new(&[1; 32]).unwrap();
        let [first, second] = [1, 2].map(|key| {
            signer.rotate(&[key; 32], Some(&[key - 1; 32])).unwrap();
            signer.sign_link(&claims(), NOW).unwrap()
        });
        assert!(signer.read_link(&first).is_ok() && signer.read_link(&second).is_ok());
        signer.rotate(&[3; 32], Some(&[2; 32])).unwrap();
        assert!(signer.read_link(&first).is_err() && signer.read_link(&second).is_ok());
        signer.rotate(&[4; 32], Some(&[])).unwrap();
        assert!(signer.read_link(&second).is_err());
        assert_eq!(signer.rotate(&[5; 31], None), Err(KeyLengthError));
        let link = signer.sign_link(&claims(), NOW).unwrap();
        assert!(signer.clone().read_link(&link).is_ok(), "a key that is refused changes nothing");
    }

    #[test]
    fn a_cursor_is_its_owners_alone() {
        let signer = TokenSigner::new(&[7; 32]).unwrap();
        let cursor = signer.sign_cursor(&OwnerId::local(), &5u32).unwrap();
        assert_eq!(signer.read_cursor::<u32>(&OwnerId::local(), &cursor).unwrap(), 5);
        assert!(signer.read_cursor::<u32>(&OwnerId::parse("eve").unwrap(), &cursor).is_err());
        let link = signer.sign_link(&claims(), NOW).unwrap();
        assert!(signer.read_cursor::<u32>(&OwnerId::local(), &link).is_err());
    }

    #[test]
    fn an_upload_token_serves_one_purpose_and_expires() {
        let signer = TokenSigner::new(&[7; 32]).unwrap();
        let (file, end) = (claims().file_id, NOW + std::time::Duration::from_mins(5));
        let upload = signer.sign_upload(&OwnerId::local(), end, NOW).unwrap();
        let parts = signer.sign_parts(file, end, NOW).unwrap();
        assert_eq!(signer.read_upload(&upload, NOW).unwrap(), OwnerId::local());
        assert_eq!(signer.read_parts(&parts, NOW).unwrap(), file);
        for now in [end, end + std::time::Duration::from_secs(1)] {
            assert!(signer.read_upload(&upload, now).is_err() && signer.read_parts(&parts, now).is_err());
        }
        assert!(signer.read_upload(&parts, NOW).is_err() && signer.read_parts(&upload, NOW).is_err());
        assert!(signer.read_link(&upload).is_err() && signer.read_link(&parts).is_err());
        let link = signer.sign_link(&claims(), NOW).unwrap();
        assert!(signer.read_upload(&link, NOW).is_err() && signer.read_parts(&link, NOW).is_err());
    }

    #[test]
    fn short_keys_are_refused() {
        assert_eq!(TokenSigner::new(&[7; 31]).unwrap_err(), KeyLengthError);
    }
}
