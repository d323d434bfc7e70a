//! `airlock backfill` has every version judged that was in a bucket before: none is missing and none is a
//! file twice, however often it is killed, and `--check` says exactly what each has come to.

mod foreign;
mod line;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use aws::{IncomingCursor, Objects, StoredVersion};
use aws_sdk_s3::primitives::ByteStream;
use axum::Router;
use axum::middleware;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt as _, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::lambda::{Environment, listen};
use crate::support::{Service, eicar, process, rounds, wait};

/// The bucket that is backfilled.
const BUCKET: &str = "airlock";
const RULES: [(&str, &str); 2] = [("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "=local")];
const N_VERSIONS: usize = 3;

/// A bucket that was filled before the service protected it, and the service.
struct Filled {
    service: Service,
    env: Vec<(String, String)>,
    directory: tempfile::TempDir,
}

impl Filled {
    /// With `n_objects` of three versions each, of which `is_bad` says whether they are EICAR files.
    async fn with(n_objects: usize, is_bad: impl Fn(usize) -> bool + Copy) -> Self {
        // Without rules, the service ignores the events of these objects.
        let before = Service::start().await;
        let s3 = before.raw_s3();
        let filled = stream::iter(0..n_objects).map(|n| {
            let s3 = s3.clone();
            async move {
                for version in 0..N_VERSIONS {
                    let n_all = n * N_VERSIONS + version;
                    let bytes = if is_bad(n_all) { eicar() } else { vec![b'a'; n_all % 7 + 1] };
                    let put = s3.put_object().bucket(BUCKET).key(key(n)).body(ByteStream::from(bytes));
                    put.send().await.unwrap();
                }
            }
        });
        filled.buffer_unordered(8).collect::<()>().await;
        wait::until("the events to be ignored", async || before.local.queue().depth().await.unwrap() == 0)
            .await;
        // The sweep would find some of the objects by itself.
        let due_at = aws::clock::now() + Duration::from_hours(24 * 365);
        let never = IncomingCursor { after: None, due_at, since: None };
        before.local.stores().ledger.keep_incoming_cursor(None, never).await.unwrap();
        let service = Service::start_in(before.stop_and_keep().await, &RULES, |settings| {
            settings.tuning.reuses_verdicts = true;
        })
        .await;
        let env = env_of(&Environment::of(&service).await, &RULES);
        Self { service, env, directory: tempfile::tempdir().unwrap() }
    }

    /// Changes the way to the queue.
    async fn queue(&mut self, change: impl FnOnce(Router) -> Router) {
        let queues = [("airlock-scan".to_owned(), self.service.local.queue().clone())].into();
        let url = listen(change(standin::sqs::router(queues))).await;
        let queue_url = format!("{url}/airlock-scan");
        let slow = [("AWS_ENDPOINT_URL_SQS", url), ("AIRLOCK_SCAN_QUEUE_URL", queue_url)];
        self.env.extend(slow.map(|(name, value)| (name.to_owned(), value)));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.env, self.directory.path(), arguments)
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().unwrap()
    }

    /// Runs it to its end, and returns the exit code and what it said.
    async fn run(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.command(arguments).output().await.unwrap();
        (output.status.code().unwrap(), said(&output))
    }

    /// Checks when the queue is empty.
    async fn checked(&self, arguments: &[&str]) -> (i32, Value) {
        let queue = self.service.local.queue();
        wait::until("an empty queue", async || queue.depth().await.unwrap() == 0).await;
        self.run(&[arguments, &["--check"]].concat()).await
    }

    /// The numbers of files by their status, as the service lists them.
    async fn files(&self) -> BTreeMap<String, usize> {
        let (mut n_files, mut path) = (BTreeMap::new(), "/files?limit=100".to_owned());
        loop {
            let (_, list) = self.service.get(&path).await;
            for file in list["files"].as_array().unwrap() {
                *n_files.entry(file["scan_status"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            let Some(cursor) = list["next_cursor"].as_str() else { return n_files };
            path = format!("/files?limit=100&cursor={cursor}");
        }
    }

    /// The versions below a prefix, newest first within a key.
    async fn versions(&self, prefix: &str) -> Vec<StoredVersion> {
        let objects = Objects::new(&self.service.sdk().await, BUCKET.to_owned());
        let page = objects.contents(prefix, None, aws::clock::now()).await.unwrap();
        assert!(page.next.is_none());
        page.versions
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> String {
        let put = self.service.raw_s3().put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes));
        put.send().await.unwrap().e_tag.unwrap().trim_matches('"').to_owned()
    }
}

/// What the command needs of the scan function's environment, with other values of some variables.
fn env_of(environment: &Environment, others: &[(&str, &str)]) -> Vec<(String, String)> {
    let renamed =
        |(name, value)| (if name == "SQS" { "AIRLOCK_SCAN_QUEUE_URL".to_owned() } else { name }, value);
    let others = others.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    environment.pairs.iter().cloned().map(renamed).chain(others).collect()
}

fn command(env: &[(String, String)], directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(process::binary());
    command
        .args(["--output", "json", "backfill"])
        .args(arguments)
        .env_clear()
        .envs(env.iter().cloned())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A key with everything that is encoded in one way or another.
fn key(n: usize) -> String {
    format!("in/mine/{n:05} a+b%2B&\u{e4}\u{1}.txt")
}

fn said(output: &Output) -> Value {
    let text = if output.stdout.is_empty() { &output.stderr } else { &output.stdout };
    serde_json::from_slice(text).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_that_is_killed_again_and_again_misses_nothing_and_makes_no_file_twice() {
    let (n_objects, rate) = (rounds(60, 10_000), rounds(40, 400).to_string());
    let max_waiting = rounds(50, 1_000) as u64;
    let n_all = n_objects * N_VERSIONS;
    let mut filled = Filled::with(n_objects, |n| n % 10 == 4).await;
    // Most kills fall into a request.
    filled.queue(|router| router.layer(middleware::from_fn(line::late))).await;
    let s3 = filled.service.raw_s3();
    s3.delete_object().bucket(BUCKET).key(key(0)).send().await.unwrap();

    let place = format!("s3://{BUCKET}/in/");
    let speed = ["--rate", &rate, "--backlog", &max_waiting.to_string()].map(str::to_owned);
    let how = [&[place.as_str()], &speed.each_ref().map(String::as_str)[..]].concat();
    let (code, told) = filled.run(&[&how[..], &["--dry-run"]].concat()).await;
    assert_eq!((code, told["estimate"]["n_versions"].as_u64()), (0, Some(n_all as u64)), "{told}");
    assert_eq!(filled.files().await, BTreeMap::new(), "nothing was sent");
    let (code, told) = filled.run(&how).await;
    assert_eq!(code, 1, "without a terminal it does not begin by itself");
    assert!(told["error"]["message"].as_str().unwrap().contains("--yes"), "{told}");
    std::fs::remove_file(filled.directory.path().join("airlock-backfill-airlock.plan")).unwrap();

    let (most, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let watching = tokio::spawn({
        let (queue, most, is_over) = (filled.service.local.queue().clone(), most.clone(), is_over.clone());
        async move {
            while !is_over.load(Ordering::Relaxed) {
                most.fetch_max(queue.backlog().await.unwrap().n_waiting, Ordering::Relaxed);
                wait::linger(Duration::from_millis(5)).await;
            }
        }
    });
    let sending = [&how[..], &["--yes"]].concat();
    let mut n_killed = 0;
    for n in 0..rounds(8, 30) {
        let mut child = filled.start(&sending);
        wait::linger(Duration::from_millis(150 + 270 * (n as u64 % 7))).await;
        if child.try_wait().unwrap().is_none() {
            n_killed += 1;
        }
        child.kill().await.unwrap();
    }
    assert!(n_killed > 0, "it was too fast to be killed");
    let (code, told) = filled.run(&sending).await;
    assert_eq!((code, told["versions"]["unsent"].as_u64()), (0, Some(0)), "{told}");
    assert_eq!(told["left_out"]["delete_marker"]["n"], 1);
    is_over.store(true, Ordering::Relaxed);
    watching.await.unwrap();
    // What a killed run had just sent is sent once more.
    let most = most.load(Ordering::Relaxed);
    assert!(most <= max_waiting * 2, "{most} waited");

    let (code, told) = filled.checked(&how).await;
    let n_bad = (0..n_all).filter(|n| n % 10 == 4).count();
    assert_eq!(code, 0, "{told}");
    let numbers = ["clean", "infected", "removed", "failed"].map(|state| told["versions"][state].as_u64());
    assert_eq!(numbers, [n_all - n_bad, n_bad, 0, 0].map(|n| Some(n as u64)), "{told}");
    let expected = [("clean".to_owned(), n_all - n_bad), ("infected".to_owned(), n_bad)];
    assert_eq!(filled.files().await, expected.into(), "each version is one file");
    assert!(filled.service.local.queue().dead_letters().await.unwrap().is_empty());
    // Created, claimed and judged: a version that is named twice is written once.
    let n_units = filled.service.local.dynamodb().write_units()["file"];
    println!("{n_all} versions, {n_killed} kills, {n_units} write units of records");
    assert!(n_units <= 15 * n_all as u64, "{n_units} for {n_all} versions");
    // Another run has nothing to do.
    assert_eq!(filled.run(&sending).await.1["n_sent_now"], 0);
    filled.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_stops_between_two_commits_and_versions_that_are_deleted_since_are_counted() {
    let filled = Filled::with(10, |_| false).await;
    let how = [&format!("s3://{BUCKET}/in/")[..], "--rate", "5", "--yes"];
    let child = filled.start(&how);
    wait::until("some files", async || !filled.files().await.is_empty()).await;
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let told = said(&output);
    assert_eq!(output.status.code(), Some(130), "{told}");
    let n_unsent = told["versions"]["unsent"].as_u64().unwrap();
    assert!((1..30).contains(&n_unsent) && told["versions"]["waiting"] == 30 - n_unsent, "{told}");
    let (code, told) = filled.run(&[how[0], "--check"]).await;
    assert_eq!(
        (code, told["versions"]["unsent"].as_u64()),
        (14, Some(n_unsent)),
        "not all are judged: {told}"
    );

    // The oldest, which was not sent yet.
    let s3 = filled.service.raw_s3();
    let versions = filled.versions(&key(0)).await;
    let oldest = &versions.last().unwrap().version_id;
    s3.delete_object().bucket(BUCKET).key(key(0)).version_id(oldest).send().await.unwrap();
    let (code, told) = filled.run(&[how[0], "--yes"]).await;
    assert_eq!((code, told["n_sent_now"].as_u64()), (0, Some(n_unsent)), "{told}");
    let (code, told) = filled.checked(&how[..1]).await;
    assert_eq!((code, told["n_judged"].as_u64()), (0, Some(29)), "{told}");
    assert_eq!(told["versions"]["removed"], 1, "{told}");
    filled.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inventory_is_a_source_if_it_is_whole() {
    const AT: &str = "\"2026-01-31T12:00:00.000Z\"";
    let filled = Filled::with(4, |n| n == 4).await;
    let row = |key: &str, version: &str, rest: &str| format!("\"airlock\",\"{key}\",\"{version}\",{rest}\n");
    let mut rows = String::new();
    for version in filled.versions("in/").await {
        let key = utf8_percent_encode(&version.key, NON_ALPHANUMERIC).to_string();
        let (size, etag, is_latest) = (version.size_bytes, version.etag, version.is_latest);
        let rest = format!("\"{is_latest}\",\"false\",\"{size}\",{AT},\"{etag}\",\"STANDARD\"");
        rows.push_str(&row(&key, &version.version_id, &rest));
    }
    rows.push_str(&row("in/cold", "v1", &format!("\"true\",\"false\",\"5\",{AT},\"e\",\"DEEP_ARCHIVE\"")));
    rows.push_str(&row("in/early", "", &format!("\"true\",\"false\",\"5\",{AT},\"e\",\"STANDARD\"")));
    rows.push_str(&row("in/gone", "v2", &format!("\"true\",\"true\",\"\",{AT},\"\",\"\"")));
    rows.push_str(&row("elsewhere", "v3", &format!("\"true\",\"false\",\"5\",{AT},\"e\",\"STANDARD\"")));
    let mut packed = GzEncoder::new(vec![], Compression::default());
    packed.write_all(rows.as_bytes()).unwrap();
    // S3's ETag of such an object is its MD5.
    let md5 = filled.put("inventory/data/1.csv.gz", packed.finish().unwrap()).await;
    let mut manifest = json!({
        "sourceBucket": BUCKET, "destinationBucket": "arn:aws:s3:::airlock", "version": "2016-11-30",
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, \
                       StorageClass",
        "files": [{ "key": "inventory/data/1.csv.gz", "size": 1, "MD5checksum": md5 }],
    });
    let place = format!("s3://{BUCKET}/in/");
    let how = [place.as_str(), "--inventory", &format!("s3://{BUCKET}/inventory/manifest.json"), "--yes"]
        .map(str::to_owned);
    let how = how.each_ref().map(String::as_str);
    let write = async |manifest: &Value, checksum: Option<&str>| {
        let md5 = filled.put("inventory/manifest.json", manifest.to_string().into_bytes()).await;
        let checksum = checksum.unwrap_or(&md5).as_bytes().to_vec();
        filled.put("inventory/manifest.checksum", checksum).await;
    };
    let refused = async || {
        let (code, told) = filled.run(&how).await;
        assert_eq!(code, 1, "{told}");
        told["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(refused().await.contains("does not exist"));
    write(&manifest, Some("d41d8cd98f00b204e9800998ecf8427e")).await;
    assert!(refused().await.contains("is damaged"));
    for (pointer, value, expected) in [
        ("/fileFormat", "Parquet", "only CSV is read"),
        ("/sourceBucket", "another", "of the bucket `another`"),
        ("/fileSchema", "Bucket, Key", "include all versions"),
        ("/files/0/MD5checksum", "d41d8cd98f00b204e9800998ecf8427e", "its MD5 differs"),
    ] {
        let mut other = manifest.clone();
        *other.pointer_mut(pointer).unwrap() = value.into();
        write(&other, None).await;
        let said = refused().await;
        assert!(said.contains(expected), "{pointer}: {said}");
    }
    assert_eq!(filled.files().await, BTreeMap::new(), "nothing was sent");

    manifest["files"][0]["MD5checksum"] =
        manifest["files"][0]["MD5checksum"].as_str().unwrap().to_uppercase().into();
    write(&manifest, None).await;
    let (code, told) = filled.run(&how).await;
    assert_eq!((code, told["n_sent_now"].as_u64()), (0, Some(12)), "{told}");
    for why in ["archived", "no_version", "delete_marker"] {
        assert_eq!(told["left_out"][why]["n"], 1, "{why}: {told}");
    }
    let (code, told) = filled.checked(&how[..3]).await;
    assert_eq!((code, told["n_judged"].as_u64()), (11, Some(12)), "two stay without a verdict: {told}");
    assert_eq!(filled.files().await.values().sum::<usize>(), 12);
    filled.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_bucket_is_planned_as_the_options_say() {
    let filled = Filled::with(3, |_| false).await;
    filled.put("elsewhere/a", b"not protected".to_vec()).await;
    filled.put("in/mine/", vec![]).await;
    let now = aws::clock::now().to_string();
    let plans = |n: u32| ["--dry-run".to_owned(), "--plan".to_owned(), format!("{n}.plan")];
    for (n, arguments, n_planned, left_out) in [
        (1, vec!["s3://airlock"], 9, ("not_protected", 1)),
        (2, vec!["s3://airlock/in/"], 9, ("auxiliary", 1)),
        (3, vec!["s3://airlock/in/", "--latest-only"], 3, ("not_latest", 6)),
        (4, vec!["s3://airlock/in/", "--since", &now], 0, ("older", 10)),
        (5, vec!["s3://airlock/in/", "--since", "2020-01-01T00:00:00Z"], 9, ("auxiliary", 1)),
    ] {
        let plan = plans(n);
        let arguments = [&arguments[..], &plan.each_ref().map(String::as_str)].concat();
        let (code, told) = filled.run(&arguments).await;
        assert_eq!((code, told["estimate"]["n_versions"].as_u64()), (0, Some(n_planned)), "{told}");
        assert_eq!(told["left_out"][left_out.0]["n"], left_out.1, "{told}");
    }
    let (code, told) = filled.run(&["s3://airlock", "--plan", "2.plan", "--dry-run"]).await;
    assert_eq!(code, 1);
    assert!(told["error"]["message"].as_str().unwrap().contains("another job"), "{told}");
    let (code, _) = filled.run(&["s3://airlock", "--plan", "x.plan", "--check"]).await;
    assert_eq!(code, 1, "nothing was planned");
    filled.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_whose_messages_are_lost_are_counted_and_sent_again_if_asked() {
    let mut filled = Filled::with(2, |_| false).await;
    let (place, good) = (format!("s3://{BUCKET}/in/"), filled.env.clone());
    filled.queue(|router| router.layer(middleware::from_fn(line::lose))).await;
    assert_eq!(filled.run(&[&place, "--yes"]).await.1["n_sent_now"], 6);
    filled.env = good;
    let (code, told) = filled.checked(&[&place]).await;
    assert_eq!((code, told["n_without_record"].as_u64(), told["n_judged"].as_u64()), (14, Some(6), Some(0)));
    assert_eq!(filled.run(&[&place, "--yes"]).await.1["n_sent_now"], 0, "they may still be on their way");
    let (code, told) = filled.checked(&[&place, "--resend"]).await;
    assert_eq!((code, told["versions"]["unsent"].as_u64()), (14, Some(6)), "{told}");
    assert_eq!(filled.run(&[&place, "--yes"]).await.1["n_sent_now"], 6);
    let (code, told) = filled.checked(&[&place]).await;
    assert_eq!((code, told["n_judged"].as_u64()), (0, Some(6)), "{told}");
    filled.service.stop().await;
}
