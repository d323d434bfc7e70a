//! Decrypts streams of a PDF: RC4, or AES in cipher block chaining mode (ISO 32000-2, 7.6.3).

use std::io::{self, BufRead};

use crate::ciphers::{Aes, BLOCK, Rc4};

use super::steps::{Source, Step, decoding, fill};

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

impl Step for Rc4 {
    fn step(&mut self, source: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let n_bytes = fill(source, &mut bytes)?;
        self.apply(&mut bytes[..n_bytes]);
        out.extend_from_slice(&bytes[..n_bytes]);
        Ok(n_bytes == bytes.len())
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
