//! What each kind of input, and each failure, becomes.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use clamd::EngineError;
use domain::id::FileId;
use domain::verdict::{ScanError, Unscannable};
use fixtures::{NOW, awaiting, clean_verdict, engine, evidence};

use super::*;
use crate::spool::SpoolError;

fn concluded(input: Result<ScanInput, InputError>) -> Conclusion {
    concluded_at(input, NOW)
}

fn concluded_at(input: Result<ScanInput, InputError>, now: Timestamp) -> Conclusion {
    let record = awaiting(FileId::from_digest([1; 16]), NOW);
    conclude(&record, input, FreshnessPolicy::default(), now)
}

fn decided(reason: Unscannable) -> Outcome {
    Outcome::Decided(Verdict::Unscannable { reason })
}

#[test]
fn whole_evidence_is_clean_names_its_engine_and_is_cached() {
    let conclusion = concluded(Ok(ScanInput::Evidence(evidence())));
    assert_eq!(conclusion.outcome, Outcome::Decided(clean_verdict()));
    assert_eq!(conclusion.engine, Some(engine("1")));
    assert_eq!(conclusion.sha256, Some(evidence().sha256));
    assert_eq!(conclusion.to_cache.unwrap().sha256, evidence().sha256);
    assert!(!conclusion.needed_password && !conclusion.is_out_of_room);
    assert_eq!(conclusion.observed, Vec::<String>::new());
}

#[test]
fn the_verdict_names_the_engine_that_scanned_not_one_that_ran_before() {
    let updated = Evidence { engine: engine("2"), ..evidence() };
    assert_eq!(concluded(Ok(ScanInput::Evidence(updated))).engine, Some(engine("2")));
}

#[test]
fn stale_definitions_make_a_file_unscannable_and_still_find_malware() {
    let later = NOW + Duration::from_hours(24 * 30);
    let stale = concluded_at(Ok(ScanInput::Evidence(evidence())), later);
    assert_eq!(stale.outcome, decided(Unscannable::StaleDefinitions));
    assert!(stale.to_cache.is_none());
    let infected = Evidence { replies: vec![EngineReply::Found("Eicar".to_owned())], ..evidence() };
    let found = concluded_at(Ok(ScanInput::Evidence(infected)), later);
    assert_eq!(found.outcome, Outcome::Decided(Verdict::Infected { signature: "Eicar".to_owned() }));
    assert_eq!(found.observed, ["Eicar"]);
}

#[test]
fn an_engine_that_misses_a_canary_decides_nothing() {
    let broken = Evidence { canary_found_after: false, ..evidence() };
    let conclusion = concluded(Ok(ScanInput::Evidence(broken)));
    assert_eq!(conclusion.outcome, Outcome::Inconclusive(ScanError::EngineTrouble));
    assert!(conclusion.to_cache.is_none());
}

#[test]
fn what_needed_the_password_is_reported_so() {
    let opened = Evidence { decryption: Decryption::Password, ..evidence() };
    assert!(concluded(Ok(ScanInput::Evidence(opened))).needed_password);
}

#[test]
fn a_cached_verdict_is_the_outcome_and_is_not_cached_again() {
    let (verdict, sha256) = (clean_verdict(), evidence().sha256);
    let cached = ScanInput::Cached { verdict: verdict.clone(), sha256, engine: engine("1") };
    let conclusion = concluded(Ok(cached));
    assert_eq!(conclusion.outcome, Outcome::Decided(verdict));
    assert_eq!((conclusion.sha256, conclusion.engine), (Some(sha256), Some(engine("1"))));
    assert!(conclusion.to_cache.is_none());
}

#[test]
fn a_file_that_costs_too_much_is_unscannable_without_an_engine() {
    let (reason, sha256) = (Unscannable::ExpandsTooMuch, evidence().sha256);
    let conclusion = concluded(Ok(ScanInput::Unscannable { reason, sha256 }));
    assert_eq!(conclusion.outcome, decided(reason));
    assert_eq!((conclusion.sha256, conclusion.engine), (Some(sha256), None));
}

#[test]
fn a_failure_is_never_a_verdict_and_only_a_full_disk_is_out_of_room() {
    let disk = |kind: ErrorKind| InputError::Spool(SpoolError::Disk(Error::from(kind)));
    let no_space = EngineError::NoSpace { free_bytes: 1, needed_bytes: 2 };
    for (failure, reason, is_out_of_room) in [
        (disk(ErrorKind::StorageFull), ScanError::StorageTrouble, true),
        (disk(ErrorKind::PermissionDenied), ScanError::StorageTrouble, false),
        (no_space.into(), ScanError::EngineTrouble, true),
        (EngineError::DefinitionsChanged.into(), ScanError::EngineTrouble, false),
        (InputError::TimedOut(Duration::from_secs(9)), ScanError::EngineTrouble, false),
    ] {
        let said = aws::log::chain(&failure);
        let conclusion = concluded(Err(failure));
        assert_eq!(conclusion.outcome, Outcome::Inconclusive(reason), "{said}");
        assert_eq!(conclusion.is_out_of_room, is_out_of_room, "{said}");
        assert_eq!((conclusion.sha256, conclusion.engine), (None, None), "{said}");
        assert_eq!(conclusion.observed, [said]);
    }
}
