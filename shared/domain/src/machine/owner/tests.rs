//! Which edits are refused, and what an edit changes.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::{FileId, OwnerId};
use crate::machine::{Event, MachinePolicy, Step, step};
use crate::record::UploadMethod;
use crate::upload::{AllowedExtensions, UploadRequest, accept};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const RETENTION: Duration = Duration::from_hours(24);

fn policy() -> UploadPolicy {
    UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: RETENTION,
    }
}

fn record() -> Record {
    let request = UploadRequest { filename: "a.txt", size_bytes: Some(5), ..UploadRequest::default() };
    let upload = accept(&request, &policy()).unwrap();
    let file = FileId::from_random(Uuid::from_u128(1));
    Record::new(file, OwnerId::local(), upload, UploadMethod::Put, &policy(), Duration::from_mins(1), NOW)
}

fn tags(n_tags: usize, key: &str, value: &str) -> BTreeMap<String, String> {
    (0..n_tags).map(|n| (format!("{key}{n}"), value.to_owned())).collect()
}

#[test]
fn an_edit_that_breaks_a_rule_is_refused_with_its_reason() {
    let later = NOW + Duration::from_hours(1);
    let latest = NOW + RETENTION;
    let out_of_range = EditError::ExpiryOutOfRange { latest };
    let name = |name: &str| EditRequest { filename: Some(name.to_owned()), ..EditRequest::default() };
    let tagged = |tags| EditRequest { tags: Some(tags), ..EditRequest::default() };
    let limit = |limit| EditRequest { max_downloads: Some(limit), ..EditRequest::default() };
    let expiry = |at| EditRequest { expires_at: Some(at), ..EditRequest::default() };
    for (request, refused) in [
        (name("b.txt"), None),
        (name("b.exe"), Some(EditError::ExtensionChanged)),
        (name("b"), Some(EditError::ExtensionChanged)),
        (name(""), Some(EditError::Name(FileNameError::Empty))),
        (tagged(tags(MAX_TAGS, "k", "v")), None),
        (tagged(tags(MAX_TAGS + 1, "k", "v")), Some(EditError::InvalidTags)),
        (tagged(tags(1, &"k".repeat(MAX_TAG_KEY_BYTES), "v")), Some(EditError::InvalidTags)),
        (tagged(tags(1, "k", &"v".repeat(MAX_TAG_VALUE_BYTES + 1))), Some(EditError::InvalidTags)),
        (tagged(tags(1, "k", "a\u{7}")), Some(EditError::InvalidTags)),
        (limit(1), None),
        (limit(0), Some(EditError::InvalidMaxDownloads)),
        (expiry(latest), None),
        (expiry(later), Some(out_of_range.clone())),
        (expiry(latest + Duration::from_millis(1)), Some(out_of_range)),
    ] {
        assert_eq!(edit(&record(), &request, &policy(), later).err(), refused, "{request:?}");
    }
    let gone = Record { state: State::Deleted, ..record() };
    assert_eq!(edit(&gone, &EditRequest::default(), &policy(), later), Err(EditError::Gone));
}

#[test]
fn an_edit_changes_what_it_names_and_is_dropped_when_the_file_has_ended_meanwhile() {
    let later = NOW + Duration::from_mins(1);
    let expires_at = NOW + Duration::from_hours(2);
    let request = EditRequest {
        filename: Some("b.txt".to_owned()),
        tags: Some(tags(1, "k", "v")),
        max_downloads: Some(3),
        expires_at: Some(expires_at),
    };
    let edit = edit(&record(), &request, &policy(), later).unwrap();
    let event = Event::Edited { edit };
    let Step::Commit { next, effects } = step(&record(), &event, &MachinePolicy::default(), later) else {
        panic!("nothing changed");
    };
    assert_eq!((next.filename.as_str(), next.max_downloads, next.expires_at), ("b.txt", Some(3), expires_at));
    assert_eq!((Some(&next.tags), next.changed_at), (request.tags.as_ref(), later));
    assert_eq!((next.revision, effects), (record().revision + 1, vec![]));

    let ended = Record { state: State::Deleted, ..record() };
    let Step::Keep { why, .. } = step(&ended, &event, &MachinePolicy::default(), later) else {
        panic!("a file that has ended was edited");
    };
    assert_eq!(why, NoChange::AlreadyEnded);
}
