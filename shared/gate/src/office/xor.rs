//! Undoes the XOR obfuscation of workbooks ([MS-OFFCRYPTO] 2.3.7.1 to 2.3.7.3, method 1).

use crate::fields::Fields as _;

const LONGEST_PASSWORD: usize = 15;
/// What short passwords are filled up with.
const PADDING: [u8; LONGEST_PASSWORD] =
    [0xbb, 0xff, 0xff, 0xba, 0xff, 0xff, 0xb9, 0x80, 0x00, 0xbe, 0x0f, 0x00, 0xbf, 0x0f, 0x00];

/// What is combined with each byte.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct XorArray([u8; 16]);

impl XorArray {
    /// The array that the password gives, if key and verifier are of it.
    pub(super) fn of(password: &str, key_and_verifier: &[u8]) -> Option<Self> {
        let password = bytes_of(password);
        let is_right = key_and_verifier.len() == 4
            && key_and_verifier.u16_le(0) == key(&password)
            && key_and_verifier.u16_le(2) == verifier(&password);
        if !is_right {
            return None;
        }
        let key = key(&password).to_le_bytes();
        let mut array = [0; 16];
        let filled_up = password.iter().chain(&PADDING);
        for ((at, byte), key) in array.iter_mut().zip(filled_up).zip(key.iter().cycle()) {
            *at = (byte ^ key).rotate_right(1);
        }
        Some(Self(array))
    }

    /// Decrypts bytes at a position that counts for the array.
    pub(super) fn apply(&self, position: usize, bytes: &mut [u8]) {
        for (byte, key) in bytes.iter_mut().zip(self.0.iter().cycle().skip(position % self.0.len())) {
            *byte = (*byte ^ key).rotate_right(5);
        }
    }
}

/// Characters beyond one byte are cut to their lower one, unless it is zero ([MS-OFFCRYPTO] 2.3.7.4).
fn bytes_of(password: &str) -> Vec<u8> {
    let byte = |unit: u16| match unit.to_le_bytes() {
        [0, upper] => upper,
        [lower, _] => lower,
    };
    password.encode_utf16().map(byte).take(LONGEST_PASSWORD).collect()
}

/// The key of a password: a cyclic redundancy check of its seven bits a character, from the last to the
/// first.
fn key(password: &[u8]) -> u16 {
    let step = |value: u16| {
        let value = value.rotate_left(1);
        if value & 1 == 1 { value ^ 0x1020 } else { value }
    };
    let (mut key, mut base, mut end) = (0, 0x8000, 0xffff);
    for byte in password.iter().rev() {
        for bit in 0..8 {
            base = step(base);
            end = step(end);
            if bit < 7 && byte >> bit & 1 == 1 {
                key ^= base;
            }
        }
    }
    key ^ end
}

fn verifier(password: &[u8]) -> u16 {
    let n_bytes = u8::try_from(password.len()).unwrap_or(u8::MAX);
    let rotated = |value: u16| value >> 14 & 1 | value << 1 & 0x7fff;
    let sum = password.iter().rev().chain([&n_bytes]).fold(0, |sum, byte| rotated(sum) ^ u16::from(*byte));
    sum ^ 0xce4b
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys by the tables of the specification.
    #[test]
    fn keys_are_those_of_the_tables() {
        for (password, expected) in [
            ("VelvetSweatshop", 0xb359),
            ("a", 0x9d77),
            ("password", 0x147a),
            ("123456789012345", 0x8265),
            ("1234567890123456", 0x8265),
        ] {
            assert_eq!(key(&bytes_of(password)), expected, "{password}");
        }
    }

    #[test]
    fn what_is_obfuscated_with_it_is_read() {
        let password = bytes_of("VelvetSweatshop");
        let given = [key(&password).to_le_bytes(), verifier(&password).to_le_bytes()].concat();
        assert!(XorArray::of("VelvetSweatshoq", &given).is_none());
        assert!(XorArray::of("VelvetSweatshop", &given[..3]).is_none());
        let array = XorArray::of("VelvetSweatshop", &given).unwrap();
        let mut bytes = *b"eicar in a workbook that is long";
        for (byte, key) in bytes.iter_mut().zip(array.0.iter().cycle().skip(5)) {
            *byte = byte.rotate_left(5) ^ key;
        }
        array.apply(21, &mut bytes);
        assert_eq!(&bytes, b"eicar in a workbook that is long");
        assert_eq!(bytes_of("\u{20ac}\u{100}"), [0xac, 1]);
    }
}
