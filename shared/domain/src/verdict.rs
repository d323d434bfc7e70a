//! Turns the evidence of one scan into a verdict; no other code does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::content_encoding::ContentEncoding;
use crate::finding::{Finding, classify};
use crate::freshness::{Definitions, Freshness, FreshnessPolicy, freshness};
use crate::id::Sha256;
pub use crate::reason::{ScanError, Unscannable};
use crate::timestamp::Timestamp;

/// The decision about the bytes of one version.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Verdict {
    /// It was scanned whole, by a checked engine with checked definitions, and nothing was found.
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

/// Proof that [`judge`] found the evidence whole. Only `judge` makes one; the ledger can only return a stored
/// one.
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

/// A verdict and the details of its scan.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Judgement {
    pub verdict: Verdict,
    pub judged_at: Timestamp,
    /// From the first byte read to the verdict; zero when nothing was read.
    pub duration: Duration,
    pub sha256: Option<Sha256>,
    /// `None` if the engine was not used.
    pub engine: Option<EngineVersion>,
    /// Whether the bytes could only be opened with the uploader's password, which is not kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needed_password: bool,
}

/// The version of the engine, of its openers and of its definitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct EngineVersion {
    /// For example `ClamAV 1.4.6`.
    pub version: String,
    /// The openers that unpacked the file for the engine, for example `7-Zip 26.02`.
    #[serde(default)]
    pub openers: Vec<String>,
    pub definitions: Definitions,
}

/// The engine's whole answer about one stream of bytes. Anything that is not one of these two is an error,
/// not a reply.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EngineReply {
    Ok,
    Found(String),
}

impl EngineReply {
    /// Whether the engine found malware, as opposed to reporting that it did not scan everything.
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

/// Whether something in the file is encrypted, and how it was decrypted for the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Decryption {
    #[default]
    None,
    /// With an empty password, as readers do without asking.
    Open,
    /// With the uploader's password. No reader opens it without one.
    Password,
}

/// Everything that was observed while one version was scanned.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Evidence {
    pub declared_size: u64,
    /// The object's size when it was opened, as storage reported it.
    pub stored_size: u64,
    /// How many bytes were read, hashed and handed to the engine.
    pub streamed_size: u64,
    /// The object's content encoding when it was opened. The stored bytes are judged, never decoded ones.
    pub content_encoding: ContentEncoding,
    pub sha256: Sha256,
    pub declared_sha256: Option<Sha256>,
    /// The structure gate's conclusion.
    pub structure: Structure,
    /// Whether the file is text that only begins like a program; the engine then scanned it as text as well.
    pub is_text_like_program: bool,
    /// What the gate decrypted.
    pub decryption: Decryption,
    /// The engine's answer about the whole, then one about each member that the gate handed to it.
    pub replies: Vec<EngineReply>,
    /// Whether the same engine process found the canary before and after the scan.
    pub canary_found_before: bool,
    pub canary_found_after: bool,
    /// How many error lines the engine printed during the scan; its reply does not show them.
    pub n_engine_errors: usize,
    pub engine: EngineVersion,
}

impl Evidence {
    /// Whether there is another reply beside the one about the whole file as a program.
    fn is_judged_as_text(&self) -> bool {
        self.is_text_like_program && self.replies.len() > 1
    }

    /// Whether `name` only reports encryption of a kind that the gate decrypts, and the gate has decrypted
    /// everything.
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

/// The result of judging evidence.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Decided(Verdict),
    /// The scan proves nothing: scan again, and end in `error` if it keeps failing.
    Inconclusive(ScanError),
}

/// A file that begins like a program but that the engine cannot read as one.
const BROKEN_PROGRAM: &str = "Heuristics.Broken.Executable";

/// Turns evidence into an outcome. [`Verdict::Clean`] needs every single condition; a finding needs none of
/// them.
pub fn judge(evidence: &Evidence, policy: FreshnessPolicy, now: Timestamp) -> Outcome {
    let findings = evidence.replies.iter().enumerate().filter_map(|(index, reply)| match reply {
        // About the whole file, which is not a program; another reply judges the same bytes as text.
        EngineReply::Found(name) if index == 0 && name == BROKEN_PROGRAM && evidence.is_judged_as_text() => {
            None
        }
        // The engine cannot decrypt it. The gate did, and handed the content to the engine.
        EngineReply::Found(name) if evidence.is_opened_for_engine(name) => None,
        EngineReply::Found(name) => Some((classify(name), name)),
        EngineReply::Ok => None,
    });
    // The worst finding counts: malware in any part comes before a part that was not scanned.
    if let Some((finding, name)) = findings.min_by_key(|(finding, _)| *finding) {
        return match finding {
            Finding::Malware => Outcome::Decided(Verdict::Infected { signature: name.to_owned() }),
            Finding::Untrusted => Outcome::Inconclusive(ScanError::EngineTrouble),
            // The gate's reason is more precise than the engine's.
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
