//! Ownership rules for objects that other uploaders store in the bucket.
//!
//! Uploaders without the API (a tus server, Amplify, `aws s3 cp`) write below the incoming prefix. Each
//! version becomes a file of its own. Its owner is derived from the key, never from metadata or tags: a
//! program that may write below a prefix can create files for every owner that the prefix's rule names, so
//! the bucket's policy is part of this decision.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::file_name::FileName;
use crate::id::{BucketName, FileId, IdError, ObjectKey, OwnerId, VersionId};

/// S3's limit for a key, in bytes of UTF-8.
pub(crate) const MAX_KEY_BYTES: usize = 1024;
/// The placeholder for the owner in a rule.
pub(crate) const NEXT_PART: &str = "{owner}/";
/// The endings of the objects that tus servers keep beside an unfinished upload.
const SIDECARS: [&str; 2] = [".info", ".part"];

/// One version of an object whose key the API did not issue.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Incoming {
    /// The protected bucket that it is in; `None` for the service's own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    bucket: Option<BucketName>,
    key: IncomingKey,
    version_id: VersionId,
}

/// A key below the prefix, or in a protected bucket. Only [`IncomingRules::read`] and
/// [`crate::protected::ProtectedBuckets::read`] make one; the ledger returns stored ones.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct IncomingKey(String);

impl Incoming {
    /// A version in a protected bucket.
    pub(crate) fn protected(bucket: BucketName, key: String, version_id: VersionId) -> Self {
        Self { bucket: Some(bucket), key: IncomingKey(key), version_id }
    }

    /// The id of the version's file. It is the same for every event about the version, so that duplicates
    /// make one record. It is a version 8 UUID, so that it never equals a random id, which is version 4 (RFC
    /// 9562).
    pub fn file_id(&self) -> FileId {
        // The version's length keeps ("a", "bc") and ("ab", "c") apart.
        let mut digest = Sha256::new();
        if let Some(bucket) = &self.bucket {
            // No version is so long: the digest of an object in the service's own bucket begins otherwise.
            digest.update(u64::MAX.to_be_bytes());
            digest.update([u8::try_from(bucket.as_str().len()).unwrap_or(u8::MAX)]);
            digest.update(bucket.as_str());
        }
        digest.update(u64::try_from(self.version_id.as_str().len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(self.version_id.as_str());
        digest.update(&self.key.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finalize()[..16]);
        FileId::from_digest(bytes)
    }

    pub fn key(&self) -> ObjectKey {
        match &self.bucket {
            None => ObjectKey::Incoming(self.key.0.clone()),
            Some(bucket) => ObjectKey::Protected { bucket: bucket.clone(), key: self.key.0.clone() },
        }
    }

    /// Whether it is in a protected bucket, whose objects are not the service's own.
    pub fn is_protected(&self) -> bool {
        self.bucket.is_some()
    }

    pub fn version_id(&self) -> &VersionId {
        &self.version_id
    }

    /// The last part of the key, or `file` if that is not a valid name.
    pub fn filename(&self) -> FileName {
        FileName::sanitize(&self.key.0).unwrap_or_else(|_| FileName::nameless())
    }
}

/// The incoming prefix and its ownership rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingRules {
    /// Ends with a slash.
    prefix: String,
    rules: Vec<Rule>,
}

/// One rule. The first rule whose path a key begins with determines the owner.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Rule {
    /// Below the prefix; empty or ending with a slash.
    path: String,
    owner: OwnerRule,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum OwnerRule {
    /// The part of the key that comes next.
    NextPart,
    Always(OwnerId),
}

/// Why rules are refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum IncomingRulesError {
    #[error("the prefix must end with `/`, and neither begin with one nor hold `//`")]
    Prefix,
    #[error("the prefix overlaps `{0}`, which is reserved for Airlock's own objects")]
    Reserved(String),
    #[error("`{0}` is not a rule: a rule is a path that ends with `{{owner}}/`, or `path/=owner`")]
    Rule(String),
    #[error("`{0}` never applies: an earlier rule takes the same keys")]
    Unreachable(String),
}

/// How the rules classify a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyMatch {
    /// Not below the prefix.
    Elsewhere,
    /// A tus server's auxiliary object, or an empty object that represents a folder.
    Sidecar,
    /// Below the prefix, but no rule gives it an owner.
    NoOwner,
    File {
        incoming: Incoming,
        owner: OwnerId,
    },
}

