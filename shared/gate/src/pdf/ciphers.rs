//! RC4, and AES in cipher block chaining mode, as PDF uses them (ISO 32000-2, 7.6.3).

use std::io::{self, BufRead};

use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256, Block};

use super::steps::{Source, Step, decoding, fill};

const BLOCK: usize = 16;

/// How the data of one stream is encrypted, with its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Cipher {
    None,
    Rc4(Vec<u8>),
    /// Of 16 or 32 bytes.
    Aes(Vec<u8>),
}

impl Cipher {
    pub(super) fn decrypted(&self, source: Source) -> Source {
        match self {
            Self::None => source,
            Self::Rc4(key) => decoding(source, Rc4::new(key)),
            Self::Aes(key) => match Aes::new(key) {
                Some(aes) => decoding(source, Chained { aes, before: None }),
                None => source,
            },
        }
    }
}

pub(super) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut state = [0; 256];
        for (value, at) in (0..=u8::MAX).zip(&mut state) {
            *at = value;
        }
        let mut j = 0u8;
        for (i, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(state[i]).wrapping_add(*key);
            state.swap(i, usize::from(j));
        }
        Self { state, i: 0, j: 0 }
    }

    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            let (i, at_i) = (usize::from(self.i), self.state[usize::from(self.i)]);
            self.j = self.j.wrapping_add(at_i);
            let at_j = self.state[usize::from(self.j)];
            self.state.swap(i, usize::from(self.j));
            *byte ^= self.state[usize::from(at_i.wrapping_add(at_j))];
        }
    }
}

impl Step for Rc4 {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let n_bytes = fill(source, &mut bytes)?;
        self.apply(&mut bytes[..n_bytes]);
        out.extend_from_slice(&bytes[..n_bytes]);
        Ok(n_bytes == bytes.len())
    }
}

pub(super) enum Aes {
    Short(Box<Aes128>),
    Long(Box<Aes256>),
}

impl Aes {
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        let short = Aes128::new_from_slice(key).map(|aes| Self::Short(Box::new(aes))).ok();
        short.or_else(|| Aes256::new_from_slice(key).map(|aes| Self::Long(Box::new(aes))).ok())
    }

    fn decrypt(&self, block: &mut Block) {
        match self {
            Self::Short(aes) => aes.decrypt_block(block),
            Self::Long(aes) => aes.decrypt_block(block),
        }
    }

    /// Decrypts whole blocks, chained from a first block of zeros.
    pub(super) fn decrypt_chained(&self, bytes: &mut [u8]) {
        let mut before = [0; BLOCK];
        for bytes in bytes.chunks_exact_mut(BLOCK) {
            before = self.decrypt_behind(bytes, before);
        }
    }

    /// Decrypts one block behind the encrypted one `before`, and returns what it was.
    fn decrypt_behind(&self, bytes: &mut [u8], before: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Block::default();
        block.copy_from_slice(bytes);
        let encrypted = block.into();
        self.decrypt(&mut block);
        for ((byte, decrypted), before) in bytes.iter_mut().zip(block).zip(before) {
            *byte = decrypted ^ before;
        }
        encrypted
    }

    /// Encrypts whole blocks, chained from `before`.
    pub(super) fn encrypt_chained(&self, bytes: &mut [u8], mut before: [u8; BLOCK]) {
        for bytes in bytes.chunks_exact_mut(BLOCK) {
            let mut block = Block::default();
            for ((to, byte), before) in block.iter_mut().zip(&*bytes).zip(before) {
                *to = byte ^ before;
            }
            match self {
                Self::Short(aes) => aes.encrypt_block(&mut block),
                Self::Long(aes) => aes.encrypt_block(&mut block),
            }
            bytes.copy_from_slice(&block);
            before = block.into();
        }
    }
}

/// The first block starts the chain, the last byte says how much padding there is. Readers keep what is
/// padded wrongly.
struct Chained {
    aes: Aes,
    before: Option<[u8; BLOCK]>,
}

impl Step for Chained {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut bytes = [0; BLOCK];
        if fill(source, &mut bytes)? < BLOCK {
            return Ok(false);
        }
        let Some(before) = self.before.replace(bytes) else { return Ok(true) };
        self.aes.decrypt_behind(&mut bytes, before);
        let is_last = source.fill_buf()?.is_empty();
        let n_padding = if is_last { usize::from(bytes[BLOCK - 1]) } else { 0 };
        let n_bytes = if n_padding <= BLOCK { BLOCK - n_padding } else { BLOCK };
        out.extend_from_slice(&bytes[..n_bytes]);
        Ok(!is_last)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn decrypted(cipher: &Cipher, data: Vec<u8>) -> Vec<u8> {
        let mut out = Vec::new();
        cipher.decrypted(Box::new(io::Cursor::new(data))).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn rc4_is_what_it_is_everywhere() {
        let data = b"\xbb\xf3\x16\xe8\xd9\x40\xaf\x0a\xd3".to_vec();
        assert_eq!(decrypted(&Cipher::Rc4(b"Key".to_vec()), data), b"Plaintext");
    }

    #[test]
    fn padding_is_taken_off_where_it_is_right() {
        let start = [7; BLOCK];
        for n_key_bytes in [16, 32] {
            let key = vec![3; n_key_bytes];
            let encrypted = |plain: &[u8]| {
                let mut bytes = plain.to_vec();
                Aes::new(&key).unwrap().encrypt_chained(&mut bytes, start);
                [&start[..], &bytes].concat()
            };
            let cipher = Cipher::Aes(key.clone());
            let plain = (0..30).chain([2, 2]).collect::<Vec<u8>>();
            assert_eq!(decrypted(&cipher, encrypted(&plain)), plain[..30]);
            assert_eq!(decrypted(&cipher, encrypted(&[99; 32])), [99; 32]);
            assert_eq!(decrypted(&cipher, [encrypted(&[99; 16]), vec![1; 5]].concat()), [99; 16]);
            assert_eq!(decrypted(&cipher, vec![1; 15]), []);
        }
    }
}
