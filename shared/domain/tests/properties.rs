//! Throws long random histories at the status machine: duplicated, reordered and lost events, two scanners, two
//! versions, any clock. What must never happen is checked after every step.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a failed test")]

use std::time::Duration;

use domain::access::{LinkClaims, grant};
use domain::id::{ETag, FileId, OwnerId, ScanId, Version, VersionId};
use domain::machine::{Effect, Event, MachinePolicy, Report, Step, step};
use domain::record::{Record, State, Status, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::verdict::{Outcome, ScanError, Unscannable, Verdict};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

const POLICY: MachinePolicy = MachinePolicy {
    lease: Duration::from_secs(30),
    max_attempts: 3,
    look_again: Duration::from_mins(1),
    upload_grace: Duration::from_secs(10),
    max_file_size: 100,
};

fn record(method: UploadMethod) -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: Duration::from_mins(5),
        retention: Duration::from_hours(1),
    };
    let upload = accept(&UploadRequest { filename: "a", ..UploadRequest::default() }, &policy).unwrap();
    let file_id = FileId::from_random(uuid::Uuid::from_u128(1));
    Record::new(file_id, OwnerId::local(), upload, method, &policy, POLICY.look_again, START)
}

fn version(n: u8) -> Version {
    Version { version_id: version_id(n), etag: ETag::parse("e").unwrap(), size_bytes: 10 }
}

fn version_id(n: u8) -> VersionId {
    VersionId::parse(format!("v{n}")).unwrap()
}

fn scanner(n: u8) -> ScanId {
    ScanId::from_random(uuid::Uuid::from_u128(u128::from(n)))
}

/// A clean verdict as the ledger would give it back: the only other way to one is a whole piece of evidence.
fn clean() -> Verdict {
    let sha256 = "0".repeat(64);
    serde_json::from_value(serde_json::json!({ "status": "clean", "sha256": sha256 })).unwrap()
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Decided(clean())),
        Just(Outcome::Decided(Verdict::Infected { signature: "Eicar".into() })),
        Just(Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted })),
        Just(Outcome::Inconclusive(ScanError::EngineTrouble)),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let (a_version, a_scanner) = (1u8..3, 1u8..3);
    prop_oneof![
        4 => (a_version.clone(), a_scanner.clone())
            .prop_map(|(v, s)| Event::Claimed { version: version(v), holder: scanner(s) }),
        1 => a_scanner.clone().prop_map(|s| Event::Renewed { holder: scanner(s) }),
        4 => (a_version.clone(), a_scanner, any_outcome()).prop_map(|(v, s, outcome)| Event::Scanned {
            version_id: version_id(v),
            holder: scanner(s),
            report: Report { outcome, duration: Duration::ZERO, sha256: None, engine: None },
        }),
        3 => prop::option::of(a_version).prop_map(|found| Event::Due { found: found.map(version) }),
        1 => Just(Event::Purged),
        1 => Just(Event::OwnerDeleted),
    ]
}

