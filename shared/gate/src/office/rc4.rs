//! Decrypts RC4 in the binary formats ([MS-OFFCRYPTO] 2.3.5 and 2.3.6): the key of each block is derived from
//! its number.

use crate::ciphers::Rc4;
use crate::fields::Fields as _;

use super::crypto_api::CryptoApi;
use super::hash::{Hash, utf16_le};

/// What a document says about its key.
pub(super) enum Rc4Header {
    /// Of Office 97 and 2000.
    Legacy {
        salt: [u8; 16],
        verifier: [u8; 16],
        verifier_hash: [u8; 16],
    },
    CryptoApi(CryptoApi),
}

/// What the key of each block is derived from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Rc4Key {
    pub(super) hash: Hash,
    pub(super) secret: Vec<u8>,
    pub(super) n_bytes: usize,
}

impl Rc4Header {
    /// From the version on.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.u32_le(0) != 0x0001_0001 {
            return CryptoApi::parse(bytes).map(Self::CryptoApi);
        }
        let field = |at: usize| bytes.at(at, 16).try_into().ok();
        Some(Self::Legacy { salt: field(4)?, verifier: field(20)?, verifier_hash: field(36)? })
    }

    /// The key that the password gives, if it is the right one.
    pub(super) fn key(&self, password: &str) -> Option<Rc4Key> {
        match self {
            Self::Legacy { salt, verifier, verifier_hash } => {
                let key = legacy_key(salt, password);
                key.confirms(*verifier, verifier_hash).then_some(key)
            }
            Self::CryptoApi(header) => header.rc4_key(password),
        }
    }
}

/// With 40 bits of a secret.
pub(super) fn legacy_key(salt: &[u8; 16], password: &str) -> Rc4Key {
    const SECRET_BYTES: usize = 5;
    let secret = |hash: Vec<u8>| hash[..SECRET_BYTES].to_vec();
    let of_password = secret(Hash::Md5.of(&utf16_le(password), b""));
    let salted = [of_password.as_slice(), salt].concat().repeat(16);
    Rc4Key { hash: Hash::Md5, secret: secret(Hash::Md5.of(&salted, b"")), n_bytes: 16 }
}

impl Rc4Key {
    pub(super) fn cipher(&self, block: u32) -> Rc4 {
        const SHORT: usize = 5;
        let mut key = self.hash.of(&self.secret, &block.to_le_bytes());
        key.truncate(self.n_bytes);
        if self.n_bytes == SHORT {
            key.resize(16, 0);
        }
        Rc4::new(&key)
    }

    /// Returns whether a verifier is of this key.
    pub(super) fn confirms(&self, mut verifier: [u8; 16], verifier_hash: &[u8]) -> bool {
        let (mut cipher, mut expected) = (self.cipher(0), verifier_hash.to_vec());
        cipher.apply(&mut verifier);
        cipher.apply(&mut expected);
        self.hash.of(&verifier, b"") == expected
    }
}

/// Decrypts a stream in order.
pub(super) struct Rc4Stream {
    key: Rc4Key,
    cipher: Rc4,
    block: u32,
    block_bytes: usize,
    n_left_in_block: usize,
}

impl Rc4Stream {
    pub(super) fn new(key: Rc4Key, block_bytes: usize) -> Self {
        Self { cipher: key.cipher(0), key, block: 0, block_bytes, n_left_in_block: block_bytes }
    }

    pub(super) fn apply(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.n_left_in_block == 0 {
                self.block = self.block.wrapping_add(1);
                self.cipher = self.key.cipher(self.block);
                self.n_left_in_block = self.block_bytes;
            }
            let n_bytes = bytes.len().min(self.n_left_in_block);
            let (now, rest) = bytes.split_at_mut(n_bytes);
            self.cipher.apply(now);
            self.n_left_in_block -= n_bytes;
            bytes = rest;
        }
    }

    /// Passes bytes that are not encrypted.
    pub(super) fn skip(&mut self, n_bytes: usize) {
        self.apply(&mut vec![0; n_bytes]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that another implementation derives.
    #[test]
    fn keys_of_blocks_are_those_of_others() {
        let salt = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
        let secret = Hash::Sha1.of(&salt, &utf16_le("VelvetSweatshop"));
        let crypto_api = |n_bytes| Rc4Key { hash: Hash::Sha1, secret: secret.clone(), n_bytes };
        for (key, block, expected) in [
            (legacy_key(&salt, "VelvetSweatshop"), 0, 0xe0f0_f3ab_5b2c_55a6_fff6_d99a_e306_91fb_u128),
            (legacy_key(&salt, "VelvetSweatshop"), 7, 0x598c_e95e_7b36_e670_8bf7_a4e3_49d8_c0e6),
            (crypto_api(5), 0, 0xac2a_7b17_2400_0000_0000_0000_0000_0000),
            (crypto_api(5), 7, 0xedb9_e041_e500_0000_0000_0000_0000_0000),
            (crypto_api(16), 7, 0xedb9_e041_e5d6_946d_680a_2264_011a_7a16),
        ] {
            let (mut found, mut same) = ([0; 16], [0; 16]);
            key.cipher(block).apply(&mut found);
            Rc4::new(&expected.to_be_bytes()).apply(&mut same);
            assert_eq!(found, same, "block {block}");
        }
    }
}
