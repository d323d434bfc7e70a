//! Applies long random histories to the status machine: duplicated, reordered and lost events, two scanners,
//! two versions, any clock. Checks the invariants after every step.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a failed test")]

use std::time::Duration;

use domain::access::{LinkClaims, grant};
use domain::freshness::{Definitions, DefinitionsKind};
use domain::history::EventKind;
use domain::id::{ETag, FileId, OwnerId, ScanId, Sha256, Version, VersionId};
use domain::machine::{Effect, Event, MachinePolicy, ScanReport, Step, revocation, step};
use domain::password::SealedPassword;
use domain::post_verdict::{Quarantine, Release, Rescan, Rescans};
use domain::record::{Record, State, Status, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::verdict::{EngineVersion, Outcome, ScanError, Unscannable, Verdict};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

const POLICY: MachinePolicy = MachinePolicy {
    lease: Duration::from_secs(30),
    max_attempts: 3,
    sweep_retry: Duration::from_mins(1),
    tag_retry: Duration::from_mins(1),
    upload_grace: Duration::from_secs(10),
    max_file_size: 100,
    publishes: true,
    rescan_every: Some(Duration::from_mins(10)),
    quarantine: Quarantine::Keep,
    protected: domain::protected::ProtectedChanges { quarantines: false, deletes: false },
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
    Record::new(file_id, OwnerId::local(), upload, method, &policy, POLICY.sweep_retry, START)
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

/// A clean verdict as the ledger would return it; otherwise only `judge` makes one, from complete evidence.
fn clean() -> Verdict {
    let sha256 = "0".repeat(64);
    serde_json::from_value(serde_json::json!({ "status": "clean", "sha256": sha256 })).unwrap()
}

const DIGEST: Sha256 = Sha256::from_bytes([1; 32]);

/// An operator's release of one of the two findings.
fn release() -> Release {
    Release {
        sha256: DIGEST,
        signature: "Eicar".into(),
        reason: "a test".into(),
        by: OwnerId::local(),
        at: START,
    }
}

/// The sweep's inputs, with other definitions than those of any verdict here.
fn rescans(has_room: bool) -> Rescans {
    let definitions =
        Definitions { kind: DefinitionsKind::TestSet, version: "2".into(), built_at: START, n_signatures: 1 };
    let engine = Some(EngineVersion { version: "ClamAV".into(), openers: vec![], definitions });
    Rescans { engine, has_room, is_out_of_reach: false }
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Decided(clean())),
        Just(Outcome::Decided(Verdict::Infected { signature: "Eicar".into() })),
        Just(Outcome::Decided(Verdict::Infected { signature: "Other".into() })),
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
        1 => (a_version.clone(), a_scanner.clone())
            .prop_map(|(v, s)| Event::Postponed { version_id: version_id(v), holder: scanner(s) }),
        4 => (a_version.clone(), a_scanner, any_outcome()).prop_map(|(v, s, outcome)| Event::Scanned {
            version_id: version_id(v),
            holder: scanner(s),
            report: ScanReport {
                outcome,
                duration: Duration::ZERO,
                sha256: Some(DIGEST),
                engine: None,
                needed_password: false,
                release: None,
            },
        }),
        3 => (prop::option::of(a_version), any::<bool>()).prop_map(|(found, has_room)| Event::Due {
            found: found.map(version), rescans: rescans(has_room),
        }),
        1 => (1u8..3).prop_map(|v| Event::VersionLost { version_id: version_id(v) }),
        1 => Just(Event::Purged), 1 => Just(Event::OwnerDeleted), 1 => Just(Event::LinksRevoked),
        1 => (1u8..3).prop_map(|v| Event::TagFailed { version_id: version_id(v) }),
        1 => (0u64..200).prop_map(|secs| Event::Tagged { due_at: START + Duration::from_secs(secs) }),
        2 => Just(Event::RescanAsked),
        2 => Just(Event::Released { release: release() }),
        1 => Just(revocation(DIGEST, "a test", OwnerId::local(), START).unwrap())
            .prop_map(|revocation| Event::ReleaseRevoked { revocation }),
        1 => (0u32..30).prop_map(|seq| Event::Published { seq }),
    ]
}

