//! What is a file? The one place where evidence becomes a verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::content_encoding::ContentEncoding;
use crate::finding::{Finding, classify};
use crate::freshness::{Definitions, Freshness, FreshnessPolicy, freshness};
use crate::id::Sha256;
pub use crate::reason::{ScanError, Unscannable};
use crate::timestamp::Timestamp;

/// What was decided about the bytes of one version.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Verdict {
    /// The whole of it was scanned, by a checked engine with checked definitions, and nothing was found.
    Clean(WholeAndClean),
    Infected {
        signature: String,
    },
    /// It could not be checked as a whole. Never downloadable.
    Unscannable {
        reason: Unscannable,
    },
    /// Checking it failed, repeatedly. Never downloadable.
    Error {
        reason: ScanError,
    },
}

/// Proof that [`judge`] found the evidence whole. It cannot be made elsewhere; the ledger can only give back a stored one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct WholeAndClean {
    sha256: Sha256,
}

impl WholeAndClean {
    /// The digest of the bytes that were judged.
    pub fn sha256(self) -> Sha256 {
        self.sha256
    }
}

/// A verdict and what it rests on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    pub judged_at: Timestamp,
    /// From the first byte read to the verdict; zero when nothing was read.
    pub duration: Duration,
    pub sha256: Option<Sha256>,
    /// `None` when the engine was not asked.
    pub engine: Option<EngineVersion>,
    /// The bytes could only be opened with the uploader's password, which is kept nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needed_password: bool,
}

/// Which engine, with which definitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct EngineVersion {
    /// For example `ClamAV 1.4.6`.
    pub version: String,
    /// The programs that took the file apart for it, for example `7-Zip 26.02`.
    #[serde(default)]
    pub openers: Vec<String>,
    pub definitions: Definitions,
}

/// The engine's whole answer about one stream of bytes. Anything that is not one of these two is an error, not a reply.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EngineReply {
    Ok,
    Found(String),
}

impl EngineReply {
    /// Whether the engine looked inside and found something, as opposed to saying that it did not look.
    pub fn names_malware(&self) -> bool {
        matches!(self, Self::Found(name) if classify(name) == Finding::Malware)
    }
}

/// Whether the engine's answers cover everything that a reader could get out of the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Structure {
    Sound,
    Refused(Unscannable),
}

/// Whether anything in the file is encrypted, and was decrypted for the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Decryption {
    #[default]
    None,
    /// As readers do without asking: with an empty password.
    Open,
    /// With the uploader's password. No reader opens it without one.
    Password,
}

/// Everything that was observed while one version was scanned.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Evidence {
    pub declared_size: u64,
    /// What the store said when the object was opened.
    pub stored_size: u64,
    /// What was read, hashed and handed to the engine.
    pub streamed_size: u64,
    /// What the store said when the object was opened. The stored bytes are judged, never decoded ones.
    pub content_encoding: ContentEncoding,
    pub sha256: Sha256,
    pub declared_sha256: Option<Sha256>,
    /// What the structure gate saw.
    pub structure: Structure,
    /// The gate saw that the file is a text that only begins like a program, and had the engine look at it as text as well.
    pub is_text_like_program: bool,
    /// What the gate did about encryption.
    pub decryption: Decryption,
    /// The engine's answer about the whole, then one about each member that the gate handed to it.
    pub replies: Vec<EngineReply>,
    /// A known-bad sample was found by the same engine process, before and after.
    pub canary_found_before: bool,
    pub canary_found_after: bool,
    /// Error lines that the engine printed in between; they do not show in its reply.
    pub n_engine_errors: usize,
    pub engine: EngineVersion,
}

impl Evidence {
    /// Whether the engine's answer about the whole, as a program, has another one beside it.
    fn is_judged_as_text(&self) -> bool {
        self.is_text_like_program && self.replies.len() > 1
    }

