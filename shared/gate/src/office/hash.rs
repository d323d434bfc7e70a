//! Computes the hash functions that Office derives keys with.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "SHA1" | "SHA-1" => Some(Self::Sha1),
            "SHA256" | "SHA-256" => Some(Self::Sha256),
            "SHA384" | "SHA-384" => Some(Self::Sha384),
            "SHA512" | "SHA-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(super) fn n_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The hash of both parts, one behind the other.
    pub(super) fn of(self, first: &[u8], second: &[u8]) -> Vec<u8> {
        self.repeated(first, second, 0)
    }

    /// The same, hashed `n_rounds` more times with the number of the round in front.
    pub(super) fn repeated(self, first: &[u8], second: &[u8], n_rounds: u32) -> Vec<u8> {
        match self {
            Self::Md5 => repeated::<Md5>(first, second, n_rounds),
            Self::Sha1 => repeated::<Sha1>(first, second, n_rounds),
            Self::Sha256 => repeated::<Sha256>(first, second, n_rounds),
            Self::Sha384 => repeated::<Sha384>(first, second, n_rounds),
            Self::Sha512 => repeated::<Sha512>(first, second, n_rounds),
        }
    }
}

fn repeated<D: Digest>(first: &[u8], second: &[u8], n_rounds: u32) -> Vec<u8> {
    let mut hash = D::new().chain_update(first).chain_update(second).finalize();
    for round in 0..n_rounds {
        hash = D::new().chain_update(round.to_le_bytes()).chain_update(&hash).finalize();
    }
    hash.to_vec()
}

/// A password as most methods hash it.
pub(super) fn utf16_le(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_le_bytes).collect()
}
