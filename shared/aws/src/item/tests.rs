//! Tests of the items of records: they read back, and they stay small.

use std::collections::BTreeMap;

use domain::file_name::FileName;
use domain::freshness::{Definitions, DefinitionsKind};
use domain::id::{ETag, OwnerId, ScanId, Sha256, Version, VersionId};
use domain::password::SealedPassword;
use domain::post_verdict::{PostVerdict, Quarantine, Rescan, RescanReason};
use domain::record::{Lease, UploadMethod};
use domain::upload::{UploadPolicy, UploadRequest, accept};
use domain::verdict::{EngineVersion, Judgement, ScanError, Unscannable, Verdict};
use uuid::Uuid;

use super::*;

fn record(state: State) -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: domain::upload::AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(1),
    };
    let request =
        UploadRequest { filename: "na\u{ef}ve.txt", size_bytes: Some(5), ..UploadRequest::default() };
    let upload = accept(&request, &policy).unwrap();
    let (id, now) = (FileId::from_random(Uuid::from_u128(5)), Timestamp::from_millis(1_700_000_000_123));
    let new =
        Record::new(id, OwnerId::local(), upload, UploadMethod::Put, &policy, Duration::from_mins(1), now);
    let password = Some(SealedPassword::of("sealed".into()));
    Record { state, password, tags: BTreeMap::from([("k".into(), String::new())]), ..new }
}

#[test]
fn every_state_survives_the_ledger() {
    let version = Version {
        version_id: VersionId::parse("v1").unwrap(),
        etag: ETag::parse("e").unwrap(),
        size_bytes: 5,
    };
    let now = Timestamp::from_millis(1_700_000_000_456);
    let definitions = Definitions {
        kind: DefinitionsKind::Official,
        version: "27900".into(),
        built_at: now,
        n_signatures: 3_600_000,
    };
    let clean: Verdict =
        serde_json::from_value(serde_json::json!({ "status": "clean", "sha256": "0".repeat(64) })).unwrap();
    let judged_with = |verdict, rescan| State::Judged {
        post_verdict: PostVerdict { rescan, ..PostVerdict::default() },
        version: version.clone(),
        judgement: Judgement {
            verdict,
            judged_at: now,
            duration: Duration::from_millis(2500),
            sha256: Some(Sha256::from_bytes([9; 32])),
            engine: Some(EngineVersion {
                version: "ClamAV 1.4.6".into(),
                openers: vec!["7-Zip 26.02".into()],
                definitions: definitions.clone(),
            }),
            needed_password: true,
        },
    };
    let judged = |verdict| judged_with(verdict, Rescan::Planned { when: now });
    let lease = Lease { holder: ScanId::from_random(Uuid::from_u128(1)), epoch: 2, until: now };
    let later = Timestamp::from_millis(1_700_000_009_000);
    let why = RescanReason::Asked;
    for state in [
        State::Awaiting,
        State::Queued { version: version.clone(), n_attempts: 1 },
        State::Scanning { version: version.clone(), lease },
        judged(clean.clone()),
        judged_with(clean.clone(), Rescan::None),
        judged_with(clean.clone(), Rescan::Queued { n_attempts: 1, next_due_at: now, why }),
        judged_with(clean.clone(), Rescan::Running { lease, next_due_at: None, why }),
        judged_with(clean.clone(), Rescan::Running { lease, next_due_at: Some(now), why }),
        judged_with(clean, Rescan::Running { lease, next_due_at: Some(later), why }),
        judged(Verdict::Infected { signature: "Eicar".into() }),
        judged(Verdict::Unscannable { reason: Unscannable::TooDeep }),
        judged(Verdict::Error { reason: ScanError::EngineTrouble }),
        State::Expired,
        State::Deleted,
    ] {
        let record = record(state);
        let attributes = Item::of(&record, "w").into_attributes().unwrap();
        assert_eq!(Item::from_attributes(attributes).unwrap().into_record(), record);
    }
}

#[test]
fn a_commit_removes_absent_attributes_and_keeps_the_count() {
    let now = Timestamp::from_secs(1_700_000_000);
    let (declared_sha256, quarantined) = (Some(Sha256::from_bytes([1; 32])), Some(Quarantine::Delete));
    let before = Record { declared_sha256, quarantined, metered: Some(5), ..record(State::Awaiting) };
    let after = Record {
        due_at: None,
        password: None,
        declared_sha256: None,
        quarantined: None,
        metered: None,
        publish_due_at: None,
        ..Record { state: State::Deleted, ..before.clone() }
    };
    let before = Record { publish_due_at: Some(now), ..before };
    let attributes = |record: &Record| Item::of(record, "w").into_attributes().unwrap();
    let replacement = Replacement::of(&attributes(&before), attributes(&after));
    assert!(!replacement.expression.contains("download_count"));
    let (_, removed) = replacement.expression.split_once(" REMOVE ").unwrap();
    assert_eq!(
        removed,
        "#attention, #by_owner, #declared_sha256, #due, #due_at, #feed, #file_id, #has_surplus, \
         #link_generation, #listed_at, #metered, #password, #publish_due_at, #quarantined, #rescan, \
         #rescan_at, #state_due_at, #upload_method, #version_id"
    );
    assert!(removed.split(", ").all(|name| replacement.names.contains_key(name)));
}

