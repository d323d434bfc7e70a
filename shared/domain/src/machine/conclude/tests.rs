//! Tests that a file on demand leaves nothing behind: no event, no quarantined copy, no record for long.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::{ETag, FileId, OwnerId, ScanId, VersionId};
use crate::machine::{Event, step};
use crate::record::Status;
use crate::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use crate::verdict::Outcome;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn policy() -> MachinePolicy {
    MachinePolicy { publishes: true, quarantine: Quarantine::Move, ..MachinePolicy::default() }
}

fn record(method: UploadMethod) -> Record {
    let uploads = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(24),
    };
    let upload = accept(&UploadRequest { filename: "file", ..UploadRequest::default() }, &uploads).unwrap();
    let file = FileId::from_random(Uuid::from_u128(1));
    Record::new(file, OwnerId::local(), upload, method, &uploads, policy().sweep_retry, NOW)
}

fn after(record: &Record, event: &Event) -> (Record, Vec<Effect>) {
    match step(record, event, &policy(), NOW) {
        Step::Commit { next, effects } => (*next, effects),
        Step::Keep { why, .. } => panic!("{event:?} changes nothing: {why:?}"),
    }
}

/// The file after its scan found malware.
fn infected(method: UploadMethod) -> (Record, Vec<Effect>) {
    let version_id = VersionId::parse("v1").unwrap();
    let version = Version { version_id: version_id.clone(), etag: ETag::parse("e").unwrap(), size_bytes: 10 };
    let holder = ScanId::from_random(Uuid::from_u128(2));
    let (claimed, _) = after(&record(method), &Event::Claimed { version, holder });
    let report = ScanReport {
        outcome: Outcome::Decided(Verdict::Infected { signature: "Eicar".into() }),
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
        release: None,
    };
    after(&claimed, &Event::Scanned { version_id, holder, report })
}

#[test]
fn a_finding_in_a_file_on_demand_is_neither_published_nor_quarantined() {
    for (method, is_kept) in [(UploadMethod::Form, true), (UploadMethod::OnDemand, false)] {
        let (record, effects) = infected(method);
        assert_eq!(record.status(), Status::Infected);
        assert_eq!(effects.contains(&Effect::Publish), is_kept);
        assert_eq!(record.history.has_outbox(), is_kept);
        assert_eq!(quarantine(&record, &policy()).is_some(), is_kept);
        let expected = if is_kept { NOW } else { NOW + UploadPolicy::ON_DEMAND_TTL };
        assert_eq!(record.due_at, Some(expected));
    }
}

#[test]
fn a_file_on_demand_expires_in_minutes() {
    let (file, on_demand) = (record(UploadMethod::Form), record(UploadMethod::OnDemand));
    assert_eq!(file.expires_at, NOW + Duration::from_hours(24));
    assert_eq!(on_demand.expires_at, NOW + UploadPolicy::ON_DEMAND_TTL);
    let (ended, effects) = after(&on_demand, &Event::OwnerDeleted);
    assert_eq!((ended.status(), effects), (Status::Deleted, vec![Effect::Purge]));
}