/// A report without a digest and without an engine.
fn report(outcome: Outcome) -> ScanReport {
    ScanReport {
        outcome,
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
        release: None,
    }
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
            // Deleted and infected are absorbing; clean comes from a clean report on the bound version by the
            // lease holder.
            match (before.status(), after.status()) {
                (Status::Deleted, status) => prop_assert_eq!(status, Status::Deleted),
                (Status::Infected, Status::Released) => {
                    let is_release = matches!(event, Event::Released { .. });
                    prop_assert!(is_release, "only an operator releases a finding");
                }
                (Status::Released, status) if matches!(event, Event::ReleaseRevoked { .. }) => {
                    // The sweep writes the tag.
                    prop_assert_eq!((status, after.due_at), (Status::Infected, Some(now)));
                }
                (Status::Infected, status) => {
                    prop_assert!(matches!(status, Status::Infected | Status::Deleted | Status::Expired));
                }
                (Status::Expired, status) => {
                    prop_assert!(matches!(status, Status::Expired | Status::Deleted));
                }
                (earlier, Status::Clean) if earlier != Status::Clean => {
                    let lease = match &before.state {
                        State::Scanning { lease, .. } => *lease,
                        State::Judged { post_verdict, .. } => match post_verdict.rescan {
                            Rescan::Running { lease, .. } => lease,
                            _ => return Err(TestCaseError::fail("clean without a rescan")),
                        },
                        _ => return Err(TestCaseError::fail("clean without a scan")),
                    };
                    let Event::Scanned { version_id, holder, report } = event else {
                        return Err(TestCaseError::fail("clean without a report"));
                    };
                    let version = before.state.version().unwrap();
                    prop_assert_eq!((&version.version_id, &lease.holder), (version_id, holder));
                    prop_assert_eq!(&report.outcome, &Outcome::Decided(clean()));
                }
                _ => {}
            }
            // If the file stops being downloadable, all its links are revoked for good.
            if before.status().is_downloadable() && !after.status().is_downloadable() {
                prop_assert!(after.link_generation > before.link_generation);
            }
            prop_assert!(after.link_generation >= before.link_generation);
            // Each change of status is recorded once, numbered without gaps, and stays in the outbox until it
            // is published.
            let n_new = after.history.last_seq() - before.history.last_seq();
            let is_told = matches!(event, Event::Published { .. });
            prop_assert!(n_new <= 1);
            let shown = |status| if status == Status::Pending { Status::Scanning } else { status };
            if shown(before.status()) != shown(after.status()) {
                prop_assert_eq!(n_new, 1, "{:?} to {:?}", before.status(), after.status());
            }
            prop_assert!(
                is_told
                    || after.history.outbox().count() == before.history.outbox().count() + n_new as usize
            );
            prop_assert_eq!(after.history.has_outbox(), after.publish_due_at.is_some());
            if n_new == 1 {
                let entry = after.history.entries().last().unwrap();
                prop_assert_eq!((entry.seq, entry.status), (after.history.last_seq(), after.status()));
                prop_assert!(effects.contains(&Effect::Publish));
                prop_assert_eq!(entry.kind == EventKind::VerdictChanged,
                    before.judgement().is_some() && after.judgement().is_some()
                        && before.status() != after.status());
            }
            // A file that has not ended stays due for the sweep and keeps its bytes.
            if !matches!(after.state, State::Expired | State::Deleted) {
                prop_assert!(after.due_at.is_some());
                prop_assert!(!effects.contains(&Effect::Purge));
            }
            // Repeating the event does not change the state of a judged or ended file.
            let (again, _) = apply(&after, event, now);
            let is_renewal_or_look = matches!(event,
                Event::Renewed { .. } | Event::Due { .. } | Event::Purged | Event::Scanned { .. });
            if !is_renewal_or_look && after.status().is_terminal() {
                prop_assert_eq!(again.state, after.state.clone());
            }
            // A link is valid for the clean or released version and no other.
            for n in 1..3 {
                let claims = LinkClaims {
                    file_id: after.file_id,
                    version_id: version_id(n),
                    expires_at: now + Duration::from_secs(1),
                    generation: after.link_generation,
                };
                let granted = grant(&after, Some(&release()), &claims, now).is_ok();
                let is_clean = granted && after.status() == Status::Clean;
                prop_assert_eq!(grant(&after, None, &claims, now).is_ok(), is_clean);
                let is_clean_version = matches!(after.status(), Status::Clean | Status::Released)
                    && after.post_verdict().is_none_or(|it| it.tag_due_at.is_none())
                    && after.state.version() == Some(&version(n)) && after.expires_at > now;
                prop_assert_eq!(granted, is_clean_version);
                let older = LinkClaims { generation: after.link_generation.wrapping_sub(1), ..claims };
                prop_assert!(grant(&after, Some(&release()), &older, now).is_err());
            }
            before = after;
        }
    }

    #[test]
    fn whatever_happened_the_sweep_ends_it(
        history in prop::collection::vec((any_event(), 0u64..200), 0..40),
    ) {
        let (mut record, mut now) = (record(UploadMethod::Post), START);
        for (event, wait_secs) in &history {
            now = now + Duration::from_secs(*wait_secs);
            (record, _) = apply(&record, event, now);
        }
        // From here on only the sweep acts, at every due moment, and its purges are reported.
        for _ in 0..200 {
            let due = [record.next_due_at(), record.rescan().due_at()];
            let Some(due_at) = due.into_iter().flatten().min() else { break };
            now = now.max(due_at);
            let effects;
            (record, effects) = apply(&record, &Event::Due { found: None, rescans: rescans(true) }, now);
            if effects.contains(&Effect::Publish) {
                (record, _) = apply(&record, &Event::Published { seq: record.history.last_seq() }, now);
            }
            if effects.iter().any(|effect| matches!(effect, Effect::Purge | Effect::PurgeOthers { .. })) {
                (record, _) = apply(&record, &Event::Purged, now);
            }
            let is_tagged = effects.iter().any(|effect| matches!(effect, Effect::Tag { .. }));
            if let Some(due_at) = record.post_verdict().and_then(|it| it.tag_due_at).filter(|_| is_tagged) {
                (record, _) = apply(&record, &Event::Tagged { due_at }, now);
            }
        }
        prop_assert_eq!(record.next_due_at(), None);
        prop_assert!(!record.history.has_outbox());
        prop_assert!(matches!(record.status(), Status::Expired | Status::Deleted));
    }
}