/// The size of an item as DynamoDB computes it ("DynamoDB Item sizes and formats").
fn size_of(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| name.len() + size_of_value(value)).sum()
}

fn size_of_value(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(number) => number.trim_start_matches('-').len().div_ceil(2) + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::M(map) => 3 + map.len() + size_of(map),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + size_of_value(value)).sum::<usize>(),
        other => panic!("no record has {other:?}"),
    }
}

/// As the layer's libarchive names itself.
const LIBARCHIVE: &str = "libarchive 3.6.2 zlib/1.2.13 liblzma/5.4.1 bz2lib/1.0.8 liblz4/1.9.4 libzstd/1.5.4";

/// A large record of a file with a usual name, from an issuer of UUIDs, uploaded with a checksum and
/// judged on Lambda.
fn judged_on_aws() -> Record {
    let now = Timestamp::from_millis(1_795_803_839_730);
    let version = Version {
        version_id: VersionId::parse("3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH").unwrap(),
        etag: ETag::parse("d41d8cd98f00b204e9800998ecf8427e").unwrap(),
        size_bytes: 98_765_432,
    };
    let definitions = Definitions {
        kind: DefinitionsKind::Official,
        version: "27 900/62/339".into(),
        built_at: now,
        n_signatures: 3_627_000,
    };
    let engine = EngineVersion {
        version: "ClamAV 1.4.6".into(),
        openers: vec!["7-Zip 26.02".into(), LIBARCHIVE.into()],
        definitions,
    };
    let digest = Sha256::from_bytes([9; 32]);
    let verdict = serde_json::json!({ "status": "clean", "sha256": digest.to_string() });
    let judgement = Judgement {
        verdict: serde_json::from_value(verdict).unwrap(),
        judged_at: now,
        duration: Duration::from_nanos(2_512_345_678),
        sha256: Some(digest),
        engine: Some(engine),
        needed_password: false,
    };
    let post_verdict = PostVerdict { rescan: Rescan::Planned { when: now }, ..PostVerdict::default() };
    let mut history = serde_json::json!({ "entries": [], "n_written": 2 });
    for (seq, kind, status) in [(1, "scan_started", "scanning"), (2, "scan_completed", "clean")] {
        let entry = serde_json::json!({ "seq": seq, "at": now, "kind": kind, "status": status });
        history["entries"].as_array_mut().unwrap().push(entry);
    }
    Record {
        owner: OwnerId::parse("0c5c6a3e-9f0b-4c8e-8f57-2f0a4a1d7e10").unwrap(),
        filename: FileName::sanitize("quarterly-report.docx").unwrap(),
        declared_size: Some(98_765_432),
        declared_sha256: Some(digest),
        max_downloads: Some(10),
        download_count: 9,
        history: serde_json::from_value(history).unwrap(),
        password: None,
        tags: BTreeMap::new(),
        due_at: Some(now + Duration::from_hours(24)),
        expires_at: now + Duration::from_hours(24),
        revision: 3,
        ..record(State::Judged { version, judgement, post_verdict })
    }
}

#[test]
fn a_judged_record_takes_one_write_unit_also_during_a_rescan() {
    let record = judged_on_aws();
    let (now, why) = (record.changed_at, RescanReason::NewDefinitions);
    let lease = Lease { holder: ScanId::from_random(Uuid::from_u128(7)), epoch: 1, until: now };
    let next_due_at = Timestamp::from_millis(now.as_millis() + 86_400_000);
    for rescan in [
        Rescan::Planned { when: next_due_at },
        Rescan::Queued { n_attempts: 0, next_due_at, why },
        Rescan::Running { lease, next_due_at: Some(next_due_at), why },
    ] {
        let mut record = record.clone();
        let State::Judged { post_verdict, .. } = &mut record.state else { panic!("{:?}", record.state) };
        post_verdict.rescan = rescan;
        let attributes = Item::of(&record, &"f".repeat(16)).into_attributes().unwrap();
        let size = size_of(&attributes);
        println!("{rescan:?}: {size} bytes");
        assert!(size <= 1024, "{size} bytes: {attributes:#?}");
        assert_eq!(Item::from_attributes(attributes).unwrap().into_record(), record);
    }
}

#[test]
fn a_record_is_indexed_where_its_state_says() {
    let record = judged_on_aws();
    let item = Item::of(&record, "w");
    assert!(item.is_indexed());
    let attributes = item.into_attributes().unwrap();
    // The item counts as indexed only with both attributes.
    for name in ["due", "rescan"] {
        let mut other = attributes.clone();
        assert!(other.remove(name).is_some(), "{name}");
        assert!(!Item::from_attributes(other).unwrap().is_indexed(), "{name}");
    }
}
