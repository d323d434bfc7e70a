//! The manifest of a set: its files, and whether a scanner may accept it.

use std::collections::BTreeSet;
use std::fmt;

use domain::freshness::Definitions;
use domain::id::Sha256;
use domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signature::PublicKey;

/// A set of definitions: exactly these files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// Grows with every publication, also when an older set is published again.
    pub serial: u64,
    pub created_at: Timestamp,
    /// From then on, a scanner without a newer set makes files `unscannable`.
    pub expires_at: Timestamp,
    /// The version of the engine that loaded the set and found the canaries with it.
    pub engine: String,
    pub definitions: Definitions,
    pub files: Vec<SetFile>,
    /// The snapshot for scanners that run `airlock-engine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SetSnapshot>,
    /// Versions that an operator took back; the publisher does not publish them again.
    #[serde(default)]
    pub withdrawn: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetFile {
    pub name: DatabaseName,
    pub size_bytes: u64,
    pub sha256: Sha256,
}

/// An engine that has loaded the set, as `airlock-engine` writes it down.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSnapshot {
    pub size_bytes: u64,
    pub sha256: Sha256,
    /// The digest of its table of contents, which has the digests of everything else: a reader needs no more,
    /// and can start before the whole has arrived.
    pub contents: Sha256,
    /// The engine's build, which must be the scanner's own.
    pub build: String,
}

/// The name of a database, or of a database's detached signature: `daily.cld`, `main-63.cvd.sign`. Anything
/// else that clamd reads from its directory (`.ign2`, `.sfp`, `.fp`, `.ndb`, ...) could add or silence
/// signatures.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseName(String);

#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("`{0}` is not the name of a database")]
pub struct DatabaseNameError(String);

/// Why a set is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ManifestError {
    #[error("the manifest is not signed by our publisher")]
    NotSigned,
    #[error("the manifest is signed, but this version does not understand it")]
    NotUnderstood,
    #[error("the manifest expired at {0}")]
    Expired(Timestamp),
    #[error("the manifest has serial number {serial}, lower than {seen}, which was accepted before")]
    RolledBack { serial: u64, seen: u64 },
}

impl Manifest {
    pub const FORMAT: u32 = 1;
    /// ClamAV's own sets are below a fifth of this.
    const MAX_BYTES: u64 = 2 << 30;
    const MAX_FILES: usize = 32;

    fn is_well_formed(&self) -> bool {
        self.format == Self::FORMAT
            && are_sound(&self.files)
            && self.snapshot.as_ref().is_none_or(|it| (1..=Self::MAX_BYTES).contains(&it.size_bytes))
    }
}

/// Whether these can be the files of a set: at least one database, different names, and bounded sizes.
pub(crate) fn are_sound(files: &[SetFile]) -> bool {
    let names: BTreeSet<&DatabaseName> = files.iter().map(|file| &file.name).collect();
    let n_bytes = files.iter().try_fold(0u64, |sum, file| sum.checked_add(file.size_bytes));
    names.len() == files.len()
        && files.len() <= Manifest::MAX_FILES
        && files.iter().any(|file| file.name.is_database())
        && files.iter().all(|file| file.size_bytes > 0)
        && n_bytes.is_some_and(|n_bytes| n_bytes <= Manifest::MAX_BYTES)
}

/// Verifies and parses a manifest. `seen` is the highest serial number that any scanner of this deployment
/// has accepted.
pub fn open(pointer: &[u8], key: &PublicKey, seen: u64, now: Timestamp) -> Result<Manifest, ManifestError> {
    let payload = key.open(pointer).ok_or(ManifestError::NotSigned)?;
    let manifest: Manifest = serde_json::from_slice(&payload).map_err(|_| ManifestError::NotUnderstood)?;
    if !manifest.is_well_formed() {
        return Err(ManifestError::NotUnderstood);
    }
    if manifest.serial < seen {
        return Err(ManifestError::RolledBack { serial: manifest.serial, seen });
    }
    if manifest.expires_at <= now {
        return Err(ManifestError::Expired(manifest.expires_at));
    }
    Ok(manifest)
}

