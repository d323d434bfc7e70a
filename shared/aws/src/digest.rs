//! Computes the SHA-256 of small byte strings.

use sha2::Digest as _;

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}