impl IncomingRules {
    /// `prefix` is for example `incoming/`; `rules` are separated by commas and relative to it: `{owner}/`
    /// takes the next part of the key as the owner, `tus/=alice` gives everything below `tus/` to `alice`,
    /// `apps/{owner}/` takes the part after `apps/` as the owner.
    pub fn parse(prefix: &str, rules: &str) -> Result<Self, IncomingRulesError> {
        if !prefix.ends_with('/') || !is_path(prefix) {
            return Err(IncomingRulesError::Prefix);
        }
        let overlaps = |ours: &str| ours.starts_with(prefix) || prefix.starts_with(ours);
        let ours = [ObjectKey::PREFIX, ObjectKey::QUARANTINE_PREFIX];
        if let Some(ours) = ours.into_iter().find(|ours| overlaps(ours)) {
            return Err(IncomingRulesError::Reserved(ours.to_owned()));
        }
        let mut read: Vec<Rule> = vec![];
        for text in rules.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let rule = Rule::parse(text).ok_or_else(|| IncomingRulesError::Rule(text.to_owned()))?;
            if read.iter().any(|earlier| rule.path.starts_with(&earlier.path)) {
                return Err(IncomingRulesError::Unreachable(text.to_owned()));
            }
            read.push(rule);
        }
        if read.is_empty() {
            Err(IncomingRulesError::Rule(String::new()))
        } else {
            Ok(Self { prefix: prefix.to_owned(), rules: read })
        }
    }

    /// The incoming prefix: the keys of all incoming files begin with it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Reads a decoded key, for the version that was stored under it.
    pub fn read(&self, key: &str, version_id: &VersionId) -> KeyMatch {
        let Some(below) = key.strip_prefix(&self.prefix).filter(|_| key.len() <= MAX_KEY_BYTES) else {
            return KeyMatch::Elsewhere;
        };
        if below.is_empty() || below.ends_with('/') || SIDECARS.iter().any(|ending| below.ends_with(ending)) {
            return KeyMatch::Sidecar;
        }
        match self.rules.iter().find_map(|rule| rule.owner_of(below)) {
            None | Some(Err(IdError(_))) => KeyMatch::NoOwner,
            Some(Ok(owner)) => {
                let (key, version_id) = (IncomingKey(key.to_owned()), version_id.clone());
                let incoming = Incoming { bucket: None, key, version_id };
                KeyMatch::File { incoming, owner }
            }
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let (path, owner) = match text.split_once('=') {
            Some((path, owner)) => (path, OwnerRule::Always(OwnerId::parse(owner).ok()?)),
            None => (text.strip_suffix(NEXT_PART)?, OwnerRule::NextPart),
        };
        let is_well_formed = (path.is_empty() || path.ends_with('/')) && is_path(path) && !path.contains('{');
        is_well_formed.then(|| Self { path: path.to_owned(), owner })
    }

    /// The owner of the key `below` the prefix; `None` if the rule's path does not match.
    fn owner_of(&self, below: &str) -> Option<Result<OwnerId, IdError>> {
        let rest = below.strip_prefix(&self.path)?;
        Some(match &self.owner {
            OwnerRule::Always(owner) => Ok(owner.clone()),
            OwnerRule::NextPart => match rest.split_once('/') {
                Some((owner, name)) if !name.is_empty() => OwnerId::parse(owner),
                _ => Err(IdError("owner id")),
            },
        })
    }
}

