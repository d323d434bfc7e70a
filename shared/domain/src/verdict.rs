//! What is a file? The one place where evidence becomes a verdict.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::freshness::{Definitions, Freshness, FreshnessPolicy, freshness};
use crate::id::Sha256;
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

/// Why a file could not be checked as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unscannable {
    Empty,
    Encrypted,
    ExpandsTooMuch,
    Malformed,
    ScanTimeout,
    StaleDefinitions,
    TooDeep,
    TooLarge,
    TooManyFiles,
}

impl Unscannable {
    pub const ALL: [Self; 9] = [
        Self::Empty,
        Self::Encrypted,
        Self::ExpandsTooMuch,
        Self::Malformed,
        Self::ScanTimeout,
        Self::StaleDefinitions,
        Self::TooDeep,
        Self::TooLarge,
        Self::TooManyFiles,
    ];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Encrypted => "encrypted",
            Self::ExpandsTooMuch => "expands_too_much",
            Self::Malformed => "malformed",
            Self::ScanTimeout => "scan_timeout",
            Self::StaleDefinitions => "stale_definitions",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooManyFiles => "too_many_files",
        }
    }

    /// A sentence for the person who uploaded the file.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Empty => "We could not check this file because it is empty.",
            Self::Encrypted => "We could not check this file because it is password-protected.",
            Self::ExpandsTooMuch => "We could not check this file because it unpacks to too much data.",
            Self::Malformed => "We could not check this file because it is damaged or not in a valid format.",
            Self::ScanTimeout => "We could not check this file because checking it takes too long.",
            Self::StaleDefinitions => {
                "We could not check this file because our virus definitions are out of date."
            }
            Self::TooDeep => "We could not check this file because it contains archives nested too deeply.",
            Self::TooLarge => "We could not check this file because it, or something in it, is too large.",
            Self::TooManyFiles => "We could not check this file because it contains too many files.",
        }
    }
}

/// Why checking failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanError {
    /// What arrived is not what was announced: another size, or another SHA-256.
    ContentMismatch,
    /// The engine died, hung, reported an internal error, or missed the canary, and so did the retries.
    EngineTrouble,
    /// The stored bytes could not be read.
    StorageTrouble,
}

impl ScanError {
    pub const ALL: [Self; 3] = [Self::ContentMismatch, Self::EngineTrouble, Self::StorageTrouble];

    pub const fn code(self) -> &'static str {
        match self {
            Self::ContentMismatch => "content_mismatch",
            Self::EngineTrouble => "engine_trouble",
            Self::StorageTrouble => "storage_trouble",
        }
    }

    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ContentMismatch => "What arrived is not what was announced: its size or checksum differs.",
            Self::EngineTrouble => {
                "We could not check this file because the virus scanner failed. Please upload it again."
            }
            Self::StorageTrouble => {
                "We could not check this file because it could not be read. Please upload it again."
            }
        }
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
    pub engine: Option<Engine>,
}

/// Which engine, with which definitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Engine {
    /// For example `ClamAV 1.4.6`.
    pub version: String,
    pub definitions: Definitions,
}

/// The engine's whole answer about one stream of bytes. Anything that is not one of these two is an error, not a reply.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum EngineReply {
    Ok,
    Found(String),
}

/// Everything that was observed while one version was scanned.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Evidence {
    pub announced_size: u64,
    /// What the store said when the object was opened.
    pub stored_size: u64,
    /// What was read, hashed and handed to the engine.
    pub streamed_size: u64,
    pub sha256: Sha256,
    pub declared_sha256: Option<Sha256>,
    pub reply: EngineReply,
    /// A known-bad sample was found by the same engine process, before and after.
    pub canary_found_before: bool,
    pub canary_found_after: bool,
    /// Error lines that the engine printed in between; they do not show in its reply.
    pub n_engine_errors: usize,
    pub engine: Engine,
}

