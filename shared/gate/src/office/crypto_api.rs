//! Reads the header and the verifier of documents that are encrypted through Windows' CryptoAPI or in the way
//! before it ([MS-OFFCRYPTO] 2.3.2 to 2.3.6).

use crate::ciphers::Aes;
use crate::fields::Fields as _;

use super::hash::{Hash, utf16_le};
use super::package::PackageKey;
use super::rc4::Rc4Key;

/// How often Office hashes for a key of AES.
pub(super) const N_ROUNDS: u32 = 50_000;
const SHA1: u32 = 0x8004;

/// A header, parsed strictly.
pub(super) struct CryptoApi {
    algorithm: Algorithm,
    n_key_bytes: usize,
    salt: [u8; 16],
    verifier: [u8; 16],
    verifier_hash: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Algorithm {
    Rc4,
    Aes,
}

impl CryptoApi {
    /// From the version on.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        const HEADER_AT: usize = 12;
        const RC4: u32 = 0x6801;
        let is_version = matches!(bytes.u16_le(0), 2..=4) && bytes.u16_le(2) == 2;
        let n_header_bytes = usize::try_from(bytes.u32_le(8)).ok()?;
        let header = bytes.get(HEADER_AT..HEADER_AT.checked_add(n_header_bytes)?)?;
        let verifier = &bytes[HEADER_AT + n_header_bytes..];
        let (algorithm, n_key_bits) = match (header.u32_le(8), header.u32_le(16)) {
            // No size means the least.
            (RC4, 0) => (Algorithm::Rc4, 40),
            (RC4, n_bits @ 40..=128) if n_bits % 8 == 0 => (Algorithm::Rc4, n_bits),
            (0x660e, 128) | (0x660f, 192) | (0x6610, 256) => (Algorithm::Aes, header.u32_le(16)),
            _ => return None,
        };
        let n_hash_bytes = if algorithm == Algorithm::Aes { 32 } else { Hash::Sha1.n_bytes() };
        let is_sound = is_version
            && matches!(header.u32_le(12), 0 | SHA1)
            && verifier.u32_le(0) == 16
            && verifier.u32_le(36) == 20;
        is_sound.then_some(Self {
            algorithm,
            n_key_bytes: usize::try_from(n_key_bits / 8).ok()?,
            salt: verifier.at(4, 16).try_into().ok()?,
            verifier: verifier.at(20, 16).try_into().ok()?,
            verifier_hash: verifier.get(40..40 + n_hash_bytes)?.to_vec(),
        })
    }

    /// The key of a package that the password gives.
    pub(super) fn package_key(&self, password: &str) -> Option<PackageKey> {
        if self.algorithm != Algorithm::Aes {
            return None;
        }
        let derived = Hash::Sha1.repeated(&self.salt, &utf16_le(password), N_ROUNDS);
        let last = Hash::Sha1.of(&derived, &[0; 4]);
        let half = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(&last).for_each(|(at, byte)| *at ^= byte);
            Hash::Sha1.of(&block, b"")
        };
        let key = [half(0x36), half(0x5c)].concat()[..self.n_key_bytes].to_vec();
        let aes = Aes::new(&key)?;
        let (mut verifier, mut expected) = (self.verifier, self.verifier_hash.clone());
        aes.decrypt_each(&mut verifier);
        aes.decrypt_each(&mut expected);
        let is_right = expected.starts_with(&Hash::Sha1.of(&verifier, b""));
        is_right.then_some(PackageKey::Standard { key })
    }

    /// The key of a binary document that the password gives.
    pub(super) fn rc4_key(&self, password: &str) -> Option<Rc4Key> {
        if self.algorithm != Algorithm::Rc4 {
            return None;
        }
        let secret = Hash::Sha1.of(&self.salt, &utf16_le(password));
        let key = Rc4Key { hash: Hash::Sha1, secret, n_bytes: self.n_key_bytes };
        key.confirms(self.verifier, &self.verifier_hash).then_some(key)
    }
}
