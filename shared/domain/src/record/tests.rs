//! Records are stored in the format of earlier releases, whatever the fields are called here.

use serde_json::json;

use super::*;
use crate::post_verdict::{Rescan, RescanReason};

#[test]
fn a_record_keeps_the_names_under_which_it_was_stored() {
    let version = json!({ "version_id": "v", "etag": "e", "size_bytes": 6 });
    let judgement = json!({
        "judged_at": 1_795_717_439_730_i64, "duration": { "secs": 0, "nanos": 1 }, "sha256": "0".repeat(64),
        "engine": {
            "version": "ClamAV 1.4.6", "openers": [],
            "definitions": { "kind": "test_set", "version": "test", "built_at": 0, "n_signatures": 2 },
        },
        "verdict": { "status": "infected", "signature": "Eicar" },
    });
    let rescan = json!({ "at": "queued", "n_attempts": 1, "look_at": 1_795_803_839_730_i64, "why": "asked" });
    let notice = json!({ "version": version, "judgement": judgement, "before": "scanning" });
    let stored = json!({
        "file_id": "51c1e4cf-e6af-4b75-a40d-02fc9702f67e", "owner": "local", "filename": "a.txt",
        "content_type": "application/octet-stream", "declared_size": 6, "upload_method": "put",
        "created_at": 1_795_717_439_529_i64, "upload_deadline": 1_795_718_339_529_i64,
        "expires_at": 1_796_322_239_529_i64, "tags": {}, "download_count": 0, "has_surplus": false,
        "state": {
            "at": "judged", "version": version, "judgement": judgement, "aftermath": { "rescan": rescan },
        },
        "state_due_at": 1_796_322_239_529_i64, "changed_at": 1_795_717_439_730_i64, "link_generation": 0,
        "journal": {
            "entries": [
                { "seq": 1, "at": 1, "kind": "scan_started", "status": "scanning" },
                { "seq": 2, "at": 2, "kind": "scan_completed", "status": "infected", "notice": notice },
            ],
            "n_written": 2,
        },
        "revision": 5,
    });
    let record: Record = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!((record.status(), record.history.last_seq()), (Status::Infected, 2));
    assert_eq!(record.history.outbox().map(|(entry, _)| entry.seq).collect::<Vec<_>>(), [2]);
    let next_due_at = Timestamp::from_millis(1_795_803_839_730);
    let expected = Rescan::Queued { n_attempts: 1, next_due_at, why: RescanReason::Asked };
    assert_eq!(record.post_verdict().unwrap().rescan, expected);
    assert_eq!(record.due_at, Some(Timestamp::from_millis(1_796_322_239_529)));

    // A write keeps the names too: functions of two releases share the table while a deployment is rolled out
    // or back.
    assert_eq!(serde_json::to_value(&record).unwrap(), stored);
}