fn apply(record: &Record, event: &Event, now: Timestamp) -> (Record, Vec<Effect>) {
    match step(record, event, &POLICY, now) {
        Step::Keep { effects, .. } => (record.clone(), effects),
        Step::Commit { next, effects } => (*next, effects),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_history_breaks_a_promise(
        history in prop::collection::vec((any_event(), 0u64..200), 1..60),
        method in prop_oneof![Just(UploadMethod::Put), Just(UploadMethod::Post), Just(UploadMethod::Form)],
    ) {
        let (mut before, mut now) = (record(method), START);
        for (event, wait_secs) in &history {
            now = now + Duration::from_secs(*wait_secs);
            let (after, effects) = apply(&before, event, now);

            // The revision grows by one with a change, and only then.
            prop_assert_eq!(after.revision, before.revision + u64::from(after != before));
            // A version is bound once.
            if let (Some(bound), Some(now_bound)) = (before.state.version(), after.state.version()) {
                prop_assert_eq!(bound, now_bound);
            }
            // Deleted and infected are absorbing; clean comes from a clean report on the bound version by the lease holder.
            match (before.status(), after.status()) {
                (Status::Deleted, status) => prop_assert_eq!(status, Status::Deleted),
                (Status::Infected, status) => {
                    prop_assert!(matches!(status, Status::Infected | Status::Deleted | Status::Expired));
                }
                (Status::Expired, status) => prop_assert!(matches!(status, Status::Expired | Status::Deleted)),
                (earlier, Status::Clean) if earlier != Status::Clean => {
                    let State::Scanning { version, lease } = &before.state else {
                        return Err(TestCaseError::fail("clean without a scan"));
                    };
                    let Event::Scanned { version_id, holder, report } = event else {
                        return Err(TestCaseError::fail("clean without a report"));
                    };
                    prop_assert_eq!((&version.version_id, &lease.holder), (version_id, holder));
                    prop_assert_eq!(&report.outcome, &Outcome::Decided(clean()));
                }
                _ => {}
            }
            // What has not ended is looked at again; what has a live record keeps its bytes.
            if !matches!(after.state, State::Expired | State::Deleted) {
                prop_assert!(after.due_at.is_some());
                prop_assert!(!effects.contains(&Effect::Purge));
            }
            // The same event again changes nothing that counts.
            let (again, _) = apply(&after, event, now);
            let is_renewal_or_look = matches!(event, Event::Renewed { .. } | Event::Due { .. } | Event::Purged);
            if !is_renewal_or_look && after.status().is_terminal() {
                prop_assert_eq!(again.state, after.state.clone());
            }
            // A link is good for the clean version and no other.
            for n in 1..3 {
                let claims = LinkClaims {
                    file_id: after.file_id, version_id: version_id(n), expires_at: now + Duration::from_secs(1),
                };
                let granted = grant(&after, &claims, now).is_ok();
                let is_clean_version = after.status() == Status::Clean
                    && after.state.version() == Some(&version(n)) && after.expires_at > now;
                prop_assert_eq!(granted, is_clean_version);
            }
            before = after;
        }
    }

    #[test]
    fn whatever_happened_the_sweep_ends_it(history in prop::collection::vec((any_event(), 0u64..200), 0..40)) {
        let (mut record, mut now) = (record(UploadMethod::Post), START);
        for (event, wait_secs) in &history {
            now = now + Duration::from_secs(*wait_secs);
            (record, _) = apply(&record, event, now);
        }
        // From here on no event arrives: only the sweep, at every due moment, and what it purges.
        for _ in 0..200 {
            let Some(due_at) = record.due_at else { break };
            now = now.max(due_at);
            let effects;
            (record, effects) = apply(&record, &Event::Due { found: None }, now);
            if effects.iter().any(|effect| matches!(effect, Effect::Purge | Effect::PurgeOthers { .. })) {
                (record, _) = apply(&record, &Event::Purged, now);
            }
        }
        prop_assert_eq!(record.due_at, None);
        prop_assert!(matches!(record.status(), Status::Expired | Status::Deleted));
    }
}

#[test]
fn an_object_that_need_not_be_read_is_judged_at_once() {
    let claim = |size_bytes, declared_size| {
        let record = Record { declared_size, ..record(UploadMethod::Put) };
        let event = Event::Claimed { version: Version { size_bytes, ..version(1) }, holder: scanner(1) };
        apply(&record, &event, START).0
    };
    let reason = |record: &Record| match record.judgement().map(|judgement| judgement.verdict.clone()) {
        Some(Verdict::Unscannable { reason }) => reason.code(),
        Some(Verdict::Error { reason }) => reason.code(),
        _ => "none",
    };
    assert_eq!(reason(&claim(101, None)), "too_large");
    assert_eq!(reason(&claim(0, None)), "empty");
    assert_eq!(reason(&claim(9, Some(10))), "content_mismatch");
    assert_eq!(claim(10, Some(10)).status(), Status::Scanning);
}

#[test]
fn an_engine_that_keeps_failing_ends_in_error() {
    let mut record = record(UploadMethod::Put);
    for attempt in 1..=POLICY.max_attempts {
        (record, _) = apply(&record, &Event::Claimed { version: version(1), holder: scanner(1) }, START);
        assert_eq!(record.status(), Status::Scanning, "attempt {attempt}");
        let report = Report {
            outcome: Outcome::Inconclusive(ScanError::EngineTrouble),
            duration: Duration::ZERO,
            sha256: None,
            engine: None,
        };
        let event = Event::Scanned { version_id: version_id(1), holder: scanner(1), report };
        (record, _) = apply(&record, &event, START);
    }
    assert_eq!(record.status(), Status::Error);
}