#[test]
fn an_object_that_need_not_be_read_is_judged_immediately() {
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
fn a_scan_that_is_postponed_costs_no_attempt() {
    let mut waiting = record(UploadMethod::Put);
    let postponed = |holder| Event::Postponed { version_id: version_id(1), holder: scanner(holder) };
    for _ in 0..3 * POLICY.max_attempts {
        let claim = Event::Claimed { version: version(1), holder: scanner(1) };
        (waiting, _) = apply(&waiting, &claim, START);
        assert_eq!(waiting.status(), Status::Scanning);
        let (kept, _) = apply(&waiting, &postponed(2), START);
        assert_eq!(kept, waiting, "only the holder returns its lease");
        let effects;
        (waiting, effects) = apply(&waiting, &postponed(1), START);
        assert!(matches!(waiting.state, State::Queued { n_attempts: 0, .. }), "{:?}", waiting.state);
        assert!(effects.is_empty() && waiting.due_at.is_some());
    }
    (waiting, _) = apply(&waiting, &Event::Claimed { version: version(1), holder: scanner(1) }, START);
    let report = report(Outcome::Decided(clean()));
    let done = Event::Scanned { version_id: version_id(1), holder: scanner(1), report };
    let (mut judged, _) = apply(&waiting, &done, START);
    assert_eq!(judged.status(), Status::Clean);
    (judged, _) = apply(&judged, &Event::RescanAsked, START);
    for _ in 0..3 * POLICY.max_attempts {
        (judged, _) = apply(&judged, &Event::Claimed { version: version(1), holder: scanner(2) }, START);
        (judged, _) = apply(&judged, &postponed(2), START);
        assert_eq!(judged.status(), Status::Clean, "the verdict stands");
        assert!(matches!(judged.post_verdict().unwrap().rescan, Rescan::Queued { n_attempts: 0, .. }));
    }
}

#[test]
fn an_engine_that_keeps_failing_ends_in_error() {
    let mut record = record(UploadMethod::Put);
    for attempt in 1..=POLICY.max_attempts {
        (record, _) = apply(&record, &Event::Claimed { version: version(1), holder: scanner(1) }, START);
        assert_eq!(record.status(), Status::Scanning, "attempt {attempt}");
        let report = report(Outcome::Inconclusive(ScanError::EngineTrouble));
        let event = Event::Scanned { version_id: version_id(1), holder: scanner(1), report };
        (record, _) = apply(&record, &event, START);
    }
    assert_eq!(record.status(), Status::Error);
}

/// The password is kept through every attempt and removed with the verdict. A rescan that cannot open the
/// file changes nothing.
#[test]
fn a_password_is_kept_until_the_verdict() {
    let report = |outcome, needed_password| ScanReport { needed_password, ..report(outcome) };
    let claim = |holder| Event::Claimed { version: version(1), holder: scanner(holder) };
    let done = |holder, report| Event::Scanned { version_id: version_id(1), holder: scanner(holder), report };
    let password = Some(SealedPassword::of("sealed".into()));
    let waiting = Record { password: password.clone(), ..record(UploadMethod::Put) };
    let (scanning, _) = apply(&waiting, &claim(1), START);
    let failed = report(Outcome::Inconclusive(ScanError::EngineTrouble), false);
    let (queued, _) = apply(&scanning, &done(1, failed), START);
    assert_eq!((&scanning.password, &queued.password), (&password, &password));
    for end in [Event::OwnerDeleted, claim(9)] {
        let (next, _) = apply(&queued, &end, START);
        assert_eq!(next.password.is_some(), next.status() == Status::Scanning);
    }
    let (again, _) = apply(&queued, &claim(2), START);
    let (judged, _) = apply(&again, &done(2, report(Outcome::Decided(clean()), true)), START);
    assert_eq!((judged.status(), &judged.password), (Status::Clean, &None));
    assert!(judged.judgement().unwrap().needed_password);

    let encrypted = || Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted });
    let rescanned = |judged: &Record, outcome| {
        let (asked, _) = apply(judged, &Event::RescanAsked, START);
        let (running, _) = apply(&asked, &claim(3), START);
        apply(&running, &done(3, report(outcome, false)), START + Duration::from_secs(1)).0
    };
    let unopened = rescanned(&judged, encrypted());
    assert_eq!(unopened.judgement(), judged.judgement());
    assert_eq!(unopened.post_verdict().unwrap().unopened_at, Some(START + Duration::from_secs(1)));
    // Any other result of a rescan counts, and a file that needed no password becomes `encrypted` if a scan
    // says so.
    let infected = Outcome::Decided(Verdict::Infected { signature: "Eicar".into() });
    assert_eq!(rescanned(&judged, infected).status(), Status::Infected);
    let malformed = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Malformed });
    assert_eq!(rescanned(&judged, malformed).status(), Status::Unscannable);
    let (plain, _) = apply(&again, &done(2, report(Outcome::Decided(clean()), false)), START);
    assert_eq!(rescanned(&plain, encrypted()).status(), Status::Unscannable);
}
