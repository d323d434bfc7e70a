//! Derives the keys of documents that readers open without asking for a password (ISO 32000-2, 7.6.4): those
//! whose user password, or owner password, is empty. And of those that the uploader's password opens.

use domain::password::Password;
use domain::verdict::{Decryption, Unscannable};
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::ciphers::{Aes, BLOCK, Rc4};
use crate::walk::{Walked, refuse};

use super::ciphers::Cipher;
use super::index::Index;
use super::values::Value;

/// What an empty password is filled up with.
const PADDING: &[u8; 32] = b"\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\
    \x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a";
/// Encryption dictionaries, and keys that fit. There is one, in every revision the same.
const MAX_KEYS: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    None,
    Rc4,
    Aes128,
    Aes256,
}

/// A document's key, and what its streams may be encrypted with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    bytes: Vec<u8>,
    methods: Vec<Method>,
}

impl Key {
    /// How the stream of this number and generation may be encrypted.
    pub(super) fn ciphers(&self, (number, generation): (u64, u64)) -> Vec<Cipher> {
        let salted = |salt: &[u8]| {
            let (number, generation) = (number.to_le_bytes(), generation.to_le_bytes());
            let digest = Md5::digest([&self.bytes, &number[..3], &generation[..2], salt].concat());
            digest[..(self.bytes.len() + 5).min(16)].to_vec()
        };
        let cipher = |method: &Method| match method {
            Method::None => Cipher::None,
            Method::Rc4 => Cipher::Rc4(salted(b"")),
            Method::Aes128 => Cipher::Aes(salted(b"sAlT")),
            Method::Aes256 => Cipher::Aes(self.bytes.clone()),
        };
        self.methods.iter().map(cipher).collect()
    }
}

/// The keys of a document; none if it is not encrypted. Refuses one that needs another password than `given`.
///
/// Text that speaks of encryption does not point at an encryption dictionary.
pub(super) fn keys(index: &mut Index, given: Option<&Password>) -> Walked<Found> {
    let mut dictionaries = Vec::new();
    for value in index.encrypt.clone() {
        for resolved in index.resolved(&value)? {
            if is_encryption(&resolved) && !dictionaries.contains(&resolved) {
                dictionaries.push(resolved);
            }
        }
        if dictionaries.len() > MAX_KEYS {
            return refuse(
                Unscannable::TooManyFiles,
                "a PDF with more encryption dictionaries than the limit",
            );
        }
    }
    let mut all = Found::default();
    for dictionary in dictionaries {
        let standard = Standard::of(index, &dictionary)?;
        let keys = |password: Secret<'_>| {
            standard.as_ref().map(|standard| standard.keys(index, password)).unwrap_or_default()
        };
        let mut found = keys(Secret::EMPTY);
        if let Some(given) = given.filter(|_| found.is_empty()) {
            let older = given.exposed().chars().map(|character| u8::try_from(character).unwrap_or(b'?'));
            let older = older.collect::<Vec<_>>();
            found = keys(Secret { older: &older, newer: given.exposed().as_bytes() });
            if !found.is_empty() {
                all.decryption = Decryption::Password;
            }
        }
        if found.is_empty() {
            return refuse(Unscannable::Encrypted, "a PDF with a password");
        }
        all.decryption = all.decryption.max(Decryption::Open);
        all.keys.extend(found);
    }
    Ok(all)
}

/// The keys of a document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Found {
    pub(super) keys: Vec<Key>,
    /// How they were found.
    pub(super) decryption: Decryption,
}

/// A password as the revisions take it.
#[derive(Clone, Copy)]
struct Secret<'a> {
    /// Up to revision 4: in PDFDocEncoding, which is Latin-1 where it matters.
    older: &'a [u8],
    /// From revision 5 on: in UTF-8.
    newer: &'a [u8],
}

impl Secret<'_> {
    const EMPTY: Self = Self { older: b"", newer: b"" };

    /// Algorithm 2, step a.
    fn padded(self) -> [u8; 32] {
        let mut padded = [0; 32];
        for (place, byte) in padded.iter_mut().zip(self.older.iter().chain(PADDING)) {
            *place = *byte;
        }
        padded
    }

    fn in_utf_8(self) -> Vec<u8> {
        self.newer.iter().copied().take(127).collect()
    }
}

fn is_encryption(value: &Value) -> bool {
    let has = |key: &[u8]| !value.all(key).is_empty();
    matches!(value, Value::Dictionary(_))
        && has(b"Filter")
        && (has(b"V") || has(b"R") || has(b"O") || has(b"U"))
}

/// Entries of the standard security handler's dictionary.
struct Standard {
    revision: u64,
    owner: Vec<u8>,
    user: Vec<u8>,
    user_key: Vec<u8>,
    owner_key: Vec<u8>,
    permissions: [u8; 4],
    /// Lengths of the key in bytes: readers differ about where it stands, and in which unit.
    n_key_bytes: Vec<usize>,
    methods: Vec<Method>,
}

