//! Decides what one attempt at a scan amounts to, from what was collected or from what failed.

use domain::cached_verdict::CachedVerdict;
use domain::freshness::FreshnessPolicy;
use domain::id::Sha256;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::verdict::{Decryption, EngineReply, EngineVersion, Evidence, Outcome, Verdict, judge};

use crate::input::{InputError, ScanInput};
use crate::{room, verdict_cache};

/// What one attempt amounts to.
#[derive(Debug)]
pub(crate) struct Conclusion {
    pub(crate) outcome: Outcome,
    pub(crate) sha256: Option<Sha256>,
    /// The engine that the outcome rests on.
    pub(crate) engine: Option<EngineVersion>,
    pub(crate) needed_password: bool,
    /// Whether the attempt failed for want of temporary space, which says nothing about the file.
    pub(crate) is_out_of_room: bool,
    /// The cache entry by which the same bytes need no other scan.
    pub(crate) to_cache: Option<CachedVerdict>,
    /// For the log. Nothing from the file itself.
    pub(crate) observed: Vec<String>,
}

/// Turns `input` into an outcome. A failure is never a verdict.
pub(crate) fn conclude(
    record: &Record,
    input: Result<ScanInput, InputError>,
    freshness: FreshnessPolicy,
    now: Timestamp,
) -> Conclusion {
    match input {
        Ok(ScanInput::Evidence(evidence)) => of_evidence(record, evidence, freshness, now),
        Ok(ScanInput::Cached { verdict, sha256, engine }) => {
            Conclusion { sha256: Some(sha256), engine: Some(engine), ..of(Outcome::Decided(verdict)) }
        }
        Ok(ScanInput::Unscannable { reason, sha256 }) => {
            let unscannable = Outcome::Decided(Verdict::Unscannable { reason });
            Conclusion { sha256: Some(sha256), ..of(unscannable) }
        }
        Err(failure) => Conclusion {
            is_out_of_room: room::is_exhausted(failure.cause()),
            observed: vec![aws::log::chain(&failure)],
            ..of(Outcome::Inconclusive(failure.reason()))
        },
    }
}

fn of_evidence(
    record: &Record,
    evidence: Evidence,
    freshness: FreshnessPolicy,
    now: Timestamp,
) -> Conclusion {
    let outcome = judge(&evidence, freshness, now);
    Conclusion {
        sha256: Some(evidence.sha256),
        needed_password: evidence.decryption == Decryption::Password,
        to_cache: verdict_cache::entry(record, &evidence, &outcome),
        observed: evidence.replies.iter().filter_map(finding).collect(),
        engine: Some(evidence.engine),
        ..of(outcome)
    }
}

fn finding(reply: &EngineReply) -> Option<String> {
    match reply {
        EngineReply::Ok => None,
        EngineReply::Found(name) => Some(name.clone()),
    }
}

fn of(outcome: Outcome) -> Conclusion {
    Conclusion {
        outcome,
        sha256: None,
        engine: None,
        needed_password: false,
        is_out_of_room: false,
        to_cache: None,
        observed: vec![],
    }
}

#[cfg(test)]
mod tests;
