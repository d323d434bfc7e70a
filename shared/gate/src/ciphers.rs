//! Decrypts with RC4 and AES, as PDF and Office use them.

use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes192, Aes256, Block};

/// Bytes of a block of AES.
pub(crate) const BLOCK: usize = 16;

pub(crate) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    pub(crate) fn new(key: &[u8]) -> Self {
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

    pub(crate) fn apply(&mut self, bytes: &mut [u8]) {
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

/// With a key of 16, 24 or 32 bytes.
pub(crate) enum Aes {
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl Aes {
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        let aes128 = || Aes128::new_from_slice(key).map(|aes| Self::Aes128(Box::new(aes))).ok();
        let aes192 = || Aes192::new_from_slice(key).map(|aes| Self::Aes192(Box::new(aes))).ok();
        let aes256 = || Aes256::new_from_slice(key).map(|aes| Self::Aes256(Box::new(aes))).ok();
        aes128().or_else(aes192).or_else(aes256)
    }

    fn decrypt(&self, block: &mut Block) {
        match self {
            Self::Aes128(aes) => aes.decrypt_block(block),
            Self::Aes192(aes) => aes.decrypt_block(block),
            Self::Aes256(aes) => aes.decrypt_block(block),
        }
    }

    fn encrypt(&self, block: &mut Block) {
        match self {
            Self::Aes128(aes) => aes.encrypt_block(block),
            Self::Aes192(aes) => aes.encrypt_block(block),
            Self::Aes256(aes) => aes.encrypt_block(block),
        }
    }

    /// Decrypts whole blocks, each by itself (ECB).
    pub(crate) fn decrypt_each(&self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_exact_mut(BLOCK) {
            self.decrypt_behind(bytes, [0; BLOCK]);
        }
    }

    /// Decrypts whole blocks, chained (CBC) from `before`.
    pub(crate) fn decrypt_chained(&self, bytes: &mut [u8], mut before: [u8; BLOCK]) {
        for bytes in bytes.chunks_exact_mut(BLOCK) {
            before = self.decrypt_behind(bytes, before);
        }
    }

    /// Decrypts one block behind the encrypted one `before`, and returns what it was.
    pub(crate) fn decrypt_behind(&self, bytes: &mut [u8], before: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Block::default();
        block.copy_from_slice(bytes);
        let encrypted = block.into();
        self.decrypt(&mut block);
        for ((byte, decrypted), before) in bytes.iter_mut().zip(block).zip(before) {
            *byte = decrypted ^ before;
        }
        encrypted
    }

    /// Encrypts whole blocks, chained (CBC) from `before`.
    pub(crate) fn encrypt_chained(&self, bytes: &mut [u8], mut before: [u8; BLOCK]) {
        for bytes in bytes.chunks_exact_mut(BLOCK) {
            let mut block = Block::default();
            for ((to, byte), before) in block.iter_mut().zip(&*bytes).zip(before) {
                *to = byte ^ before;
            }
            self.encrypt(&mut block);
            bytes.copy_from_slice(&block);
            before = block.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rc4_is_what_it_is_everywhere() {
        let mut data = *b"\xbb\xf3\x16\xe8\xd9\x40\xaf\x0a\xd3";
        Rc4::new(b"Key").apply(&mut data);
        assert_eq!(&data, b"Plaintext");
    }

    #[test]
    fn aes_has_keys_of_three_sizes() {
        for n_bytes in [16, 24, 32] {
            let aes = Aes::new(&vec![3; n_bytes]).unwrap();
            let mut chained = [7; 3 * BLOCK];
            aes.encrypt_chained(&mut chained, [9; BLOCK]);
            assert_ne!(chained[..BLOCK], chained[BLOCK..2 * BLOCK]);
            let mut first = [chained[0..BLOCK].to_vec(), chained[0..BLOCK].to_vec()].concat();
            aes.decrypt_each(&mut first);
            assert_eq!(first, [7 ^ 9; 2 * BLOCK]);
            aes.decrypt_chained(&mut chained, [9; BLOCK]);
            assert_eq!(chained, [7; 3 * BLOCK]);
        }
        assert!([0, 8, 20, 33].into_iter().all(|n_bytes| Aes::new(&vec![3; n_bytes]).is_none()));
    }
}