impl Standard {
    /// `None` for another handler, and for what readers may understand differently.
    fn of(index: &mut Index, dictionary: &Value) -> Walked<Option<Self>> {
        let mut all = |key: &[u8]| -> Walked<Vec<Value>> {
            let mut values = Vec::new();
            for value in dictionary.all(key) {
                values.extend(index.resolved(value)?);
            }
            values.dedup();
            Ok(values)
        };
        let versions = all(b"V")?;
        let mut single = |key: &[u8]| -> Walked<Option<Value>> {
            Ok(<[Value; 1]>::try_from(all(key)?).ok().map(|[value]| value))
        };
        let (filter, revision) = (single(b"Filter")?, single(b"R")?);
        let (owner, user, permissions) = (single(b"O")?, single(b"U")?, single(b"P")?);
        let (user_key, owner_key) = (string(single(b"UE")?), string(single(b"OE")?));
        let is_standard = filter.is_some_and(|filter| filter.is_name(b"Standard"));
        let (Some(Value::Integer(revision)), Some(Value::String(owner)), Some(Value::String(user))) =
            (revision, owner, user)
        else {
            return Ok(None);
        };
        let Some(Value::Integer(permissions)) = permissions.filter(|_| is_standard) else { return Ok(None) };
        let [a, b, c, d, ..] = permissions.to_le_bytes();
        let n_key_bytes = lengths(index, dictionary)?;
        Ok(Some(Self {
            revision: u64::try_from(revision).unwrap_or(0),
            owner,
            user,
            user_key,
            owner_key,
            permissions: [a, b, c, d],
            n_key_bytes,
            methods: methods(&versions, dictionary),
        }))
    }

