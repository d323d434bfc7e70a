//! Tests of a file with a finding: its release, the tag of the release, and findings of later scans.

use std::time::Duration;

use super::*;
use crate::id::{ETag, FileId, OwnerId, Sha256};
use crate::machine::{MachinePolicy, revocation, step};
use crate::record::{Record, Status, UploadMethod};
use crate::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const DIGEST: Sha256 = Sha256::from_bytes([1; 32]);

fn version() -> Version {
    let version_id = VersionId::parse("v1").unwrap();
    Version { version_id, etag: ETag::parse("e").unwrap(), size_bytes: 10 }
}

fn holder() -> ScanId {
    ScanId::from_random(uuid::Uuid::from_u128(1))
}

fn applied(record: &Record, event: &Event) -> (Record, Vec<Effect>) {
    match step(record, event, &MachinePolicy::default(), NOW) {
        Step::Commit { next, effects } => (*next, effects),
        Step::Keep { effects, .. } => (record.clone(), effects),
    }
}

fn after(record: &Record, event: &Event) -> Record {
    applied(record, event).0
}

fn found(signature: &str, release: Option<Release>) -> Event {
    Event::Scanned {
        version_id: version().version_id,
        holder: holder(),
        report: ScanReport {
            outcome: Outcome::Decided(Verdict::Infected { signature: signature.into() }),
            duration: Duration::ZERO,
            sha256: Some(DIGEST),
            engine: None,
            needed_password: false,
            release,
        },
    }
}

fn release_of(signature: &str) -> Release {
    Release {
        sha256: DIGEST,
        signature: signature.into(),
        reason: "a test".into(),
        by: OwnerId::local(),
        at: NOW,
    }
}

/// A file whose finding `Eicar` is released.
fn released() -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: Duration::from_mins(5),
        retention: Duration::from_hours(1),
    };
    let upload = accept(&UploadRequest { filename: "a", ..UploadRequest::default() }, &policy).unwrap();
    let file_id = FileId::from_random(uuid::Uuid::from_u128(1));
    let new = Record::new(file_id, OwnerId::local(), upload, UploadMethod::Put, &policy, Duration::ZERO, NOW);
    let claimed = after(&new, &Event::Claimed { version: version(), holder: holder() });
    let infected = after(&claimed, &found("Eicar", None));
    let released = after(&infected, &Event::Released { release: release_of("Eicar") });
    assert_eq!((infected.status(), released.status()), (Status::Infected, Status::Released));
    released
}

/// The same during a rescan.
fn rescanned() -> Record {
    let queued = after(&released(), &Event::RescanAsked);
    let claimed = after(&queued, &Event::Claimed { version: version(), holder: holder() });
    assert!(claimed.rescan().is_on(), "{:?}", claimed.rescan());
    claimed
}

#[test]
fn the_sweep_tags_a_release_and_its_revocation_before_it_removes_anything() {
    let released = released();
    let revocation = revocation(DIGEST, "a mistake", OwnerId::local(), NOW).unwrap();
    let revoked = after(&released, &Event::ReleaseRevoked { revocation });
    for record in [&released, &revoked] {
        let due = Event::Due { found: None, rescans: Rescans::default() };
        let (_, effects) = applied(record, &due);
        // A failed effect skips those after it, so the tag must not wait for the removal of a version.
        let expected = [Effect::Tag { version: version() }, Effect::PurgeOthers { keep: version() }];
        assert_eq!(effects, expected, "{:?}", record.status());
    }
}

#[test]
fn a_repeated_finding_keeps_its_release() {
    let other = Release { reason: "another".into(), ..release_of("Eicar") };
    for reported in [None, Some(release_of("Eicar")), Some(other), Some(release_of("Other"))] {
        let record = after(&rescanned(), &found("Eicar", reported));
        let release = record.post_verdict().unwrap().release.as_ref();
        assert_eq!((record.status(), release), (Status::Released, Some(&release_of("Eicar"))));
    }
}

#[test]
fn another_finding_counts_unless_a_release_of_its_own_covers_it() {
    for (reported, expected) in [
        (None, (Status::Infected, None)),
        (Some(release_of("Eicar")), (Status::Infected, None)),
        (Some(release_of("Other")), (Status::Released, Some(release_of("Other")))),
    ] {
        let record = after(&rescanned(), &found("Other", reported));
        let release = record.post_verdict().unwrap().release.clone();
        assert_eq!((record.status(), release), expected);
        let verdict = &record.judgement().unwrap().verdict;
        assert!(matches!(verdict, Verdict::Infected { signature } if signature == "Other"), "{verdict:?}");
    }
}
