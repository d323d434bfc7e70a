//! Opens documents that Office has encrypted ([MS-OFFCRYPTO]), with the passwords that programs try by
//! themselves, and the uploader's.
//!
//! Whatever a password opens is handed over: a package as a member, a binary document as a copy of the
//! compound file in which its streams are decrypted. What none opens is refused.

mod agile;
mod binary;
mod crypto_api;
mod hash;
mod package;
mod power_point;
mod rc4;
mod summary;
mod transform;
mod word;
mod workbook;
mod xor;

use domain::verdict::{Decryption, Unscannable};

use crate::blob::{Blob, to_usize};
use crate::compound::{Entry, File};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, refuse};

use agile::Agile;
use crypto_api::CryptoApi;
use package::PackageKey;

/// Of Excel and of PowerPoint, for documents that are to be encrypted but opened by anyone.
const KNOWN_PASSWORDS: [&str; 2] = ["VelvetSweatshop", "/01Hannes Ruescher/01"];
/// A document has one of each; there may be documents in it.
const MAX_STREAMS: usize = 8;

/// Streams by which a document is known to be encrypted, or that are encrypted with it.
pub(crate) fn is_of_interest(entry: &Entry) -> bool {
    entry.is_named("EncryptionInfo") || entry.is_named("EncryptedPackage") || binary::is_of_interest(entry)
}

/// Opens what is encrypted of a compound file, or refuses it; `entries` are those of interest.
pub(crate) fn open(walk: &mut Walk<'_>, file: &File<'_>, entries: &[Entry], depth: u32) -> Walked {
    let packages = open_packages(walk, file, entries, depth)?;
    let documents = binary::open(walk, file, entries, depth)?;
    packages.and(documents)
}

fn refuse_encrypted<T>() -> Walked<T> {
    refuse(Unscannable::Encrypted, "an encrypted document")
}

/// The keys that passwords give, each once. Notes whether they are of the uploader's password alone.
fn fitting_keys<K: PartialEq, I: IntoIterator<Item = K>>(
    walk: &mut Walk<'_>,
    keys_of: impl Fn(&str) -> I,
) -> Vec<K> {
    let n_given = usize::from(walk.password.is_some());
    let (mut keys, mut is_known) = (Vec::new(), false);
    for (index, password) in walk.passwords(&KNOWN_PASSWORDS).enumerate() {
        for key in keys_of(password) {
            is_known |= index >= n_given;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    if !keys.is_empty() {
        let decryption = if is_known { Decryption::Open } else { Decryption::Password };
        walk.decryption = walk.decryption.max(decryption);
    }
    keys
}

/// Packages, each with every key that there is: which one is whose does not matter. The inner result says why
/// they are to be refused.
fn open_packages(walk: &mut Walk<'_>, file: &File<'_>, entries: &[Entry], depth: u32) -> Walked<Walked> {
    let named = |name: &str| {
        let extents =
            entries.iter().filter(|entry| entry.is_named(name)).flat_map(|entry| file.readings(entry));
        extents.collect::<Vec<_>>()
    };
    let (infos, packages) = (named("EncryptionInfo"), named("EncryptedPackage"));
    if packages.is_empty() {
        return Ok(Ok(()));
    }
    if infos.is_empty() || infos.len() > MAX_STREAMS || packages.len() > MAX_STREAMS {
        return Ok(refuse_encrypted());
    }
    let (mut keys, mut allowed) = (Vec::new(), Ok(()));
    for info in infos {
        let found = package_keys(walk, &file.content(walk, info)?)?;
        if found.is_empty() {
            allowed = refuse_encrypted();
        }
        keys.extend(found);
    }
    for package in packages {
        let content = file.content(walk, package)?;
        let mut is_opened = false;
        for key in &keys {
            is_opened |= package::hand(walk, &content, key, depth)?;
        }
        if !is_opened {
            allowed = refuse_encrypted();
        }
    }
    Ok(allowed)
}

fn package_keys(walk: &mut Walk<'_>, info: &Blob) -> Walked<Vec<PackageKey>> {
    const MAX_BYTES: u64 = 64 * 1024;
    const AGILE: [u8; 8] = [4, 0, 4, 0, 0x40, 0, 0, 0];
    if info.size_bytes() > MAX_BYTES {
        return Ok(vec![]);
    }
    let bytes = info.bytes_at(0, to_usize(MAX_BYTES))?;
    if bytes.at(0, AGILE.len()) == AGILE {
        let Some(agile) = Agile::parse(&bytes[AGILE.len()..]) else { return Ok(vec![]) };
        walk.count_hash_rounds(agile.n_rounds() * n_passwords(walk))?;
        return Ok(fitting_keys(walk, |password| agile.keys(password)));
    }
    let Some(header) = CryptoApi::parse(&bytes) else { return Ok(vec![]) };
    walk.count_hash_rounds(u64::from(crypto_api::N_ROUNDS) * n_passwords(walk))?;
    Ok(fitting_keys(walk, |password| header.package_key(password)))
}

fn n_passwords(walk: &Walk<'_>) -> u64 {
    walk.passwords(&KNOWN_PASSWORDS).map(|_| 1).sum()
}

#[cfg(test)]
mod tests;
