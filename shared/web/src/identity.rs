//! Identifies the caller: by a verified user token, or as `local` on a loopback service without tokens.

use std::collections::HashSet;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header;
use axum::http::request::Parts;
use domain::id::OwnerId;
use domain::timestamp::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use settings::{ConfigError, IdentityKeys, IdentitySettings};

use crate::error::ApiError;
use crate::jwks::Jwks;

/// How callers are authenticated. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Every caller is the user `local`. For loopback services only.
    Local,
    Jwt(std::sync::Arc<Verifier>),
}

/// Verifies user tokens. The key determines the algorithm; the token's header does not.
#[derive(Debug)]
pub struct Verifier {
    issuer: String,
    audience: String,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Secret(DecodingKey),
    Jwks(Box<Jwks>),
}

/// The accepted difference between the issuer's clock and this one.
const LEEWAY_SECS: u64 = 30;
const MAX_TOKEN_BYTES: usize = 16 * 1024;

#[derive(Deserialize)]
struct UserClaims {
    sub: String,
    iat: i64,
    /// Space-delimited (RFC 8693, 4.2), or a list, which some issuers write.
    scope: Option<Scopes>,
    scp: Option<Scopes>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
}

impl Scopes {
    fn has(&self, scope: &str) -> bool {
        match self {
            Self::Text(text) => text.split(' ').any(|word| word == scope),
            Self::List(list) => list.iter().any(|word| word == scope),
        }
    }
}

/// The scope that makes a user an operator.
const ADMIN_SCOPE: &str = "admin";

impl Verifier {
    /// Fails if the key set's URL is not valid.
    pub fn new(settings: IdentitySettings) -> Result<Self, ConfigError> {
        let IdentitySettings { issuer, audience, keys } = settings;
        let keys = match keys {
            IdentityKeys::Secret(secret) => {
                Keys::Secret(DecodingKey::from_secret(secret.exposed().as_bytes()))
            }
            IdentityKeys::Jwks(url) => Keys::Jwks(Box::new(Jwks::new(&url)?)),
        };
        Ok(Self { issuer, audience, keys })
    }

    /// Returns the caller that the token names. Every failure is the same [`ApiError::Unauthorized`].
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, ApiError> {
        self.verified(token, now).await.ok_or(ApiError::Unauthorized)
    }

    async fn verified(&self, token: &str, now: Timestamp) -> Option<Caller> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let token_header = jsonwebtoken::decode_header(token).ok()?;
        // A token may name one of the configured keys; it may not contain a key or point to one.
        let brings_key = token_header.jku.is_some()
            || token_header.jwk.is_some()
            || token_header.x5u.is_some()
            || token_header.x5c.is_some();
        if brings_key || has_crit(token) {
            return None;
        }
        let (key, algorithm) = match &self.keys {
            Keys::Secret(key) => (key.clone(), Algorithm::HS256),
            Keys::Jwks(jwks) => jwks.key(token_header.kid.as_deref()?, now).await?,
        };
        let claims =
            jsonwebtoken::decode::<UserClaims>(token, &key, &self.validation(algorithm)).ok()?.claims;
        let latest = now.as_secs().saturating_add(i64::try_from(LEEWAY_SECS).ok()?);
        if claims.iat > latest {
            return None;
        }
        let is_admin = claims.scope.iter().chain(&claims.scp).any(|scopes| scopes.has(ADMIN_SCOPE));
        // `local` owns the files that were uploaded while the service had no tokens.
        let owner = OwnerId::parse(claims.sub).ok().filter(|owner| *owner != OwnerId::local())?;
        Some(Caller { owner, is_admin })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.required_spec_claims =
            ["iss", "aud", "exp", "iat", "sub"].into_iter().map(ToOwned::to_owned).collect::<HashSet<_>>();
        validation
    }
}

/// Returns whether the header has `crit`, or cannot be read. No critical extension is supported here, so such
/// a token must be refused (RFC 7515, 4.1.11).
fn has_crit(token: &str) -> bool {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap_or_default();
    let decoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(&decoded);
    header.map_or(true, |header| header.contains_key("crit"))
}

/// The verified caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub owner: OwnerId,
    pub is_admin: bool,
}

/// The verified caller of an operators' request: a user with the scope `admin`, or any caller of a loopback
/// service without tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin(pub OwnerId);

impl<S> FromRequestParts<S> for Admin
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.is_admin { Ok(Self(caller.owner)) } else { Err(ApiError::AdminRequired) }
    }
}

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Identity: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Identity::from_ref(state) {
            Identity::Local => Ok(Self { owner: OwnerId::local(), is_admin: true }),
            Identity::Jwt(verifier) => {
                let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
                let (scheme, token) =
                    value.and_then(|value| value.split_once(' ')).ok_or(ApiError::Unauthorized)?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(ApiError::Unauthorized);
                }
                verifier.verify(token.trim(), aws::clock::now()).await
            }
        }
    }
}
