//! The adapters and the stores below them agree on conditional writes, versions and pages, as AWS documents
//! them.

use std::time::Duration;

use aws::{Committed, Created, DueFile, DueList, NewFile, ObjectWriter, StoreErrorKind};
use aws_sdk_s3::types::Tag;
use domain::content_type::ContentType;
use domain::id::{BucketName, FileId, ObjectKey, OwnerId, VersionId};
use domain::record::{Record, State, UploadMethod};
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::usage::Quotas;

use crate::support::Service;

fn record() -> Record {
    let policy = UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: UploadPolicy::UPLOAD_TTL,
        retention: Duration::from_hours(1),
    };
    let upload = accept(&UploadRequest { filename: "a", ..UploadRequest::default() }, &policy).unwrap();
    let (file, now) = (FileId::from_random(aws::clock::random_uuid()), aws::clock::now());
    Record::new(file, OwnerId::local(), upload, UploadMethod::Put, &policy, Duration::from_hours(1), now)
}

fn new(record: &Record) -> NewFile<'_> {
    NewFile { record, once: None, quotas: &Quotas::NONE }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_keeps_its_conditions() {
    let service = Service::start().await;
    let ledger = &service.local.stores().ledger;
    let first = record();
    assert_eq!(ledger.load(first.file_id).await.unwrap(), None);
    assert_eq!(ledger.create(new(&first), "w1").await.unwrap(), Created::New);
    let twice = ledger.create(new(&first), "w2").await.unwrap_err();
    assert_eq!(twice.kind, StoreErrorKind::PreconditionFailed, "{twice}");
    assert_eq!(ledger.load(first.file_id).await.unwrap(), Some(first.clone()));

    let next = Record { state: State::Expired, due_at: None, revision: 2, ..first.clone() };
    assert_eq!(ledger.commit(&first, &next, "w3").await.unwrap(), Committed::Yes);
    assert_eq!(ledger.commit(&first, &next, "w3").await.unwrap(), Committed::Yes, "its own retry");
    assert_eq!(ledger.commit(&first, &next, "w4").await.unwrap(), Committed::Conflict, "another writer's");
    assert_eq!(ledger.load(first.file_id).await.unwrap(), Some(next));
    let other = record();
    assert_eq!(
        ledger.commit(&other, &Record { revision: 2, ..other.clone() }, "w5").await.unwrap(),
        Committed::Conflict,
        "no such record"
    );

    let due = record();
    let later = Record { due_at: Some(due.created_at + Duration::from_mins(1)), ..due.clone() };
    ledger.create(new(&later), "w6").await.unwrap();
    let shard = due.file_id.shard();
    let at = due.created_at + Duration::from_mins(1);
    let listed = DueFile { due_at: at, file_id: due.file_id };
    let early = ledger.due(DueList::Files, shard, due.created_at, None, 100).await.unwrap();
    assert!(!early.contains(&listed));
    assert!(ledger.due(DueList::Files, shard, at, None, 100).await.unwrap().contains(&listed));
    assert!(!ledger.due(DueList::Files, shard, at, Some(listed), 100).await.unwrap().contains(&listed));
    assert!(ledger.due(DueList::PlannedRescans, shard, at, None, 100).await.unwrap().is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_commits_have_one_winner() {
    let service = Service::start().await;
    let ledger = service.local.stores().ledger.clone();
    let first = record();
    ledger.create(new(&first), "w").await.unwrap();
    let next = Record { state: State::Expired, revision: 2, ..first.clone() };
    let racers: Vec<_> = (0..20)
        .map(|n| {
            let (ledger, first, next) = (ledger.clone(), first.clone(), next.clone());
            tokio::spawn(async move { ledger.commit(&first, &next, &format!("racer {n}")).await.unwrap() })
        })
        .collect();
    let mut n_winners = 0;
    for racer in racers {
        n_winners += usize::from(racer.await.unwrap() == Committed::Yes);
    }
    assert_eq!(n_winners, 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_keeps_versions_and_its_conditions() {
    let service = Service::start().await;
    let objects = &service.local.stores().objects;
    assert!(objects.is_versioned().await.unwrap());
    let file = FileId::from_random(aws::clock::random_uuid());
    let key = &ObjectKey::Issued(file);
    let put = async |bytes: &[u8]| {
        let mut writer = ObjectWriter::new(objects, key.clone(), ContentType::octet_stream());
        writer.write(bytes).await.unwrap();
        writer.complete().await
    };
    assert_eq!(objects.current_version(key).await.unwrap(), None);
    put(b"first").await.unwrap();
    assert_eq!(
        put(b"second").await.unwrap_err().kind,
        StoreErrorKind::PreconditionFailed,
        "if-none-match: *"
    );
    assert_eq!(
        put(&vec![0; 20_000_000]).await.unwrap_err().kind,
        StoreErrorKind::PreconditionFailed,
        "the same holds for parts"
    );
    let version = objects.current_version(key).await.unwrap().unwrap();
    assert_eq!(version.size_bytes, 5);
    let open = objects.open(key, &version).await.unwrap();
    assert_eq!(open.body.collect().await.unwrap().into_bytes().as_ref(), b"first");

    objects.tag(key, &version.version_id, "scan-status", "CLEAN").await.unwrap();
    objects.purge(file, Some(&version.version_id)).await.unwrap();
    assert_eq!(objects.current_version(key).await.unwrap(), Some(version.clone()), "the kept version stays");
    objects.purge(file, None).await.unwrap();
    objects.purge(file, None).await.unwrap();
    assert_eq!(objects.current_version(key).await.unwrap(), None);
    assert_eq!(objects.open(key, &version).await.unwrap_err().kind, StoreErrorKind::NotFound);

    let racers = (0..8u8).map(async |n| put(&[n; 10]).await.is_ok());
    let winners = futures_util::future::join_all(racers).await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1, "of eight concurrent writers, one");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdicts_tag_displaces_one_of_ten_tags_except_in_a_protected_bucket() {
    let service = Service::start().await;
    let (objects, s3) = (&service.local.stores().objects, service.raw_s3());
    let bucket = BucketName::parse("airlock").unwrap();
    let key = "in/a".to_owned();
    let ten: Vec<_> = (0..10).map(|n| format!("k{n}=v")).collect();
    for (key, is_tagged) in
        [(ObjectKey::Protected { bucket, key: key.clone() }, false), (ObjectKey::Incoming(key.clone()), true)]
    {
        let put = s3.put_object().bucket("airlock").key(key.to_string()).tagging(ten.join("&"));
        let version = VersionId::parse(put.send().await.unwrap().version_id.unwrap()).unwrap();
        for value in ["CLEAN", "INFECTED"] {
            objects.tag(&key, &version, "scan-status", value).await.unwrap();
            let found = s3.get_object_tagging().bucket("airlock").key(key.to_string());
            let found = found.version_id(version.as_str()).send().await.unwrap().tag_set;
            assert_eq!(found.len(), 10, "{found:?}");
            let verdict = found.iter().find(|tag| tag.key() == "scan-status").map(Tag::value);
            assert_eq!(verdict, is_tagged.then_some(value), "{key:?}");
        }
    }
    service.stop().await;
}
