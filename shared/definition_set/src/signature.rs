//! Signatures of manifests: Ed25519 (RFC 8032), over their exact bytes.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Signed bytes begin with this, so that a signature for one purpose is invalid for another.
const CONTEXT: &[u8] = b"airlock definition set v1\n";
const MIN_SECRET_BYTES: usize = 32;

/// The publisher's key. Only the definitions function has it.
pub struct SigningKey(Ed25519KeyPair);

/// The public key that scanners are deployed with, as base64 of its 32 bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey(Vec<u8>);

/// Signed bytes, as they are stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    signature: String,
}

struct SeedLength;

impl KeyType for SeedLength {
    fn len(&self) -> usize {
        32
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// Derives the key from a secret of at least 32 random bytes, in any encoding (HKDF, RFC 5869). `None`
    /// for a shorter one.
    pub fn from_secret(secret: &str) -> Option<Self> {
        if secret.len() < MIN_SECRET_BYTES {
            return None;
        }
        let mut seed = [0; 32];
        let pseudorandom = Salt::new(HKDF_SHA256, CONTEXT).extract(secret.as_bytes());
        pseudorandom.expand(&[b"ed25519 seed"], SeedLength).ok()?.fill(&mut seed).ok()?;
        Ed25519KeyPair::from_seed_unchecked(&seed).ok().map(Self)
    }

    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key().as_ref().to_vec())
    }

    /// Returns `payload` with its signature, as it is stored.
    pub fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&[CONTEXT, payload].concat());
        let envelope = Envelope { payload: STANDARD.encode(payload), signature: STANDARD.encode(signature) };
        // Two strings are always representable.
        serde_json::to_vec(&envelope).unwrap_or_default()
    }
}

impl PublicKey {
    /// Parses base64 of 32 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 32).map(Self)
    }

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes.to_vec())
    }

    /// Returns the payload if its signature is by this key; `None` for any other or damaged one.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let envelope: Envelope = serde_json::from_slice(sealed).ok()?;
        let payload = STANDARD.decode(envelope.payload).ok()?;
        let signature = STANDARD.decode(envelope.signature).ok()?;
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(&[CONTEXT, &payload].concat(), &signature).ok()?;
        Some(payload)
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_opens() {
        let key = SigningKey::from_secret(&"s".repeat(32)).unwrap();
        let public = PublicKey::parse(&key.public_key().to_string()).unwrap();
        let sealed = key.seal(b"payload");
        assert_eq!(public.open(&sealed).unwrap(), b"payload");
        for n in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[n] ^= 1;
            assert_ne!(public.open(&damaged), Some(b"payload".to_vec()), "byte {n}");
            assert_eq!(public.open(&sealed[..n]), None, "the first {n} bytes");
        }
        let stranger = SigningKey::from_secret(&"t".repeat(32)).unwrap();
        assert_eq!(public.open(&stranger.seal(b"payload")), None);
        assert_eq!(stranger.public_key().open(&sealed), None);
    }

    #[test]
    fn keys_are_made_from_long_secrets_only() {
        assert!(SigningKey::from_secret(&"s".repeat(31)).is_none());
        assert!(PublicKey::parse("").is_none());
        assert!(PublicKey::parse(&STANDARD.encode([0; 31])).is_none());
    }
}