    /// Every key that a password gives, as the user's or as the owner's, and the dictionary confirms.
    fn keys(&self, index: &Index, password: Secret<'_>) -> Vec<Key> {
        let mut keys = Vec::new();
        if self.revision >= 5 {
            let user = self.user.get(..48).unwrap_or_default();
            let password = password.in_utf_8();
            keys.extend(self.newer_key(&password, &self.user, &self.user_key, b""));
            keys.extend(self.newer_key(&password, &self.owner, &self.owner_key, user));
        } else {
            let none = Vec::new();
            for identifier in index.identifiers.iter().chain([&none]) {
                for n_bytes in &self.n_key_bytes {
                    let padded = password.padded();
                    let both = [Some(padded), self.behind_owner(&padded, *n_bytes)];
                    for password in both.into_iter().flatten() {
                        for marks in [&b""[..], &[0xff; 4]] {
                            let key = self.older_key(&password, identifier, *n_bytes, marks);
                            keys.extend(key.filter(|key| self.confirms(key, identifier)));
                        }
                    }
                }
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(MAX_KEYS);
        keys.into_iter().map(|bytes| Key { bytes, methods: self.methods.clone() }).collect()
    }

    /// Algorithm 2, for revisions 2 to 4. `marks` are there if the metadata is not encrypted.
    fn older_key(
        &self,
        password: &[u8; 32],
        identifier: &[u8],
        n_bytes: usize,
        marks: &[u8],
    ) -> Option<Vec<u8>> {
        let parts = [password, self.owner.get(..32)?, &self.permissions, identifier, marks];
        let mut digest = Md5::digest(parts.concat());
        if self.revision >= 3 {
            for _ in 0..50 {
                digest = Md5::digest(&digest[..n_bytes]);
            }
        }
        Some(digest[..n_bytes].to_vec())
    }

    /// Algorithm 7: the user password, padded, that an owner password gives.
    fn behind_owner(&self, owner: &[u8; 32], n_bytes: usize) -> Option<[u8; 32]> {
        let mut password = [0; 32];
        password.copy_from_slice(self.owner.get(..32)?);
        let mut digest = Md5::digest(owner);
        let n_rounds = if self.revision >= 3 { 20 } else { 1 };
        if self.revision >= 3 {
            for _ in 0..50 {
                digest = Md5::digest(digest);
            }
        }
        for round in (0..n_rounds).rev() {
            let key = digest[..n_bytes].iter().map(|byte| byte ^ round).collect::<Vec<_>>();
            Rc4::new(&key).apply(&mut password);
        }
        Some(password)
    }

    /// Algorithms 4 and 5.
    fn confirms(&self, key: &[u8], identifier: &[u8]) -> bool {
        if self.revision == 2 {
            let mut expected = *PADDING;
            Rc4::new(key).apply(&mut expected);
            return self.user.starts_with(&expected);
        }
        let mut expected: [u8; 16] = Md5::digest([PADDING, identifier].concat()).into();
        for round in 0..20 {
            let key = key.iter().map(|byte| byte ^ round).collect::<Vec<_>>();
            Rc4::new(&key).apply(&mut expected);
        }
        self.user.starts_with(&expected)
    }

    /// Algorithm 2.A, for revisions 5 and 6, with the entries of either password. The owner's are tied to
    /// those of the `user`.
    fn newer_key(&self, password: &[u8], entry: &[u8], encrypted: &[u8], user: &[u8]) -> Option<Vec<u8>> {
        let (digest, for_check, for_key) = (entry.get(..32)?, entry.get(32..40)?, entry.get(40..48)?);
        let hash = |salt: &[u8]| match self.revision {
            5 => Sha256::digest([password, salt, user].concat()).into(),
            _ => hardened(password, salt, user),
        };
        let mut key = encrypted.get(..32)?.to_vec();
        Aes::new(&hash(for_key))?.decrypt_chained(&mut key, [0; BLOCK]);
        (hash(for_check) == digest).then_some(key)
    }
}

fn string(value: Option<Value>) -> Vec<u8> {
    match value {
        Some(Value::String(string)) => string,
        _ => Vec::new(),
    }
}

/// Algorithm 2.B.
fn hardened(password: &[u8], salt: &[u8], user: &[u8]) -> [u8; 32] {
    let mut key = Sha256::digest([password, salt, user].concat()).to_vec();
    for round in 0u32.. {
        let mut data = [password, &key, user].concat().repeat(64);
        let mut before = [0; 16];
        before.copy_from_slice(&key[16..32]);
        if let Some(aes) = Aes::new(&key[..16]) {
            aes.encrypt_chained(&mut data, before);
        }
        let last = u32::from(data.last().copied().unwrap_or(0));
        key = match data[..16].iter().map(|byte| u32::from(*byte)).sum::<u32>() % 3 {
            0 => Sha256::digest(&data).to_vec(),
            1 => Sha384::digest(&data).to_vec(),
            _ => Sha512::digest(&data).to_vec(),
        };
        if round >= 63 && last <= round - 31 {
            break;
        }
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(&key[..32]);
    hash
}

fn lengths(index: &mut Index, dictionary: &Value) -> Walked<Vec<usize>> {
    let mut lengths = vec![5, 16];
    for value in dictionary.all(b"Length") {
        for length in index.integers(value)?.into_iter().filter_map(|length| usize::try_from(length).ok()) {
            lengths.extend([length, length / 8].into_iter().filter(|n_bytes| (1..=16).contains(n_bytes)));
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    Ok(lengths)
}

/// Streams and embedded files may be encrypted differently, and a stream may choose for itself: each method
/// that is named may be it. Where readers may not understand the dictionary alike, every method may be: they
/// look behind references, and take the whole part of a real number, or one of two versions.
fn methods(versions: &[Value], dictionary: &Value) -> Vec<Method> {
    match versions {
        [Value::Integer(1..=3)] => vec![Method::Rc4],
        [Value::Integer(4 | 5)] if has_usual_filters(dictionary) => named_methods(dictionary),
        _ => vec![Method::None, Method::Rc4, Method::Aes128, Method::Aes256],
    }
}

const METHODS: [(&[u8], Method); 5] = [
    (b"V2", Method::Rc4),
    (b"AESV2", Method::Aes128),
    (b"AESV3", Method::Aes256),
    (b"Identity", Method::None),
    (b"None", Method::None),
];

fn named_methods(dictionary: &Value) -> Vec<Method> {
    let named = METHODS.into_iter().filter(|(name, _)| dictionary.mentions(&[name]));
    let mut methods = named.map(|(_, method)| method).collect::<Vec<_>>();
    if dictionary.all(b"StmF").is_empty() {
        methods.push(Method::None);
    }
    methods
}

/// Returns whether each crypt filter that the dictionary uses is in it, and names one method that is known
/// (ISO 32000-2, tables 20 and 25).
fn has_usual_filters(dictionary: &Value) -> bool {
    let is_known = |value: &&Value| METHODS.iter().any(|(name, _)| value.is_name(name));
    let is_filter = |value: &&Value| matches!(value, Value::Dictionary(_));
    let is_usual = |value: &Value| {
        let Value::Name(name) = value else { return false };
        // Names that use the filter stand in front of other keys.
        let filters = dictionary.all(name).into_iter().filter(is_filter);
        let methods = filters.map(|filter| filter.all(b"CFM")).collect::<Vec<_>>();
        let is_one =
            matches!(methods.as_slice(), [methods] if matches!(methods[..], [ref it] if is_known(it)));
        name == b"Identity" || is_one
    };
    let used = [b"StmF".as_slice(), b"StrF", b"EFF"].map(|key| dictionary.all(key));
    !dictionary.has_reference() && used.into_iter().flatten().all(is_usual)
}
