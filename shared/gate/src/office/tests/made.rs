//! Makes encrypted documents as programs do.

use crate::ciphers::{Aes, BLOCK};
use crate::office::crypto_api;
use crate::office::hash::{Hash, utf16_le};
use crate::office::rc4::{Rc4Key, Rc4Stream, legacy_key};

pub(super) const EICAR: &[u8] = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*";
pub(super) const SALT: [u8; 16] = [7; 16];

pub(super) type Streams = Vec<(&'static str, Vec<u8>)>;

/// A compound file of streams, which are padded with zeros so that they need no mini stream.
pub(super) fn compound_file(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    const SECTOR: usize = 512;
    let n_directory = (streams.len() + 1).div_ceil(4);
    let (mut fat, mut directory, mut content) = (vec![0xffff_fffd_u32], vec![], vec![]);
    fat.extend(
        (0..n_directory).map(|n| if n + 1 < n_directory { u32::try_from(n).unwrap() + 2 } else { !1 }),
    );
    let mut entry = |name: &str, kind: u8, starts_at: u32, n_bytes: usize| {
        let mut bytes = name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let n_name_bytes = u8::try_from(bytes.len() + 2).unwrap();
        bytes.resize(128, 0);
        (bytes[64], bytes[66]) = (n_name_bytes, kind);
        bytes[116..120].copy_from_slice(&starts_at.to_le_bytes());
        bytes[120..124].copy_from_slice(&u32::try_from(n_bytes).unwrap().to_le_bytes());
        directory.extend(bytes);
    };
    entry("Root Entry", 5, !1, 0);
    for (name, data) in streams {
        let mut data = data.clone();
        data.resize(data.len().max(4096), 0);
        let (first, n_sectors) = (u32::try_from(fat.len()).unwrap(), data.len().div_ceil(SECTOR));
        entry(name, 2, first, data.len());
        data.resize(n_sectors * SECTOR, 0);
        fat.extend((1..n_sectors).map(|n| first + u32::try_from(n).unwrap()).chain([!1]));
        content.extend(data);
    }
    directory.resize(n_directory * SECTOR, 0);
    fat.resize(SECTOR / 4, !0);
    let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    header.resize(SECTOR, 0xff);
    (header[30], header[31], header[32], header[33]) = (9, 0, 6, 0);
    header[48..52].copy_from_slice(&1u32.to_le_bytes());
    header[56..60].copy_from_slice(&4096u32.to_le_bytes());
    header[76..80].copy_from_slice(&0u32.to_le_bytes());
    [header, fat.iter().flat_map(|next| next.to_le_bytes()).collect(), directory, content].concat()
}

/// A zip with EICAR behind a few segments, stored.
fn package() -> Vec<u8> {
    let (mut members, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in [("a", &[b' '; 9000][..]), ("b", EICAR)] {
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let crc = crc32fast::hash(data).to_le_bytes();
        let common = [&[0; 8][..], &crc, &size, &size, &[1, 0, 0, 0]].concat();
        let offset = u32::try_from(members.len()).unwrap().to_le_bytes();
        members.extend([b"PK\x03\x04\x0a\0", &common[..], name.as_bytes(), data].concat());
        let rest = [&[0; 10][..], &offset, name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x0a\0\x0a\0", &common[..], &rest].concat());
    }
    let [at, n_bytes] = [&members, &directory].map(|part| u32::try_from(part.len()).unwrap().to_le_bytes());
    [&members[..], &directory, b"PK\x05\x06\0\0\0\0\x02\0\x02\0", &n_bytes, &at, &[0, 0]].concat()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

pub(super) fn agile(password: &str, hash: Hash, name: &str, n_key_bits: usize) -> Streams {
    let fitted = |mut bytes: Vec<u8>, n_bytes: usize| {
        bytes.resize(n_bytes, 0x36);
        bytes
    };
    let chained = |key: &[u8], start: &[u8], plain: &[u8]| {
        let mut bytes = padded(plain);
        let start = fitted(start.to_vec(), BLOCK).try_into().unwrap();
        Aes::new(key).unwrap().encrypt_chained(&mut bytes, start);
        bytes
    };
    let (key, verifier) = (vec![5; n_key_bits / 8], [9; 16]);
    let mut secret = hash.of(&SALT, &utf16_le(password));
    for round in 0..20u32 {
        secret = hash.of(&round.to_le_bytes(), &secret);
    }
    let for_xml = |mark: [u8; 8], plain: &[u8]| {
        use base64::Engine as _;
        let key = fitted(hash.of(&secret, &mark), n_key_bits / 8);
        base64::engine::general_purpose::STANDARD.encode(chained(&key, &SALT, plain))
    };
    let common = format!(
        "saltSize='16' blockSize='16' keyBits='{n_key_bits}' hashSize=\"{}\" cipherAlgorithm='AES' \
         cipherChaining='ChainingModeCBC' hashAlgorithm='{name}' saltValue='BwcHBwcHBwcHBwcHBwcHBw=='",
        hash.n_bytes()
    );
    let xml = format!(
        "<?xml version='1.0'?><encryption><keyData {common}/><keyEncryptors><keyEncryptor uri='x'>\
         <p:encryptedKey \
         spinCount='20' {common} encryptedVerifierHashInput='{}' encryptedVerifierHashValue='{}' \
         encryptedKeyValue='{}'/></keyEncryptor></keyEncryptors></encryption>",
        for_xml([0xfe, 0xa7, 0xd2, 0x76, 0x3b, 0x4b, 0x9e, 0x79], &verifier),
        for_xml([0xd7, 0xaa, 0x0f, 0x6d, 0x30, 0x61, 0x34, 0x4e], &hash.of(&verifier, b"")),
        for_xml([0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6], &key),
    );
    let segments = (0u32..).zip(package().chunks(4096).map(<[u8]>::to_vec).collect::<Vec<_>>());
    let encrypted = segments.flat_map(|(n, plain)| chained(&key, &hash.of(&SALT, &n.to_le_bytes()), &plain));
    let info = [&[4, 0, 4, 0, 0x40, 0, 0, 0], xml.as_bytes(), &[b' '; 4096]].concat();
    vec![("EncryptionInfo", info), ("EncryptedPackage", with_size(encrypted.collect()))]
}

fn with_size(encrypted: Vec<u8>) -> Vec<u8> {
    [u64::try_from(package().len()).unwrap().to_le_bytes().to_vec(), encrypted].concat()
}

/// The header of documents that are encrypted through CryptoAPI, without the verifier.
fn crypto_api_header(algorithm: u32, n_key_bits: u32) -> Vec<u8> {
    let fields = [0x24, 0, algorithm, 0x8004, n_key_bits, 0x18, 0, 0];
    let numbers = [0x0002_0003, 0x24, 34].into_iter().chain(fields).flat_map(u32::to_le_bytes);
    let salt = [16u32.to_le_bytes().as_slice(), &SALT].concat();
    numbers.chain([0, 0]).chain(salt).collect()
}

pub(super) fn standard(password: &str, algorithm: u32, n_key_bits: u32) -> Streams {
    let secret = Hash::Sha1.repeated(&SALT, &utf16_le(password), crypto_api::N_ROUNDS);
    let last = Hash::Sha1.of(&secret, &[0; 4]);
    let half = |pad: u8| {
        let block = (0..64).map(|at| pad ^ last.get(at).unwrap_or(&0)).collect::<Vec<_>>();
        Hash::Sha1.of(&block, b"")
    };
    let key = [half(0x36), half(0x5c)].concat()[..usize::try_from(n_key_bits).unwrap() / 8].to_vec();
    let encrypted = |plain: &[u8]| {
        let mut bytes = padded(plain);
        let aes = Aes::new(&key).unwrap();
        bytes.chunks_mut(BLOCK).for_each(|block| aes.encrypt_chained(block, [0; BLOCK]));
        bytes
    };
    let verifier = encrypted(&[9; 16]);
    let hash = encrypted(&Hash::Sha1.of(&[9; 16], b""));
    let info = [crypto_api_header(algorithm, n_key_bits), verifier, 20u32.to_le_bytes().to_vec(), hash];
    vec![("EncryptionInfo", info.concat()), ("EncryptedPackage", with_size(encrypted(&package())))]
}

pub(super) fn crypto_api_key(password: &str, n_bytes: usize) -> Rc4Key {
    Rc4Key { hash: Hash::Sha1, secret: Hash::Sha1.of(&SALT, &utf16_le(password)), n_bytes }
}

/// A header with the verifier of a key.
fn rc4_header(key: &Rc4Key) -> Vec<u8> {
    let mut verifier = [[9; 16].to_vec(), key.hash.of(&[9; 16], b"")].concat();
    key.cipher(0).apply(&mut verifier);
    if key.hash == Hash::Md5 {
        return [&[1, 0, 1, 0][..], &SALT, &verifier].concat();
    }
    let (verifier, hash) = verifier.split_at(16);
    let n_key_bits = u32::try_from(key.n_bytes * 8).unwrap();
    [crypto_api_header(0x6801, n_key_bits), verifier.to_vec(), vec![20, 0, 0, 0], hash.to_vec()].concat()
}

/// Each way in which RC4 is keyed.
pub(super) fn rc4_keys(password: &str) -> [Rc4Key; 3] {
    [legacy_key(&SALT, password), crypto_api_key(password, 5), crypto_api_key(password, 16)]
}

pub(super) fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &u16::try_from(data.len()).unwrap().to_le_bytes(), data].concat()
}

/// A workbook whose records are encrypted by RC4, EICAR behind a few blocks.
pub(super) fn workbook(key: &Rc4Key) -> Vec<u8> {
    let mut stream = Rc4Stream::new(key.clone(), 1024);
    let mut encrypted = |kind: u16, data: &[u8], n_plain: usize| {
        let mut data = data.to_vec();
        stream.skip(4 + n_plain);
        stream.apply(&mut data[n_plain..]);
        record(kind, &data)
    };
    let pass = [&[1, 0][..], &rc4_header(key)].concat();
    [
        encrypted(0x0809, &[0; 16], 16),
        encrypted(0x002f, &pass, pass.len()),
        encrypted(0x0085, &[8; 30], 4),
        encrypted(0x00fc, &[1; 3000], 0),
        encrypted(0x00fc, EICAR, 0),
        encrypted(0x000a, &[], 0),
    ]
    .concat()
}

/// A workbook that is obfuscated with the password of Excel: key and verifier are those of the
/// specification's algorithms.
pub(super) fn obfuscated_workbook(key: u16, verifier: u16, array: [u8; 16]) -> Vec<u8> {
    let pass = [0, key, verifier].into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let mut bytes = [record(0x0809, &[0; 16]), record(0x002f, &pass)].concat();
    let data_at = bytes.len() + 4;
    let mut data = EICAR.to_vec();
    for (at, byte) in data.iter_mut().enumerate() {
        *byte = byte.rotate_left(5) ^ array[(data_at + EICAR.len() + at) % 16];
    }
    bytes.extend([record(0x00fc, &data), record(0x000a, &[])].concat());
    bytes
}

/// A document with EICAR in its data stream.
pub(super) fn word(key: &Rc4Key) -> Streams {
    let encrypted = |plain: &[u8], data: &[u8]| {
        let (mut stream, mut data) = (Rc4Stream::new(key.clone(), 512), data.to_vec());
        stream.skip(plain.len());
        stream.apply(&mut data);
        [plain, &data].concat()
    };
    let header = rc4_header(key);
    let mut head = [0; 68];
    head[..2].copy_from_slice(&0xa5ec_u16.to_le_bytes());
    head[10..12].copy_from_slice(&0x0300_u16.to_le_bytes());
    head[14] = u8::try_from(header.len()).unwrap();
    vec![
        ("WordDocument", encrypted(&head, b"text")),
        ("1Table", encrypted(&header, &[3; 600])),
        ("Data", encrypted(b"", &package())),
    ]
}

/// A presentation with EICAR in an object, in a picture or among the moved streams, in turn.
pub(super) fn power_point(key: &Rc4Key, token: u32, eicar_in: Place) -> Streams {
    let text = |place: Place| if place == eicar_in { EICAR.to_vec() } else { vec![b'.'; 50] };
    let long = |kind: u16, data: &[u8]| {
        let n_bytes = u32::try_from(data.len()).unwrap().to_le_bytes();
        [&[0, 0][..], &kind.to_le_bytes(), &n_bytes, data].concat()
    };
    let encrypted = |block: u32, mut bytes: Vec<u8>| {
        key.cipher(block).apply(&mut bytes);
        bytes
    };
    let mut document = encrypted(1, long(0x03e8, &text(Place::Object)));
    let session_at = document.len();
    document.extend(long(0x2f14, &rc4_header(key)));
    let directory_at = document.len();
    let words = |words: &[usize]| -> Vec<u8> {
        words.iter().flat_map(|word| u32::try_from(*word).unwrap().to_le_bytes()).collect()
    };
    document.extend(long(0x1772, &words(&[2 << 20 | 1, 0, session_at])));
    let edit_at = document.len();
    document.extend(long(0x0ff5, &words(&[0, 0, 0, directory_at, 1, 2, 0, 2])));
    let user = [words(&[0, 0, 0x14]), token.to_le_bytes().to_vec(), words(&[edit_at])].concat();
    let picture = long(0xf01e, &[&[7; 17], &text(Place::Picture)[..]].concat());
    let (mut rest, mut pictures) = (picture.as_slice(), Vec::new());
    for n_bytes in [8, 16, 1, picture.len() - 25] {
        pictures.extend(encrypted(0, rest[..n_bytes].to_vec()));
        rest = &rest[n_bytes..];
    }
    // A last record that fills the stream, so that the rest of it is not a picture.
    let filling = long(0xf01e, &vec![0; 4096 - pictures.len() - 8]);
    for (from, to) in [(0, 8), (8, 24), (24, 25), (25, filling.len())] {
        pictures.extend(encrypted(0, filling[from..to].to_vec()));
    }
    vec![("Current User", user), ("PowerPoint Document", document), ("Pictures", pictures)]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    Object,
    Picture,
}

/// The stream of streams that are moved away, one with EICAR.
pub(super) fn moved(key: &Rc4Key) -> Vec<u8> {
    let mut data = EICAR.to_vec();
    key.cipher(3).apply(&mut data);
    let name = [utf16_le("Ctls"), vec![0; 2]].concat();
    let n_bytes = u8::try_from(EICAR.len()).unwrap();
    let descriptor = [&[8, 0, 0, 0, n_bytes, 0, 0, 0, 3, 0, 4, 1, 0, 0, 0, 0][..], &name].concat();
    let mut array = [&[1, 0, 0, 0][..], &descriptor].concat();
    key.cipher(0).apply(&mut array);
    let head = [8 + EICAR.len(), array.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes());
    let mut head = head.concat();
    key.cipher(0).apply(&mut head);
    [head, data, array].concat()
}
