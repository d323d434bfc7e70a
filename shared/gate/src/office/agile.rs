//! Reads the keys of agile encryption from its XML document ([MS-OFFCRYPTO] 2.3.4.10 to 2.3.4.15).
//!
//! Parsed strictly: of what readers may understand differently, nothing is opened.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::ciphers::{Aes, BLOCK};

use super::hash::{Hash, utf16_le};
use super::package::PackageKey;

/// As many as Office takes ([MS-OFFCRYPTO] 2.3.4.10).
const MAX_ROUNDS: u32 = 10_000_000;
const MAX_ENCRYPTORS: usize = 4;

/// Mark what a key is derived for.
const FOR_VERIFIER: [u8; 8] = [0xfe, 0xa7, 0xd2, 0x76, 0x3b, 0x4b, 0x9e, 0x79];
const FOR_VERIFIER_HASH: [u8; 8] = [0xd7, 0xaa, 0x0f, 0x6d, 0x30, 0x61, 0x34, 0x4e];
const FOR_KEY: [u8; 8] = [0x14, 0x6e, 0x0b, 0xe7, 0xab, 0xac, 0xd0, 0xd6];

/// How a package is encrypted, and its key for each password that opens it.
pub(super) struct Agile {
    package: Parameters,
    encryptors: Vec<Encryptor>,
}

/// Attributes that the package and each key have.
struct Parameters {
    salt: Vec<u8>,
    n_key_bytes: usize,
    hash: Hash,
}

/// A key, encrypted with a password.
struct Encryptor {
    parameters: Parameters,
    n_rounds: u32,
    verifier: Vec<u8>,
    verifier_hash: Vec<u8>,
    key: Vec<u8>,
}

impl Agile {
    pub(super) fn parse(xml: &[u8]) -> Option<Self> {
        let elements = elements(std::str::from_utf8(xml).ok()?);
        let named = |name: &'static str| elements.iter().filter(move |element| element.is_named(name));
        let package = Parameters::of(named("keyData").next()?)?;
        let encryptors = named("encryptedKey").map(Encryptor::of).collect::<Option<Vec<_>>>()?;
        let is_sound = named("keyData").count() == 1 && (1..=MAX_ENCRYPTORS).contains(&encryptors.len());
        is_sound.then_some(Self { package, encryptors })
    }

    /// How often is hashed for one password.
    pub(super) fn n_rounds(&self) -> u64 {
        self.encryptors.iter().map(|encryptor| u64::from(encryptor.n_rounds)).sum()
    }

    /// Every key of the package that the password gives.
    pub(super) fn keys(&self, password: &str) -> Vec<PackageKey> {
        let keys = self.encryptors.iter().filter_map(|encryptor| encryptor.key(password));
        let of_package = |key: Vec<u8>| PackageKey::Agile {
            key: fitted(key, self.package.n_key_bytes),
            hash: self.package.hash,
            salt: self.package.salt.clone(),
        };
        keys.map(of_package).collect()
    }
}

impl Parameters {
    fn of(element: &Element<'_>) -> Option<Self> {
        let hash = Hash::named(element.attribute("hashAlgorithm")?)?;
        let salt = element.bytes("saltValue")?;
        let n_key_bits = element.number("keyBits")?;
        let is_sound = element.attribute("cipherAlgorithm")? == "AES"
            && element.attribute("cipherChaining")? == "ChainingModeCBC"
            && usize::try_from(element.number("blockSize")?) == Ok(BLOCK)
            && usize::try_from(element.number("hashSize")?) == Ok(hash.n_bytes())
            && usize::try_from(element.number("saltSize")?) == Ok(salt.len())
            && matches!(n_key_bits, 128 | 192 | 256)
            && (1..=65536).contains(&salt.len());
        is_sound.then_some(Self { salt, n_key_bytes: usize::try_from(n_key_bits / 8).ok()?, hash })
    }
}

impl Encryptor {
    fn of(element: &Element<'_>) -> Option<Self> {
        let n_rounds = element.number("spinCount")?;
        let encryptor = Self {
            parameters: Parameters::of(element)?,
            n_rounds,
            verifier: element.bytes("encryptedVerifierHashInput")?,
            verifier_hash: element.bytes("encryptedVerifierHashValue")?,
            key: element.bytes("encryptedKeyValue")?,
        };
        (n_rounds <= MAX_ROUNDS).then_some(encryptor)
    }

    fn key(&self, password: &str) -> Option<Vec<u8>> {
        let Parameters { salt, n_key_bytes, hash } = &self.parameters;
        let derived = hash.repeated(salt, &utf16_le(password), self.n_rounds);
        let decrypted = |mark: [u8; 8], encrypted: &[u8]| {
            let key = fitted(hash.of(&derived, &mark), *n_key_bytes);
            let mut bytes = encrypted.to_vec();
            Aes::new(&key)?.decrypt_chained(&mut bytes, start_of_chain(salt.clone()));
            Some(bytes)
        };
        let verifier = decrypted(FOR_VERIFIER, &self.verifier)?;
        let expected = decrypted(FOR_VERIFIER_HASH, &self.verifier_hash)?;
        let is_right = hash.of(verifier.get(..salt.len())?, b"") == expected.get(..hash.n_bytes())?;
        if is_right { decrypted(FOR_KEY, &self.key) } else { None }
    }
}

/// Cut, or filled up as Office does it.
fn fitted(mut bytes: Vec<u8>, n_bytes: usize) -> Vec<u8> {
    bytes.resize(n_bytes, 0x36);
    bytes
}

pub(super) fn start_of_chain(bytes: Vec<u8>) -> [u8; BLOCK] {
    fitted(bytes, BLOCK).try_into().unwrap_or_default()
}

/// A start tag.
struct Element<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Element<'a> {
    /// Returns whether that is its name, without a prefix.
    fn is_named(&self, name: &str) -> bool {
        self.name.rsplit(':').next() == Some(name)
    }

    /// An attribute that is there once.
    fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut values = self.attributes.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value);
        let value = values.next()?;
        values.next().is_none().then_some(value)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.attribute(name)?.parse().ok()
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        STANDARD.decode(self.attribute(name)?).ok()
    }
}

/// Start tags of a document, with what comments hold: two of what there is to be one are refused.
fn elements(xml: &str) -> Vec<Element<'_>> {
    xml.split('<').skip(1).map(element).collect()
}

fn element(tag: &str) -> Element<'_> {
    let n_name = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(tag.len());
    let (name, mut rest) = tag.split_at(n_name);
    let mut attributes = Vec::new();
    while let Some((attribute, behind)) = rest.split_once('=') {
        let behind = behind.trim_ascii_start();
        let Some(quote) = behind.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { break };
        let Some((value, behind)) = behind[1..].split_once(quote) else { break };
        attributes.push((attribute.trim_ascii(), value));
        rest = behind;
    }
    Element { name, attributes }
}
