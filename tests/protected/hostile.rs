//! A writer with every right on objects tries to have unjudged bytes read as clean: it tags them, replaces
//! objects while they are scanned, and deletes versions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Tag, Tagging};
use tokio::time::Instant;

use super::Foreign;
use crate::support::process::{Process, free_ports};
use crate::support::{eicar, rounds, wait};

const KEYS: [&str; 3] = ["in/a.txt", "in/b c+d.txt", "in/uploads/123e4567-e89b-42d3-a456-426614174000"];

/// What the writer stored: bytes by version.
type Stored = BTreeMap<String, Vec<u8>>;

#[tokio::test(flavor = "multi_thread")]
async fn no_unjudged_byte_is_read_through_the_gate() {
    let foreign = Foreign::start().await;
    let notes = tempfile::tempdir().unwrap();
    let scanner = foreign.scanner();
    let protect = ["protect", "photos", "--scanner", &scanner, "--yes"];
    assert!(foreign.airlock(notes.path(), &protect).await.status.success());
    except_the_session(&foreign).await;
    let _service = service(&foreign, &notes.path().join("data")).await;
    let writer = foreign.s3("stranger");
    let (mut stored, mut deleted, mut n_read) = (Stored::new(), BTreeSet::new(), 0);
    let until = Instant::now() + Duration::from_secs(rounds(15, 300) as u64);
    for round in 0u32.. {
        if Instant::now() > until {
            break;
        }
        let key = KEYS[round as usize % KEYS.len()];
        let bytes = if round % 2 == 0 { eicar() } else { format!("clean {round}").into_bytes() };
        let put = writer.put_object().bucket("photos").key(key).body(bytes.clone().into());
        let version = put.send().await.unwrap().version_id.unwrap();
        stored.insert(version.clone(), bytes);
        tries_to_tag(&writer, key, &version).await;
        // Every fourth version is gone before or during its scan, and its key is written again.
        if round % 4 == 3 {
            let removed = writer.delete_object().bucket("photos").key(key).version_id(&version);
            removed.send().await.unwrap();
            deleted.insert(version);
        }
        n_read += reads_what_it_can(&foreign, &writer, &stored).await;
        wait::linger(Duration::from_millis(300)).await;
    }
    assert!(n_read > 0, "clean versions can be read after their verdict");
    // In the end every version that is left has its verdict.
    wait::until_found("all verdicts", async || {
        let mut wrong = vec![];
        for (version, bytes) in stored.iter().filter(|(version, _)| !deleted.contains(*version)) {
            let tag = verdict_of(&foreign, version).await;
            let expected = if *bytes == eicar() { "INFECTED" } else { "CLEAN" };
            if tag.as_deref() != Some(expected) {
                wrong.push((version.clone(), tag));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    })
    .await;
    reads_what_it_can(&foreign, &writer, &stored).await;
}

/// AWS compares `aws:PrincipalArn` with the role of a session, the imitation with the session itself.
async fn except_the_session(foreign: &Foreign) {
    let [_, policy] = foreign.setup("photos").await;
    let session = "arn:aws:sts::000000000000:assumed-role/scan/scan";
    let policy = policy.replace(&foreign.scanner(), session);
    foreign.s3("root").put_bucket_policy().bucket("photos").policy(policy).send().await.unwrap();
}

/// The service on one machine, with the scanner's keys. It finds the objects by the sweep.
async fn service(foreign: &Foreign, data_dir: &std::path::Path) -> Process {
    let (url, [id, secret, token]) = (foreign.url(), foreign.keys("scan"));
    let env = [
        ("STORAGE_TYPE", "s3"),
        ("S3_BUCKET_NAME", "airlock-own"),
        ("PROTECTED_BUCKETS", "photos/in/=local"),
        ("AWS_REGION", "us-east-1"),
        ("S3_URL", &url),
        ("AWS_ENDPOINT_URL_S3", &url),
        ("AWS_ACCESS_KEY_ID", &id),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_SESSION_TOKEN", &token),
    ];
    Process::start(data_dir, free_ports(), &env).await
}

/// Every way to a tag is denied. S3 asks for the same permission when an upload brings tags; the imitation
/// does not, so that is left out.
async fn tries_to_tag(writer: &Client, key: &str, version: &str) {
    let clean = || {
        let tag = Tag::builder().key("scan-status").value("CLEAN").build().unwrap();
        Tagging::builder().tag_set(tag).build().unwrap()
    };
    let put = || writer.put_object_tagging().bucket("photos").key(key).tagging(clean());
    assert!(put().send().await.is_err(), "the current version was tagged");
    assert!(put().version_id(version).send().await.is_err(), "the version was tagged");
    let removal = writer.delete_object_tagging().bucket("photos").key(key);
    assert!(removal.send().await.is_err(), "the tags were removed");
}

/// Reads every version that the gate lets it, and returns how many. None of them may be unjudged.
async fn reads_what_it_can(foreign: &Foreign, reader: &Client, stored: &Stored) -> usize {
    let mut n_read = 0;
    for (key, version) in versions(reader).await {
        let get = reader.get_object().bucket("photos").key(&key).version_id(&version).send().await;
        let Ok(got) = get else { continue };
        let bytes = got.body.collect().await.unwrap().to_vec();
        n_read += 1;
        assert_ne!(bytes, eicar(), "{key} {version}");
        assert_eq!(stored.get(&version), Some(&bytes), "the bytes of another version");
        assert_eq!(verdict_of(foreign, &version).await.as_deref(), Some("CLEAN"), "{key} {version}");
    }
    for key in KEYS {
        if let Ok(got) = reader.get_object().bucket("photos").key(key).send().await {
            assert_ne!(got.body.collect().await.unwrap().to_vec(), eicar(), "the current version of {key}");
        }
    }
    n_read
}

async fn versions(s3: &Client) -> Vec<(String, String)> {
    let listed = s3.list_object_versions().bucket("photos").send().await.unwrap();
    let named = listed
        .versions()
        .iter()
        .map(|version| (version.key().unwrap().to_owned(), version.version_id().unwrap().to_owned()));
    named.collect()
}

/// The verdict's tag on a version, as the account's owner sees it.
async fn verdict_of(foreign: &Foreign, version: &str) -> Option<String> {
    let s3 = foreign.s3("root");
    let (key, _) = versions(&s3).await.into_iter().find(|(_, found)| found == version)?;
    let tags = s3.get_object_tagging().bucket("photos").key(key).version_id(version).send().await.ok()?;
    let tag = tags.tag_set.into_iter().find(|tag| tag.key() == "scan-status")?;
    Some(tag.value().to_owned())
}