/// What the evidence amounts to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    Decided(Verdict),
    /// Not evidence of anything: scan again, and call it an error if that keeps failing.
    Inconclusive(ScanError),
}

/// Turns evidence into an outcome. [`Verdict::Clean`] needs every single condition; a finding needs none of them.
pub fn judge(evidence: &Evidence, policy: FreshnessPolicy, now: Timestamp) -> Outcome {
    let signature = match &evidence.reply {
        EngineReply::Found(name) => Some(name.as_str()),
        EngineReply::Ok => None,
    };
    if let Some(name) = signature {
        return match classify(name) {
            Finding::Malware => Outcome::Decided(Verdict::Infected { signature: name.to_owned() }),
            Finding::NotScanned(reason) => Outcome::Decided(Verdict::Unscannable { reason }),
            Finding::Nameless => Outcome::Inconclusive(ScanError::EngineTrouble),
        };
    }
    let sizes_agree =
        evidence.announced_size == evidence.stored_size && evidence.stored_size == evidence.streamed_size;
    let digest_agrees = evidence.declared_sha256.is_none_or(|declared| declared == evidence.sha256);
    if !sizes_agree || !digest_agrees {
        return Outcome::Decided(Verdict::Error { reason: ScanError::ContentMismatch });
    }
    let engine_is_sound =
        evidence.canary_found_before && evidence.canary_found_after && evidence.n_engine_errors == 0;
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

enum Finding {
    Malware,
    NotScanned(Unscannable),
    /// `(null) FOUND` (clamav issue 720): something was found and its name was lost, or nothing was.
    Nameless,
}

/// ClamAV reports "I did not look at all of it" as a finding whose name begins with `Heuristics.`.
fn classify(name: &str) -> Finding {
    if name.is_empty() || name == "(null)" {
        return Finding::Nameless;
    }
    if let Some(limit) = name.strip_prefix("Heuristics.Limits.Exceeded") {
        return Finding::NotScanned(match limit.trim_start_matches('.').trim_end_matches(".UNOFFICIAL") {
            "MaxFileSize" => Unscannable::TooLarge,
            "MaxFiles" => Unscannable::TooManyFiles,
            "MaxRecursion" => Unscannable::TooDeep,
            "MaxScanTime" => Unscannable::ScanTimeout,
            // `MaxScanSize`, and any limit that a later engine adds.
            _ => Unscannable::ExpandsTooMuch,
        });
    }
    if name.starts_with("Heuristics.Encrypted.") {
        return Finding::NotScanned(Unscannable::Encrypted);
    }
    if name.starts_with("Heuristics.Broken.") {
        return Finding::NotScanned(Unscannable::Malformed);
    }
    Finding::Malware
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::freshness::DefinitionsKind;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn whole() -> Evidence {
        Evidence {
            announced_size: 10,
            stored_size: 10,
            streamed_size: 10,
            sha256: Sha256::from_bytes([7; 32]),
            declared_sha256: None,
            reply: EngineReply::Ok,
            canary_found_before: true,
            canary_found_after: true,
            n_engine_errors: 0,
            engine: Engine {
                version: "ClamAV 1.4.6".into(),
                definitions: Definitions {
                    kind: DefinitionsKind::Official,
                    version: "27900".into(),
                    built_at: NOW,
                    n_signatures: 1,
                },
            },
        }
    }

    fn outcome(change: impl FnOnce(&mut Evidence)) -> Outcome {
        let mut evidence = whole();
        change(&mut evidence);
        judge(&evidence, FreshnessPolicy::default(), NOW)
    }

    fn found(name: &str) -> Outcome {
        outcome(|e| e.reply = EngineReply::Found(name.to_owned()))
    }

    #[test]
    fn whole_evidence_is_clean() {
        assert!(matches!(outcome(|_| {}), Outcome::Decided(Verdict::Clean(_))));
        assert!(matches!(
            outcome(|e| e.declared_sha256 = Some(e.sha256)),
            Outcome::Decided(Verdict::Clean(_))
        ));
    }

    #[test]
    fn each_missing_piece_denies_clean() {
        let mismatch = Outcome::Decided(Verdict::Error { reason: ScanError::ContentMismatch });
        let trouble = Outcome::Inconclusive(ScanError::EngineTrouble);
        let stale = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::StaleDefinitions });
        assert_eq!(outcome(|e| e.announced_size = 11), mismatch);
        assert_eq!(outcome(|e| e.stored_size = 11), mismatch);
        assert_eq!(outcome(|e| e.streamed_size = 9), mismatch);
        assert_eq!(outcome(|e| e.declared_sha256 = Some(Sha256::from_bytes([8; 32]))), mismatch);
        assert_eq!(outcome(|e| e.canary_found_before = false), trouble);
        assert_eq!(outcome(|e| e.canary_found_after = false), trouble);
        assert_eq!(outcome(|e| e.n_engine_errors = 1), trouble);
        assert_eq!(outcome(|e| e.engine.definitions.built_at = Timestamp::from_secs(0)), stale);
    }

    #[test]
    fn findings_are_told_apart() {
        let unscannable = |reason| Outcome::Decided(Verdict::Unscannable { reason });
        assert_eq!(
            found("Win.Test.EICAR_HDB-1"),
            Outcome::Decided(Verdict::Infected { signature: "Win.Test.EICAR_HDB-1".into() })
        );
        assert_eq!(found("Heuristics.Limits.Exceeded.MaxFileSize"), unscannable(Unscannable::TooLarge));
        assert_eq!(found("Heuristics.Limits.Exceeded.MaxScanSize"), unscannable(Unscannable::ExpandsTooMuch));
        assert_eq!(found("Heuristics.Limits.Exceeded.MaxFiles"), unscannable(Unscannable::TooManyFiles));
        assert_eq!(found("Heuristics.Limits.Exceeded.MaxRecursion"), unscannable(Unscannable::TooDeep));
        assert_eq!(found("Heuristics.Limits.Exceeded.MaxScanTime"), unscannable(Unscannable::ScanTimeout));
        assert_eq!(found("Heuristics.Limits.Exceeded"), unscannable(Unscannable::ExpandsTooMuch));
        assert_eq!(found("Heuristics.Encrypted.Zip"), unscannable(Unscannable::Encrypted));
        assert_eq!(found("Heuristics.Broken.Media.JPEG"), unscannable(Unscannable::Malformed));
        assert_eq!(found("(null)"), Outcome::Inconclusive(ScanError::EngineTrouble));
    }

    proptest! {
        #[test]
        fn clean_implies_every_condition(
            sizes in prop::array::uniform3(0u64..3), reply in prop_oneof![Just(EngineReply::Ok), "[A-Za-z.()]{0,12}".prop_map(EngineReply::Found)],
            before: bool, after: bool, n_engine_errors in 0usize..2, declared in prop::option::of(0u8..2), age_days in 0u64..20,
        ) {
            let outcome = outcome(|e| {
                [e.announced_size, e.stored_size, e.streamed_size] = sizes;
                (e.reply, e.canary_found_before, e.canary_found_after) = (reply.clone(), before, after);
                e.n_engine_errors = n_engine_errors;
                e.declared_sha256 = declared.map(|d| Sha256::from_bytes([7 + d; 32]));
                e.engine.definitions.built_at = NOW - Duration::from_hours(24 * age_days);
            });
            let all_hold = sizes[0] == sizes[1] && sizes[1] == sizes[2] && reply == EngineReply::Ok && before && after
                && n_engine_errors == 0 && declared != Some(1) && age_days <= 7;
            prop_assert_eq!(matches!(outcome, Outcome::Decided(Verdict::Clean(_))), all_hold);
        }
    }
}