impl DatabaseName {
    pub fn parse(name: &str) -> Result<Self, DatabaseNameError> {
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_database = [".cvd", ".cld"].iter().any(|end| name.strip_suffix(end).is_some_and(is_word));
        // ClamAV 1.5: `daily-27900.cvd.sign`.
        let is_signature = name
            .strip_suffix(".cvd.sign")
            .and_then(|stem| stem.split_once('-'))
            .is_some_and(|(word, number)| is_word(word) && is_number(number));
        if name.len() <= 64 && (is_database || is_signature) {
            Ok(Self(name.to_owned()))
        } else {
            Err(DatabaseNameError(name.to_owned()))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it is a database and not a detached signature.
    pub fn is_database(&self) -> bool {
        self.0.split('.').next_back() != Some("sign")
    }
}

impl TryFrom<String> for DatabaseName {
    type Error = DatabaseNameError;

    fn try_from(name: String) -> Result<Self, DatabaseNameError> {
        Self::parse(&name)
    }
}

impl From<DatabaseName> for String {
    fn from(name: DatabaseName) -> Self {
        name.0
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::SigningKey;
    use domain::freshness::DefinitionsKind;

    #[test]
    fn only_databases_and_their_signatures_have_names() {
        for good in ["main.cvd", "daily.cld", "bytecode.cvd", "daily-27900.cvd.sign"] {
            assert_eq!(DatabaseName::parse(good).unwrap().as_str(), good);
        }
        let bad = [
            "",
            ".cvd",
            "daily",
            "daily.ign2",
            "local.sfp",
            "x.ndb",
            "../daily.cvd",
            "a/daily.cvd",
            "Daily.cvd",
            "daily.cvd.sign",
            "daily-.cvd.sign",
            "-1.cvd.sign",
            "daily-x.cvd.sign",
            "daily.cvd ",
            "daily.cld.cvd",
        ];
        for bad in bad {
            assert!(DatabaseName::parse(bad).is_err(), "{bad}");
        }
        assert!(DatabaseName::parse(&format!("{}.cvd", "a".repeat(61))).is_err());
    }

    fn manifest() -> Manifest {
        let file = |name: &str| SetFile {
            name: DatabaseName::parse(name).unwrap(),
            size_bytes: 10,
            sha256: Sha256::from_bytes([1; 32]),
        };
        let definitions = Definitions {
            kind: DefinitionsKind::Official,
            version: "27900".to_owned(),
            built_at: Timestamp::from_secs(900),
            n_signatures: 1,
        };
        Manifest {
            format: Manifest::FORMAT,
            serial: 5,
            created_at: Timestamp::from_secs(1000),
            expires_at: Timestamp::from_secs(2000),
            engine: "ClamAV 1.4.6".to_owned(),
            definitions,
            files: vec![file("main.cvd"), file("daily.cld")],
            snapshot: None,
            withdrawn: vec![],
        }
    }

    fn opened(change: impl FnOnce(&mut Manifest)) -> Result<u64, ManifestError> {
        let key = SigningKey::from_secret(&"s".repeat(32)).unwrap();
        let mut manifest = manifest();
        change(&mut manifest);
        let sealed = key.seal(&serde_json::to_vec(&manifest).unwrap());
        open(&sealed, &key.public_key(), 5, Timestamp::from_secs(1500)).map(|manifest| manifest.serial)
    }

    #[test]
    fn a_manifest_is_taken_whole_or_not() {
        assert_eq!(opened(|_| {}), Ok(5));
        assert_eq!(opened(|manifest| manifest.serial = 6), Ok(6));
        assert_eq!(
            opened(|manifest| manifest.serial = 4),
            Err(ManifestError::RolledBack { serial: 4, seen: 5 })
        );
        let at = Timestamp::from_secs(1500);
        assert_eq!(opened(|manifest| manifest.expires_at = at), Err(ManifestError::Expired(at)));
        for change in [
            (|manifest: &mut Manifest| manifest.format = 2) as fn(&mut Manifest),
            |manifest| manifest.files.clear(),
            |manifest| manifest.files[0].name = manifest.files[1].name.clone(),
            |manifest| manifest.files[0].size_bytes = 0,
            |manifest| manifest.files[0].size_bytes = Manifest::MAX_BYTES - 9,
            |manifest| manifest.files[0].size_bytes = u64::MAX,
            |manifest| {
                manifest.files.truncate(1);
                manifest.files[0].name = DatabaseName::parse("main-1.cvd.sign").unwrap();
            },
            |manifest| {
                let letters = ('a'..='z').chain('a'..='g').enumerate();
                let file = manifest.files[0].clone();
                let named = |(n, letter): (usize, char)| {
                    DatabaseName::parse(&format!("{}.cvd", letter.to_string().repeat(n + 1)))
                };
                manifest.files =
                    letters.map(|each| SetFile { name: named(each).unwrap(), ..file.clone() }).collect();
            },
        ] {
            assert_eq!(opened(change), Err(ManifestError::NotUnderstood));
        }
        assert_eq!(opened(|manifest| manifest.files[0].size_bytes = Manifest::MAX_BYTES - 10), Ok(5));
        for (size_bytes, taken) in [
            (0, Err(ManifestError::NotUnderstood)),
            (1, Ok(5)),
            (Manifest::MAX_BYTES, Ok(5)),
            (Manifest::MAX_BYTES + 1, Err(ManifestError::NotUnderstood)),
        ] {
            let digest = Sha256::from_bytes([2; 32]);
            let snapshot =
                SetSnapshot { size_bytes, sha256: digest, contents: digest, build: "b".to_owned() };
            assert_eq!(opened(|manifest| manifest.snapshot = Some(snapshot)), taken, "{size_bytes}");
        }
    }

    #[test]
    fn signed_json_of_another_kind_is_not_understood() {
        let key = SigningKey::from_secret(&"s".repeat(32)).unwrap();
        let mut value = serde_json::to_value(manifest()).unwrap();
        value["also"] = true.into();
        for payload in [b"{}".to_vec(), b"not JSON".to_vec(), serde_json::to_vec(&value).unwrap()] {
            let refused = open(&key.seal(&payload), &key.public_key(), 0, Timestamp::from_secs(0));
            assert_eq!(refused, Err(ManifestError::NotUnderstood));
        }
        assert_eq!(open(b"{}", &key.public_key(), 0, Timestamp::from_secs(0)), Err(ManifestError::NotSigned));
    }
}
