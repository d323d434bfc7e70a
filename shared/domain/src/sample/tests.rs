//! Which bytes an operator gets, and which not.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::{ETag, Version};
use crate::post_verdict::PostVerdict;
use crate::record::UploadMethod;
use crate::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use crate::verdict::{Judgement, ScanError, Unscannable};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const DIGEST: Sha256 = Sha256::from_bytes([1; 32]);
const LIMIT_BYTES: u64 = 10;

fn record(state: State) -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(1),
    };
    let request = UploadRequest { filename: "a.txt", size_bytes: Some(10), ..UploadRequest::default() };
    let upload = accept(&request, &policy).unwrap();
    let file = FileId::from_random(Uuid::from_u128(1));
    let owner = OwnerId::parse("alice").unwrap();
    let new = Record::new(file, owner, upload, UploadMethod::Put, &policy, Duration::ZERO, NOW);
    Record { state, ..new }
}

fn version() -> Version {
    let version_id = VersionId::parse("v1").unwrap();
    Version { version_id, etag: ETag::parse("e").unwrap(), size_bytes: LIMIT_BYTES }
}

fn judged(verdict: Verdict) -> Record {
    let judgement = Judgement {
        verdict,
        judged_at: NOW,
        duration: Duration::ZERO,
        sha256: Some(DIGEST),
        engine: None,
        needed_password: false,
    };
    record(State::Judged { version: version(), judgement, post_verdict: PostVerdict::default() })
}

fn infected() -> Record {
    judged(Verdict::Infected { signature: "Eicar".to_owned() })
}

fn clean() -> Record {
    let verdict = serde_json::json!({ "status": "clean", "sha256": DIGEST });
    judged(serde_json::from_value(verdict).unwrap())
}

fn request(reason: &str) -> SampleRequest {
    SampleRequest { sha256: DIGEST, reason: reason.to_owned(), by: OwnerId::parse("root").unwrap() }
}

fn taken(record: &Record) -> Result<(SampleGrant, SampleDownload), SampleError> {
    sample(record, request(" to examine it "), LIMIT_BYTES, NOW)
}

#[test]
fn bytes_that_are_not_clean_are_granted_and_the_download_is_described() {
    for (verdict, finding) in [
        (Verdict::Infected { signature: "Eicar".to_owned() }, "Eicar"),
        (Verdict::Unscannable { reason: Unscannable::Encrypted }, "encrypted"),
        (Verdict::Error { reason: ScanError::EngineTrouble }, "engine_trouble"),
    ] {
        let record = judged(verdict);
        let (grant, download) = taken(&record).unwrap();
        assert_eq!(grant.place(), &SamplePlace::Version(record.object_key(), version().version_id));
        assert_eq!(grant.sha256(), DIGEST);
        let told = (download.finding.as_str(), download.reason.as_str(), download.by.as_str());
        assert_eq!(told, (finding, "to examine it", "root"));
        assert_eq!((download.owner.as_str(), download.at, download.sha256), ("alice", NOW, DIGEST));
    }
}

#[test]
fn moved_bytes_are_taken_from_the_quarantine_and_removed_ones_are_gone() {
    for (quarantined, expected) in [
        (Quarantine::Keep, Ok(SamplePlace::Version(infected().object_key(), version().version_id))),
        (Quarantine::Move, Ok(SamplePlace::Quarantine(infected().file_id))),
        (Quarantine::Delete, Err(SampleError::BytesRemoved)),
    ] {
        let record = Record { quarantined: Some(quarantined), ..infected() };
        assert_eq!(taken(&record).map(|(grant, _)| grant.place), expected);
    }
}

#[test]
fn what_is_refused_is_refused_with_its_reason() {
    for (record, expected) in [
        (record(State::Awaiting), SampleError::NotJudged),
        (record(State::Queued { version: version(), n_attempts: 0 }), SampleError::NotJudged),
        (record(State::Expired), SampleError::Gone),
        (record(State::Deleted), SampleError::Gone),
        (Record { expires_at: NOW, ..infected() }, SampleError::Gone),
        (clean(), SampleError::Clean),
    ] {
        assert_eq!(taken(&record).unwrap_err(), expected);
    }
    let other = SampleRequest { sha256: Sha256::from_bytes([2; 32]), ..request("a reason") };
    assert_eq!(sample(&infected(), other, LIMIT_BYTES, NOW).unwrap_err(), SampleError::OtherBytes);
    let limit_bytes = LIMIT_BYTES - 1;
    let too_large = SampleError::TooLarge { size_bytes: LIMIT_BYTES, limit_bytes };
    assert_eq!(sample(&infected(), request("a reason"), limit_bytes, NOW).unwrap_err(), too_large);
    for reason in [" ".to_owned(), "x".repeat(Release::MAX_REASON_BYTES + 1)] {
        let refused = sample(&infected(), request(&reason), LIMIT_BYTES, NOW);
        assert_eq!(refused.unwrap_err(), SampleError::InvalidReason);
    }
}
