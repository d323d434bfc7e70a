//! A full disk postpones scans and refuses uploads. It ends no file in `error`, and everything resumes by
//! itself when there is space again.
//!
//! The disk is real: a small tmpfs of the service's own, in a mount namespace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::support::process::{children_of, command, free_ports, is_engine};
use crate::support::{answer, client, text, wait};

const MEGABYTE: u64 = 1_000_000;
/// Scans of files up to 5 MB need 117.1 MB, by the rule in docs/operations.md.
const ENV: [(&str, &str); 2] = [("MAX_FILE_SIZE", "5000000"), ("ENGINE", "clamd")];

/// A service on a disk of 240 MB.
struct SmallDisk {
    child: Child,
    http: Client,
    url: String,
    /// The data directory, as seen from outside the namespace.
    inside: PathBuf,
    log: PathBuf,
    _directory: tempfile::TempDir,
}

impl SmallDisk {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (data_dir, log, ports) =
            (directory.path().join("data"), directory.path().join("log"), free_ports());
        std::fs::create_dir(&data_dir).unwrap();
        let service = command(&data_dir, ports, &ENV);
        let service = service.as_std();
        let mount = "mount -t tmpfs -o size=240000000 airlock \"$0\" && exec \"$@\"";
        let child = tokio::process::Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", mount])
            .arg(&data_dir)
            .arg(service.get_program())
            .args(service.get_args())
            .env_clear()
            .envs(service.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let inside = Path::new("/proc").join(child.id().unwrap().to_string()).join("root");
        let inside = inside.join(data_dir.strip_prefix("/").unwrap());
        let url = format!("http://127.0.0.1:{}", ports.0);
        let disk = Self { child, http: client(), url, inside, log, _directory: directory };
        disk.until("the service runs", async || disk.health().await.is_some_and(|(code, _)| code == 200))
            .await;
        disk
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        wait::until_found(what, async || if is_so().await { Ok(()) } else { Err(self.logged()) }).await;
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn health(&self) -> Option<(u16, Value)> {
        let response = self.http.get(format!("{}/health", self.url)).send().await.ok()?;
        Some((response.status().as_u16(), response.json().await.ok()?))
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap()
    }

    async fn create_upload(&self, body: &Value) -> (u16, Value) {
        let (status, accepted) = answer(self.post("/files", body).await).await;
        (status.as_u16(), accepted)
    }

    async fn put(&self, accepted: &Value, bytes: &[u8]) -> u16 {
        let mut put = self.http.put(text(&accepted["upload"]["url"])).body(bytes.to_vec());
        for (name, value) in accepted["upload"]["headers"].as_object().unwrap() {
            if name != "content-length" {
                put = put.header(name, text(value));
            }
        }
        put.send().await.unwrap().status().as_u16()
    }

    async fn form(&self, bytes: &[u8]) -> Response {
        let part = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("a.txt");
        let form = reqwest::multipart::Form::new().part("file", part);
        self.http.post(format!("{}/upload", self.url)).multipart(form).send().await.unwrap()
    }

    async fn status_of(&self, file_id: &Value) -> String {
        let url = format!("{}/files/{}/status", self.url, text(file_id));
        let (_, status) = answer(self.http.get(url).send().await.unwrap()).await;
        text(&status["file_info"]["scan_status"])
    }

    async fn ends_as(&self, file_id: &Value, status: &str) {
        self.until(status, async || self.status_of(file_id).await == status).await;
    }

    fn free(&self) -> u64 {
        let space = rustix::fs::statvfs(&self.inside).unwrap();
        space.f_bavail * space.f_frsize
    }

    /// Fills the disk until `n_bytes` are free.
    fn leave(&self, n_bytes: u64) {
        let ballast = std::fs::File::create(self.inside.join("ballast")).unwrap();
        let fallocate = rustix::fs::FallocateFlags::empty();
        rustix::fs::fallocate(&ballast, fallocate, 0, self.free() - n_bytes).unwrap();
    }

    fn empty(&self) {
        std::fs::remove_file(self.inside.join("ballast")).unwrap();
    }

    fn signal_engine(&self, signal: Signal) {
        let children = children_of(self.child.id().unwrap());
        let engine = children.into_iter().find(|pid| is_engine(*pid)).unwrap();
        kill_process(Pid::from_raw(i32::try_from(engine).unwrap()).unwrap(), signal).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_wait_without_using_up_their_attempts() {
    let disk = SmallDisk::start().await;
    // The file is stored while there is space; the disk fills up during its scan.
    let (status, accepted) = disk.create_upload(&json!({ "filename": "a.txt", "size": 5 })).await;
    assert_eq!(status, 201, "{accepted}");
    disk.signal_engine(Signal::STOP);
    assert_eq!(disk.put(&accepted, b"hello").await, 200);
    disk.ends_as(&accepted["file_id"], "scanning").await;
    disk.leave(50 * MEGABYTE);
    disk.signal_engine(Signal::KILL);
    disk.until("the scan is postponed", async || disk.logged().contains("scan postponed")).await;
    let (code, health) = disk.health().await.unwrap();
    assert_eq!(
        (code, &health["status"], &health["disk"]["status"]),
        (503, &json!("degraded"), &json!("full"))
    );
    let detail = text(&health["disk"]["detail"]);
    assert!(detail.contains(" MB of disk space are free; scans need 117.1 MB."), "{detail}");
    assert_eq!(health["disk"]["needed"], 117_108_864);
    assert_eq!(health["engine"]["status"], "ok", "{health}");

    // Several attempts fail meanwhile, and none is counted, as the tests of the state machine show.
    for _ in 0..40 {
        let status = disk.status_of(&accepted["file_id"]).await;
        assert!(matches!(status.as_str(), "pending" | "scanning"), "{status}\n{}", disk.logged());
        wait::linger(Duration::from_millis(250)).await;
    }
    disk.empty();
    disk.ends_as(&accepted["file_id"], "clean").await;
    let (code, health) = disk.health().await.unwrap();
    assert_eq!((code, &health["disk"]["status"]), (200, &json!("ok")), "{health}");
    assert!(health["disk"].get("detail").is_none(), "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_refused_before_the_disk_is_full() {
    let disk = SmallDisk::start().await;
    let (_, before) = disk.create_upload(&json!({ "filename": "a.txt", "size": 5 })).await;
    disk.leave(100 * MEGABYTE);
    let refusals = [
        disk.post("/files", &json!({ "filename": "a.txt", "size": 1 })).await,
        disk.post("/files", &json!({ "filename": "a.txt", "size": 1, "method": "post" })).await,
        disk.post("/files", &json!({ "filename": "a.txt", "size": 1, "method": "multipart" })).await,
        disk.form(b"hello").await,
        disk.http
            .get(format!("{}/uppy/s3/params?filename=a.txt&type=text/plain", disk.url))
            .send()
            .await
            .unwrap(),
    ];
    for refusal in refusals {
        let (url, retry_after) = (refusal.url().to_string(), refusal.headers().get("retry-after").cloned());
        let (status, problem) = answer(refusal).await;
        assert_eq!((status.as_u16(), &problem["code"]), (507, &json!("storage_full")), "{url}: {problem}");
        assert_eq!(problem["detail"], "There is no room for this upload at present; try again later.");
        assert_eq!(retry_after.unwrap(), "60");
    }
    // Uploads that were accepted before another program filled the disk are refused by the storage.
    assert_eq!(disk.put(&before, b"hello").await, 503);
    disk.empty();
    assert_eq!(disk.put(&before, b"hello").await, 200);
    disk.ends_as(&before["file_id"], "clean").await;

    // Only stored bytes take space: any number of created uploads does not keep the next from being accepted.
    let announcement = json!({ "filename": "a.txt", "size": 5 * MEGABYTE });
    for _ in 0..100 {
        assert_eq!(disk.create_upload(&announcement).await.0, 201);
    }
}
