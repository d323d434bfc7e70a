//! Tests what becomes of another application's object: nothing but its tag changes unless the policy says
//! so, and its file ends with it.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::{ETag, OwnerId};
use crate::incoming::KeyMatch;
use crate::protected::{ProtectedBuckets, ProtectedChanges};
use crate::record::Status;
use crate::verdict::Verdict;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const DAY: Duration = Duration::from_hours(24);

fn policy(changes: &str) -> MachinePolicy {
    let protected = ProtectedChanges::parse(changes).unwrap();
    MachinePolicy { quarantine: Quarantine::Move, publishes: true, protected, ..MachinePolicy::default() }
}

fn version() -> Version {
    let (version_id, etag) = (VersionId::parse("v1").unwrap(), ETag::parse("e").unwrap());
    Version { version_id, etag, size_bytes: 10 }
}

fn record() -> Record {
    let buckets = ProtectedBuckets::parse("photos", "own").unwrap();
    let KeyMatch::File { incoming, owner } = buckets.read("photos", "a", &version()) else { panic!() };
    Record::incoming(incoming, owner, version(), DAY, policy("tags").sweep_retry, false, NOW)
}

fn after(record: &Record, event: &Event, changes: &str, at: Timestamp) -> (Record, Vec<Effect>) {
    match step(record, event, &policy(changes), at) {
        Step::Commit { next, effects } => (*next, effects),
        Step::Keep { effects, .. } => (record.clone(), effects),
    }
}

/// The file after its scan found malware.
fn infected() -> Record {
    let holder = ScanId::from_random(Uuid::from_u128(2));
    let (claimed, _) = after(&record(), &Event::Claimed { version: version(), holder }, "tags", NOW);
    let report = ScanReport {
        outcome: Outcome::Decided(Verdict::Infected { signature: "Eicar".into() }),
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
        release: None,
    };
    let version_id = version().version_id;
    let (infected, effects) = after(&claimed, &Event::Scanned { version_id, holder, report }, "tags", NOW);
    assert!(effects.contains(&Effect::Tag { version: version() }), "{effects:?}");
    infected
}

fn due() -> Event {
    Event::Due { found: None, rescans: Rescans::default() }
}

#[test]
fn infected_bytes_are_moved_only_if_that_is_allowed() {
    for (changes, is_moved) in [("tags", false), ("delete", false), ("quarantine", true)] {
        let looked_at = Record { due_at: Some(NOW), ..infected() };
        let (_, effects) = after(&looked_at, &due(), changes, NOW);
        let moved = effects.iter().any(|effect| matches!(effect, Effect::Quarantine { .. }));
        assert_eq!(moved, is_moved, "{changes}: {effects:?}");
    }
}

#[test]
fn a_file_neither_expires_nor_is_deleted_unless_its_bytes_may_be_removed() {
    let late = NOW + DAY * 2;
    for (changes, expected) in [("tags", Status::Infected), ("delete", Status::Expired)] {
        let (swept, effects) = after(&infected(), &due(), changes, late);
        assert_eq!((swept.status(), effects.contains(&Effect::Purge)), (expected, changes == "delete"));
        assert_eq!(swept.expires_at > late + DAY * 365, changes == "tags", "{changes}");
    }
    for (changes, expected) in [("tags", Status::Infected), ("delete", Status::Deleted)] {
        assert_eq!(after(&infected(), &Event::OwnerDeleted, changes, NOW).0.status(), expected, "{changes}");
    }
}

#[test]
fn a_file_ends_with_its_version() {
    let lost = |id: &str| Event::VersionLost { version_id: VersionId::parse(id).unwrap() };
    for before in [record(), infected()] {
        let (other, _) = after(&before, &lost("v2"), "tags", NOW);
        assert_eq!(other.status(), before.status());
        let (ended, effects) = after(&before, &lost("v1"), "tags", NOW);
        assert_eq!((ended.status(), effects), (Status::Deleted, vec![Effect::Publish]));
        assert_eq!(after(&ended, &due(), "tags", NOW).1, [Effect::Publish, Effect::Purge][1..]);
        assert_eq!(after(&ended, &lost("v1"), "tags", NOW).0.revision, ended.revision, "once");
    }
    // Its removal by the quarantine is no end.
    assert_eq!(after(&infected(), &lost("v1"), "quarantine", NOW).0.status(), Status::Infected);
    let moved = Event::Quarantined { version_id: version().version_id, how: Quarantine::Move };
    let (moved, _) = after(&infected(), &moved, "quarantine", NOW);
    assert_eq!(after(&moved, &lost("v1"), "tags", NOW).0.status(), Status::Infected);
}

#[test]
fn the_services_own_versions_are_not_lost_by_others() {
    let own =
        Record { upload_method: crate::record::UploadMethod::Put, owner: OwnerId::local(), ..infected() };
    let lost = Event::VersionLost { version_id: version().version_id };
    assert_eq!(after(&own, &lost, "tags", NOW).0, own);
}