fn is_path(text: &str) -> bool {
    !text.starts_with('/') && !text.contains("//") && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(id: &str) -> VersionId {
        VersionId::parse(id).unwrap()
    }

    fn rules() -> IncomingRules {
        IncomingRules::parse("in/", "tus/=alice, apps/{owner}/").unwrap()
    }

    fn owner_of(key: &str) -> Option<String> {
        match rules().read(key, &version("v")) {
            KeyMatch::File { owner, .. } => Some(owner.to_string()),
            _ => None,
        }
    }

    #[test]
    fn the_key_says_whose_it_is() {
        for (key, owner) in [
            ("in/tus/5f3a", Some("alice")),
            ("in/tus/bob/a.pdf", Some("alice")),
            ("in/apps/us-east-1:1234/photos/a b.png", Some("us-east-1:1234")),
            ("in/apps/bob/a", Some("bob")),
            ("in/apps//a", None),
            ("in/apps/a", None),
            ("in/apps/x\ny/a", None),
            ("in/other/a", None),
            ("in/a", None),
            ("uploads/a", None),
            ("xin/tus/a", None),
        ] {
            assert_eq!(owner_of(key).as_deref(), owner, "{key:?}");
        }
        assert_eq!(rules().read("in/other/a", &version("v")), KeyMatch::NoOwner);
        assert_eq!(rules().read("tus/a", &version("v")), KeyMatch::Elsewhere);
        assert_eq!(rules().read(&format!("in/tus/{}", "x".repeat(1024)), &version("v")), KeyMatch::Elsewhere);
    }

    #[test]
    fn what_belongs_to_an_upload_is_no_file() {
        for key in ["in/", "in/tus/", "in/tus/5f3a.info", "in/tus/5f3a.part", "in/apps/bob/folder/"] {
            assert_eq!(rules().read(key, &version("v")), KeyMatch::Sidecar, "{key}");
        }
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        let rule = |text: &str| IncomingRulesError::Rule(text.to_owned());
        for (prefix, text, expected) in [
            ("in", "{owner}/", IncomingRulesError::Prefix),
            ("", "{owner}/", IncomingRulesError::Prefix),
            ("/", "{owner}/", IncomingRulesError::Prefix),
            ("/in/", "{owner}/", IncomingRulesError::Prefix),
            ("in//", "{owner}/", IncomingRulesError::Prefix),
            ("uploads/", "{owner}/", IncomingRulesError::Reserved("uploads/".into())),
            ("uploads/in/", "{owner}/", IncomingRulesError::Reserved("uploads/".into())),
            ("quarantine/", "{owner}/", IncomingRulesError::Reserved("quarantine/".into())),
            ("in/", "", rule("")),
            ("in/", "{owner}", rule("{owner}")),
            ("in/", "a/{owner}/b/", rule("a/{owner}/b/")),
            ("in/", "{owner}/{owner}/", rule("{owner}/{owner}/")),
            ("in/", "tus=alice", rule("tus=alice")),
            ("in/", "tus/=", rule("tus/=")),
            ("in/", "/tus/=alice", rule("/tus/=alice")),
            ("in/", "{owner}/,tus/=alice", IncomingRulesError::Unreachable("tus/=alice".into())),
        ] {
            assert_eq!(IncomingRules::parse(prefix, text), Err(expected), "{prefix} {text}");
        }
        assert!(IncomingRules::parse("in/", "tus/=alice,{owner}/").is_ok());
        assert!(IncomingRules::parse("in/", "=alice").is_ok());
    }

    #[test]
    fn a_version_is_one_file_and_no_other() {
        let file = |key: &str, id: &str| match rules().read(key, &version(id)) {
            KeyMatch::File { incoming, .. } => incoming.file_id(),
            other => panic!("{other:?}"),
        };
        assert_eq!(file("in/tus/a", "v1"), file("in/tus/a", "v1"));
        assert_ne!(file("in/tus/a", "v1"), file("in/tus/a", "v2"));
        assert_ne!(file("in/tus/a", "v1"), file("in/tus/b", "v1"));
        let id = file("in/tus/a", "v1").to_string();
        assert_eq!((&id[14..15], FileId::parse(&id)), ("8", Ok(file("in/tus/a", "v1"))));
    }

    #[test]
    fn the_name_is_the_last_part_or_a_stand_in() {
        let name = |key: &str| match rules().read(key, &version("v")) {
            KeyMatch::File { incoming, .. } => incoming.filename().to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name("in/tus/x/report.pdf"), "report.pdf");
        assert_eq!(name("in/tus/..."), "file");
        assert_eq!(name(&format!("in/tus/{}", "x".repeat(300))), "file");
    }

    proptest! {
        #[test]
        fn no_key_panics_and_every_file_is_below_the_prefix(key in "(in/)?(tus/|apps/)?\\PC{0,20}") {
            if let KeyMatch::File { incoming, .. } = rules().read(&key, &version("v")) {
                prop_assert!(key.starts_with("in/tus/") || key.starts_with("in/apps/"));
                prop_assert_eq!(incoming.key().to_string(), key);
            }
        }
    }
}
