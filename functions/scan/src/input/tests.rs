//! When a cached verdict may be used, when the engine is asked, and what its answers become.

use clamd::StartError;
use domain::id::FileId;
use fixtures::{NOW, awaiting, engine, evidence, version};

use super::*;

const FILE: FileId = FileId::from_digest([1; 16]);

fn digest(byte: u8) -> Sha256 {
    Sha256::from_bytes([byte; 32])
}

fn declared(sha256: Option<Sha256>) -> Record {
    Record { declared_sha256: sha256, ..awaiting(FILE, NOW) }
}

fn stored() -> Stored {
    Stored { size_bytes: 10, content_encoding: ContentEncoding::Identity, sha256: Some(digest(1)) }
}

fn scan() -> Scan {
    let Evidence { replies, canary_found_before, canary_found_after, n_engine_errors, .. } = evidence();
    let engine = engine("1");
    Scan { replies, n_bytes: 10, canary_found_before, canary_found_after, n_engine_errors, engine }
}

#[test]
fn an_object_is_left_unread_only_if_the_store_measured_the_digest_that_was_declared() {
    let before = |stored: Stored, sha256| stored.digest_before_reading(&declared(sha256), &version("v"));
    assert_eq!(before(stored(), Some(digest(1))), Some(digest(1)));
    for (what, stored, declared) in [
        ("nothing was declared", stored(), None),
        ("another digest was declared", stored(), Some(digest(2))),
        ("the store measured none", Stored { sha256: None, ..stored() }, Some(digest(1))),
        ("the size is another", Stored { size_bytes: 11, ..stored() }, Some(digest(1))),
        (
            "clients would decode it",
            Stored { content_encoding: ContentEncoding::Encoded, ..stored() },
            Some(digest(1)),
        ),
    ] {
        assert_eq!(before(stored, declared), None, "{what}");
    }
}

#[test]
fn bytes_that_differ_from_what_was_declared_have_no_cached_verdict() {
    let is_as_declared =
        |stored: Stored, sha256, read| stored.is_as_declared(&declared(sha256), &version("v"), read);
    assert!(is_as_declared(stored(), None, (10, digest(1))));
    assert!(is_as_declared(stored(), Some(digest(1)), (10, digest(1))));
    assert!(!is_as_declared(stored(), Some(digest(2)), (10, digest(1))));
    assert!(!is_as_declared(stored(), None, (9, digest(1))));
    assert!(!is_as_declared(Stored { size_bytes: 9, ..stored() }, None, (9, digest(1))));
    let encoded = Stored { content_encoding: ContentEncoding::Encoded, ..stored() };
    assert!(!is_as_declared(encoded, None, (10, digest(1))));
}

#[test]
fn a_refusal_asks_the_engine_only_where_that_is_not_what_it_saves() {
    let refusal = |reason| Refusal { reason, seen: "seen".into() };
    assert_eq!(structure(None), Ok(Structure::Sound));
    let encrypted = refusal(Unscannable::Encrypted);
    assert_eq!(structure(Some(&encrypted)), Ok(Structure::Refused(Unscannable::Encrypted)));
    let bomb = refusal(Unscannable::ExpandsTooMuch);
    assert_eq!(structure(Some(&bomb)), Err(Unscannable::ExpandsTooMuch));
}

#[test]
fn an_answer_about_the_whole_file_is_evidence_and_one_about_a_part_is_a_failure() {
    let Ok(EngineAnswer::Whole(whole)) = answer(Ok(scan()), Structure::Sound, 10) else { panic!() };
    assert_eq!(whole, scan());
    let part = answer(Ok(scan()), Structure::Sound, 11).unwrap_err();
    assert_eq!(part.to_string(), "the engine took 10 of 11 bytes");
    assert_eq!(part.reason(), ScanError::EngineTrouble);
}

#[test]
fn a_scan_beyond_its_limit_is_unscannable_for_the_gates_reason_or_else_for_its_time() {
    let costly = || Err(EngineError::TooCostly { limit: Duration::from_secs(3) });
    for (structure, expected) in [
        (Structure::Sound, Unscannable::ScanTimeout),
        (Structure::Refused(Unscannable::Malformed), Unscannable::Malformed),
    ] {
        let Ok(EngineAnswer::TooCostly { reason, observed }) = answer(costly(), structure, 10) else {
            panic!("{structure:?}")
        };
        assert_eq!((reason, &*observed), (expected, "the scan took more than 3s of processor time"));
    }
}

#[test]
fn every_failure_is_inconclusive_with_the_reason_of_what_failed() {
    let storage = InputError::Spool(SpoolError::Disk(std::io::Error::other("disk")));
    assert_eq!(storage.reason(), ScanError::StorageTrouble);
    let of_engine = [
        EngineError::Busy,
        EngineError::NoCanary,
        EngineError::DefinitionsChanged,
        EngineError::Start(StartError::NotReady(Duration::from_secs(1))),
    ];
    for error in of_engine {
        let failure = answer(Err(error), Structure::Sound, 10).unwrap_err();
        assert_eq!(failure.reason(), ScanError::EngineTrouble, "{failure}");
        assert!(failure.cause().is::<EngineError>(), "{failure}");
    }
    for failure in [InputError::Gate(InspectorError::BadAnswer), InputError::TimedOut(Duration::ZERO)] {
        assert_eq!(failure.reason(), ScanError::EngineTrouble, "{failure}");
    }
}