    /// Whether the engine only says that something is encrypted, of a kind that the gate decrypts, and the gate has decrypted everything.
    fn is_opened_for_engine(&self, name: &str) -> bool {
        let names: &[&str] = match self.decryption {
            Decryption::None => &[],
            Decryption::Open => &["Heuristics.Encrypted.PDF"],
            Decryption::Password => {
                &["Heuristics.Encrypted.7Zip", "Heuristics.Encrypted.PDF", "Heuristics.Encrypted.Zip"]
            }
        };
        self.structure == Structure::Sound && names.contains(&name)
    }

    /// Why the file is not clean even if the engine finds nothing in it: clients would save other bytes than
    /// the judged ones, or the engine did not look at all of them.
    fn refusal(&self) -> Option<Unscannable> {
        match (self.content_encoding, self.structure) {
            // First, because it says nothing about the bytes: stored without it, they may be clean.
            (ContentEncoding::Encoded, _) => Some(Unscannable::ContentEncoding),
            (ContentEncoding::Identity, Structure::Refused(reason)) => Some(reason),
            (ContentEncoding::Identity, Structure::Sound) => None,
        }
    }
}

/// What the evidence amounts to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Decided(Verdict),
    /// Not evidence of anything: scan again, and call it an error if that keeps failing.
    Inconclusive(ScanError),
}

/// A file that begins like a program and is none that the engine can read.
const BROKEN_PROGRAM: &str = "Heuristics.Broken.Executable";

/// Turns evidence into an outcome. [`Verdict::Clean`] needs every single condition; a finding needs none of them.
pub fn judge(evidence: &Evidence, policy: FreshnessPolicy, now: Timestamp) -> Outcome {
    let findings = evidence.replies.iter().enumerate().filter_map(|(index, reply)| match reply {
        // Of the whole file, which is no program; the same bytes are judged as text by another reply.
        EngineReply::Found(name) if index == 0 && name == BROKEN_PROGRAM && evidence.is_judged_as_text() => {
            None
        }
        // The engine cannot decrypt it. The gate could, and handed over what was in there.
        EngineReply::Found(name) if evidence.is_opened_for_engine(name) => None,
        EngineReply::Found(name) => Some((classify(name), name)),
        EngineReply::Ok => None,
    });
    // The worst counts: malware in any part, before a part that was not looked at.
    if let Some((finding, name)) = findings.min_by_key(|(finding, _)| *finding) {
        return match finding {
            Finding::Malware => Outcome::Decided(Verdict::Infected { signature: name.to_owned() }),
            Finding::Untrusted => Outcome::Inconclusive(ScanError::EngineTrouble),
            // The gate knows better than the engine why something cannot be looked at.
            Finding::NotScanned(reason) => {
                let reason = evidence.refusal().unwrap_or(reason);
                Outcome::Decided(Verdict::Unscannable { reason })
            }
        };
    }
    if let Some(reason) = evidence.refusal() {
        return Outcome::Decided(Verdict::Unscannable { reason });
    }
    let sizes_agree =
        evidence.declared_size == evidence.stored_size && evidence.stored_size == evidence.streamed_size;
    let digest_agrees = evidence.declared_sha256.is_none_or(|declared| declared == evidence.sha256);
    if !sizes_agree || !digest_agrees {
        return Outcome::Decided(Verdict::Error { reason: ScanError::ContentMismatch });
    }
    let engine_is_sound = !evidence.replies.is_empty()
        && evidence.canary_found_before
        && evidence.canary_found_after
        && evidence.n_engine_errors == 0;
    if !engine_is_sound {
        return Outcome::Inconclusive(ScanError::EngineTrouble);
    }
    match freshness(&evidence.engine.definitions, policy, now) {
        Freshness::Stale => Outcome::Decided(Verdict::Unscannable { reason: Unscannable::StaleDefinitions }),
        Freshness::Fresh | Freshness::Ageing => {
            Outcome::Decided(Verdict::Clean(WholeAndClean { sha256: evidence.sha256 }))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
