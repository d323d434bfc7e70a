//! Tells packets of an encrypted OpenPGP message from bytes that only begin like some (RFC 9580, 5.1 and 5.3,
//! 5.7 and 5.13).

use std::io;

use super::packet::{Packet, Size};
use crate::fields::Fields as _;

pub(super) const PUBLIC_KEY_ENCRYPTED_SESSION_KEY: u8 = 1;
pub(super) const SYMMETRIC_KEY_ENCRYPTED_SESSION_KEY: u8 = 3;
pub(super) const ENCRYPTED_DATA: u8 = 9;
pub(super) const ENCRYPTED_AND_PROTECTED_DATA: u8 = 18;
/// Of GnuPG 2.3 and later.
pub(super) const AEAD_ENCRYPTED_DATA: u8 = 20;

/// Whether some packet of a message says that the message is encrypted.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Encryption {
    has_session_key: bool,
    pub(super) is_found: bool,
}

impl Encryption {
    pub(super) fn take(&mut self, packet: &Packet) -> io::Result<()> {
        /// More than the longest session key that is encrypted to a post-quantum key.
        const MOST: u64 = 8 * 1024;
        match packet.tag {
            PUBLIC_KEY_ENCRYPTED_SESSION_KEY => {
                self.has_session_key |= is_encrypted_to_key(&packet.start(MOST)?);
            }
            SYMMETRIC_KEY_ENCRYPTED_SESSION_KEY => {
                self.has_session_key |= is_encrypted_to_passphrase(&packet.start(MOST)?);
            }
            ENCRYPTED_DATA | ENCRYPTED_AND_PROTECTED_DATA | AEAD_ENCRYPTED_DATA => {
                let is_known =
                    self.has_session_key || (packet.ends_with_blob && packet.size != Size::Indeterminate);
                self.is_found |= is_known && is_encrypted_data(packet.tag, &packet.start(MOST)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_encrypted_to_key(body: &[u8]) -> bool {
    let (algorithm_at, is_version) = match body.u8_at(0) {
        2 | 3 => (9, true),
        // The version and the fingerprint of the key, or neither.
        6 => (2 + usize::from(body.u8_at(1)), matches!(body.u8_at(1), 0 | 21 | 33)),
        _ => (0, false),
    };
    let key = body.get(algorithm_at + 1..).unwrap_or_default();
    is_version
        && match body.u8_at(algorithm_at) {
            // RSA, then Elgamal, then ECDH.
            1..=3 => behind_integer(key).is_some(),
            16 | 20 => behind_integer(key).and_then(behind_integer).is_some(),
            18 => behind_integer(key).is_some_and(holds_wrapped_key),
            // X25519 and X448.
            25 => key.get(32..).is_some_and(holds_wrapped_key),
            26 => key.get(56..).is_some_and(holds_wrapped_key),
            // Post-quantum keys: GnuPG's Kyber, and those of the IETF.
            8 | 29..=36 | 105..=107 => key.len() > 1000,
            _ => false,
        }
}

/// What stands behind a number of the form that is its length in bits and its bytes.
fn behind_integer(bytes: &[u8]) -> Option<&[u8]> {
    let n_bits = bytes.get(..2)?.try_into().map_or(0, u16::from_be_bytes);
    let n_bytes = usize::from(n_bits).div_ceil(8);
    bytes.get(2 + n_bytes..).filter(|_| n_bytes > 0)
}

fn holds_wrapped_key(bytes: &[u8]) -> bool {
    let n_bytes = usize::from(bytes.u8_at(0));
    n_bytes >= 16 && bytes.len() > n_bytes
}

fn is_encrypted_to_passphrase(body: &[u8]) -> bool {
    let (cipher_at, specifier_at) = match body.u8_at(0) {
        4 => (1, 2),
        5 => (1, 3),
        6 => (2, 5),
        _ => return false,
    };
    let is_hash = (1..=14).contains(&body.u8_at(specifier_at + 1));
    // How the key is made of the passphrase: simple, salted, iterated and salted, Argon2.
    let n_specifier = match body.u8_at(specifier_at) {
        0 if is_hash => 2,
        1 if is_hash => 10,
        3 if is_hash => 11,
        4 => 20,
        _ => return false,
    };
    is_cipher(body.u8_at(cipher_at)) && body.len() >= specifier_at + n_specifier
}

fn is_cipher(number: u8) -> bool {
    (1..=13).contains(&number)
}

fn is_encrypted_data(tag: u8, body: &[u8]) -> bool {
    let is_aead = || is_cipher(body.u8_at(1)) && (1..=3).contains(&body.u8_at(2)) && body.u8_at(3) <= 56;
    match (tag, body.u8_at(0)) {
        (ENCRYPTED_DATA, _) | (ENCRYPTED_AND_PROTECTED_DATA, 1) => !body.is_empty(),
        (ENCRYPTED_AND_PROTECTED_DATA, 2) | (AEAD_ENCRYPTED_DATA, 1) => is_aead(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;
    use crate::openpgp::packet::Packets;

    fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[0xc0 | tag, 0xff][..], &size, body].concat()
    }

    fn is_encrypted(bytes: &[u8]) -> bool {
        let (mut packets, mut encryption) =
            (Packets::new(&Blob::from_bytes(bytes.to_vec())), Encryption::default());
        while let Some(packet) = packets.next_packet().unwrap() {
            encryption.take(&packet).unwrap();
        }
        encryption.is_found
    }

    fn to_key(version: u8, algorithm: u8, key: &[u8]) -> Vec<u8> {
        packet(1, &[&[version][..], b"8 bytes.", &[algorithm], key].concat())
    }

    fn protected() -> Vec<u8> {
        packet(18, &[&[1][..], &[7; 40]].concat())
    }

    #[test]
    fn a_session_key_and_data_are_an_encrypted_message() {
        let integer = [&[0, 20][..], b"123"].concat();
        let wrapped = [&[16][..], &[1; 16]].concat();
        let passphrase = |body: &[u8]| packet(3, body);
        for keys in [
            to_key(3, 1, &integer),
            to_key(2, 1, &integer),
            to_key(3, 16, &[&integer[..], &integer].concat()),
            to_key(3, 18, &[&integer[..], &wrapped].concat()),
            to_key(3, 25, &[&[9; 32][..], &wrapped].concat()),
            to_key(3, 26, &[&[9; 56][..], &wrapped].concat()),
            packet(1, &[&[6, 21][..], &[4; 21], &[25], &[9; 32], &wrapped].concat()),
            passphrase(&[&[4, 9, 3, 8][..], b"8 bytes.", &[0x60]].concat()),
            passphrase(&[4, 9, 0, 2]),
            passphrase(&[&[5, 9, 2, 3, 8][..], &[1; 40]].concat()),
            passphrase(&[&[6, 30, 9, 2, 20, 4][..], &[1; 60]].concat()),
        ] {
            let marker = packet(10, b"PGP");
            let aead = packet(20, &[1, 9, 2, 16, 1, 2, 3]);
            for data in [protected(), packet(9, b"anything"), aead, packet(18, &[2, 9, 2, 6, 1, 2])] {
                assert!(is_encrypted(&[&keys[..], &data].concat()), "{keys:x?} {data:x?}");
            }
            assert!(is_encrypted(&[&keys[..], &marker, &protected(), &marker].concat()), "{keys:x?}");
            assert!(is_encrypted(&[&keys[..], &protected()[..20]].concat()), "cut: {keys:x?}");
            assert!(!is_encrypted(&keys), "no data: {keys:x?}");
            assert!(!is_encrypted(&[&keys[..], &packet(18, &[9; 40])].concat()), "{keys:x?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_session_key_is_none() {
        for keys in [
            to_key(7, 1, &[0, 8, 1]),
            to_key(3, 17, &[0, 8, 1]),
            to_key(3, 1, &[1, 0, 1]),
            to_key(3, 1, &[0, 0, 1]),
            to_key(3, 16, &[0, 8, 1]),
            packet(3, &[4, 99, 0, 2]),
            packet(3, &[4, 9, 7, 2]),
            packet(3, &[4, 9, 3, 2]),
            packet(3, &[4, 9, 0, 99]),
            packet(3, b""),
        ] {
            assert!(!is_encrypted(&[&keys[..], &protected(), b"\xcb\0"].concat()), "{keys:x?}");
        }
    }

    #[test]
    fn data_alone_must_fill_the_file() {
        let data = packet(9, &[7; 300]);
        assert!(is_encrypted(&data));
        assert!(is_encrypted(&[&packet(10, b"PGP")[..], &data].concat()));
        assert!(!is_encrypted(&[&data[..], b"x"].concat()));
        assert!(!is_encrypted(&data[..200]));
        assert!(!is_encrypted(&packet(9, &[7; 30])), "as many short files do");
        assert!(!is_encrypted(&[&[0xa7][..], &[7; 300]].concat()), "any file does");
        let parts = [&[0xc9, 0xe9][..], &[7; 512], &[3, 1, 2, 3]].concat();
        assert!(is_encrypted(&parts));
        assert!(!is_encrypted(&parts[..514]));
    }
}
