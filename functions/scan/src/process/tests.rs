//! When a scan is dropped, when its message must be delivered again, and which verdicts count.

use std::cell::Cell;

use domain::machine::{MachinePolicy, NoChange, Step, step};
use domain::verdict::{ScanError, Unscannable};
use fixtures::{NOW, awaiting, clean, clean_verdict, evidence, queued, scanning, version};

use super::*;

const FILE: FileId = FileId::from_digest([1; 16]);
const TICK: Duration = Duration::from_millis(5);

fn scan_id(last: u8) -> ScanId {
    ScanId::from_random(format!("00000000-0000-4000-8000-0000000000{last:02}").parse().unwrap())
}

/// The result of applying `event` to `record` in the ledger.
fn applied(record: &Record, event: &Event) -> Applied {
    match step(record, event, &MachinePolicy::default(), NOW) {
        Step::Keep { why, effects } => Applied { record: record.clone(), kept: Some(why), effects },
        Step::Commit { next, effects } => Applied { record: *next, kept: None, effects },
    }
}

fn scanned(holder: ScanId, outcome: Outcome) -> Event {
    let report = ScanReport {
        outcome,
        duration: Duration::ZERO,
        sha256: Some(evidence().sha256),
        engine: Some(evidence().engine),
        needed_password: false,
        release: None,
    };
    Event::Scanned { version_id: version("v").version_id, holder, report }
}

fn inconclusive() -> Outcome {
    Outcome::Inconclusive(ScanError::EngineTrouble)
}

#[test]
fn a_claim_is_scanned_once_and_a_duplicate_of_its_message_is_not() {
    let claim = |holder| Event::Claimed { version: version("v"), holder };
    let first = applied(&awaiting(FILE, NOW), &claim(scan_id(1)));
    let (scanned_version, lease) = scan_effect(&first.effects).unwrap();
    assert_eq!((scanned_version, lease.holder, lease.epoch), (version("v"), scan_id(1), 1));
    let duplicate = applied(&first.record, &claim(scan_id(2)));
    assert_eq!((scan_effect(&duplicate.effects), duplicate.kept), (None, Some(NoChange::Leased)));
    let late = applied(&clean(FILE, &version("v"), NOW), &claim(scan_id(2)));
    assert_eq!((scan_effect(&late.effects), late.kept), (None, Some(NoChange::AlreadyJudged)));
}

#[test]
fn a_lease_is_lost_when_another_scanner_has_it_or_the_record_is_removed_but_not_by_a_failed_renewal() {
    let held = scanning(&awaiting(FILE, NOW), &version("v"), scan_id(1), NOW);
    let renewed = |holder| Ok::<_, ()>(Some(applied(&held, &Event::Renewed { holder })));
    assert!(keeps_lease(&renewed(scan_id(1))));
    assert!(!keeps_lease(&renewed(scan_id(2))));
    assert!(!keeps_lease(&Ok::<_, ()>(None)));
    assert!(keeps_lease(&Err(())));
}

#[tokio::test]
async fn a_scan_whose_lease_is_lost_is_dropped() {
    let n_renewals = Cell::new(0);
    let renew = || async {
        n_renewals.set(n_renewals.get() + 1);
        n_renewals.get() < 3
    };
    assert_eq!(while_held(std::future::pending::<()>(), TICK, renew).await, None);
    assert_eq!(n_renewals.get(), 3);
}

#[tokio::test]
async fn a_scan_that_ends_under_its_lease_is_reported() {
    let scan = async {
        tokio::time::sleep(TICK * 4).await;
        "scanned"
    };
    assert_eq!(while_held(scan, TICK, || async { true }).await, Some("scanned"));
    // A scan that ends before the first renewal needs none.
    let immediate = while_held(async { "scanned" }, Duration::from_hours(1), || async { false });
    assert_eq!(immediate.await, Some("scanned"));
}

#[test]
fn an_inconclusive_report_needs_another_attempt_until_the_last_one_ends_in_error() {
    let policy = MachinePolicy::default();
    let mut record = awaiting(FILE, NOW);
    for attempt in 1..=policy.max_attempts {
        record = scanning(&record, &version("v"), scan_id(1), NOW);
        let reported = applied(&record, &scanned(scan_id(1), inconclusive()));
        let is_last = attempt == policy.max_attempts;
        assert_eq!(needs_another_attempt(&reported), !is_last, "attempt {attempt}");
        assert_eq!(is_counted(&reported), is_last, "attempt {attempt}");
        record = reported.record;
    }
    let verdict = &record.judgement().unwrap().verdict;
    assert_eq!(*verdict, Verdict::Error { reason: ScanError::EngineTrouble });
}

#[test]
fn a_verdict_needs_no_other_attempt() {
    let record = scanning(&awaiting(FILE, NOW), &version("v"), scan_id(1), NOW);
    let stale = Verdict::Unscannable { reason: Unscannable::StaleDefinitions };
    for verdict in [clean_verdict(), Verdict::Infected { signature: "Eicar".to_owned() }, stale] {
        let reported = applied(&record, &scanned(scan_id(1), Outcome::Decided(verdict.clone())));
        assert!(is_counted(&reported) && !needs_another_attempt(&reported), "{verdict:?}");
    }
}

#[test]
fn a_report_that_comes_after_the_lease_was_taken_over_changes_nothing_and_is_not_retried() {
    let taken_over = scanning(&queued(FILE, &version("v"), NOW), &version("v"), scan_id(2), NOW);
    for outcome in [Outcome::Decided(clean_verdict()), inconclusive()] {
        let late = applied(&taken_over, &scanned(scan_id(1), outcome));
        assert_eq!(late.kept, Some(NoChange::Fenced));
        assert!(!is_counted(&late) && !needs_another_attempt(&late));
    }
}

#[test]
fn an_inconclusive_rescan_needs_another_attempt_while_the_verdict_stands() {
    let asked = applied(&clean(FILE, &version("v"), NOW), &Event::RescanAsked);
    let claimed = applied(&asked.record, &Event::Claimed { version: version("v"), holder: scan_id(1) });
    assert!(scan_effect(&claimed.effects).is_some());
    let reported = applied(&claimed.record, &scanned(scan_id(1), inconclusive()));
    assert!(needs_another_attempt(&reported));
    assert_eq!(reported.record.judgement().unwrap().verdict, clean_verdict());
}
