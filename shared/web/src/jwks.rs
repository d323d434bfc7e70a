//! Caches the issuer's JWKS without a background task, as Lambda requires, and with one fetch at a time.

use std::time::Duration;

use axum::http::Uri;
use domain::timestamp::Timestamp;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use settings::ConfigError;
use tokio::sync::Mutex;

/// How long a fetched set is used without another fetch.
const FRESH_FOR: Duration = Duration::from_hours(1);
/// How long a fetched set is used while the issuer does not answer.
const USABLE_FOR: Duration = Duration::from_hours(24);
/// The shortest time between two fetches, such as those that unknown key ids cause.
const ASK_EVERY: Duration = Duration::from_mins(1);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BYTES: usize = 512 * 1024;

/// A cached key set at one fixed address.
#[derive(Debug)]
pub(crate) struct Jwks {
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<bytes::Bytes>>,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    keys: Option<JwkSet>,
    fetched_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl Jwks {
    /// Fails if `url` is not a URL, or is not `https` and not a loopback address.
    pub(crate) fn new(url: &str) -> Result<Self, ConfigError> {
        let invalid =
            |why: &str| ConfigError::Invalid { name: "JWKS_URL", value: url.to_owned(), why: why.to_owned() };
        let uri: Uri = url.parse().map_err(|_| invalid("not a URL"))?;
        let is_loopback = matches!(uri.host(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if uri.scheme_str() != Some("https") && !is_loopback {
            return Err(invalid("must be an https URL unless it is a loopback address"));
        }
        let connector = HttpsConnectorBuilder::new().with_native_roots();
        let connector = connector.map_err(|_| invalid("this machine has no certificate store"))?;
        let client =
            Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        Ok(Self { url: uri, client, cache: Mutex::default() })
    }

    /// Returns the key with this id and the one algorithm that it is used with. `kid` is compared with the
    /// ids in the set only; it is never used as a path or URL.
    pub(crate) async fn key(&self, kid: &str, now: Timestamp) -> Option<(DecodingKey, Algorithm)> {
        let mut cache = self.cache.lock().await;
        let age = cache.fetched_at.map(|at| now.since(at));
        let is_known = cache.keys.as_ref().is_some_and(|keys| keys.find(kid).is_some());
        let is_fresh = age.is_some_and(|age| age < FRESH_FOR);
        let may_ask = cache.asked_at.is_none_or(|at| now.since(at) >= ASK_EVERY);
        if (!is_fresh || !is_known) && may_ask {
            cache.asked_at = Some(now);
            if let Ok(Some(keys)) = tokio::time::timeout(FETCH_TIMEOUT, self.fetch()).await {
                cache.keys = Some(keys);
                cache.fetched_at = Some(now);
            } else {
                tracing::warn!(jwks.url = %self.url, "fetching the key set failed");
            }
        }
        let is_usable = cache.fetched_at.is_some_and(|at| now.since(at) < USABLE_FOR);
        let key = cache.keys.as_ref().filter(|_| is_usable)?.find(kid)?;
        Some((DecodingKey::from_jwk(key).ok()?, algorithm(key)?))
    }

    async fn fetch(&self) -> Option<JwkSet> {
        let response = self.client.get(self.url.clone()).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.ok()?.to_bytes();
        serde_json::from_slice(&body).ok()
    }
}

/// Returns the key's algorithm, if it is an asymmetric signature: a set is public, so none of its keys is
/// secret.
fn algorithm(key: &Jwk) -> Option<Algorithm> {
    if key.common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let stated = key.common.key_algorithm.as_ref().map(ToString::to_string);
    let (default, allowed): (Algorithm, &[Algorithm]) = match &key.algorithm {
        AlgorithmParameters::RSA(_) => {
            (Algorithm::RS256, &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256])
        }
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, &[Algorithm::ES256])
        }
        AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P384 => {
            (Algorithm::ES384, &[Algorithm::ES384])
        }
        AlgorithmParameters::OctetKeyPair(_) => (Algorithm::EdDSA, &[Algorithm::EdDSA]),
        _ => return None,
    };
    match stated {
        None => Some(default),
        Some(name) => name.parse().ok().filter(|algorithm| allowed.contains(algorithm)),
    }
}
