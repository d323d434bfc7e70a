//! A service for one test, and a client that calls it as a user's program would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::{Endpoints, Sdk, StaticKeys};
use domain::timestamp::Timestamp;
use local::{Auth, DefinitionsSource, Local, LocalOptions, Tuning};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::Digest as _;
use tempfile::TempDir;

pub(crate) mod deployment;
pub(crate) mod fault_proxy;
pub(crate) mod inspecting;
pub(crate) mod lambda_machine;
pub(crate) mod mirror;
pub(crate) mod process;
pub(crate) mod public_proxy;
pub(crate) mod receiver;
pub(crate) mod runtime_api;
pub(crate) mod savers;
pub(crate) mod slow_line;
pub(crate) mod stack;
pub(crate) mod traces;
pub(crate) mod wait;

/// The test `$name` with each of the engines.
macro_rules! with_each_engine {
    ($name:ident) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn clamd() {
                super::$name("clamd").await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn snapshot() {
                super::$name("snapshot").await;
            }
        }
    };
}
pub(crate) use with_each_engine;

/// A service in this process, on ports of its own, with the test definitions.
pub(crate) struct Service {
    pub(crate) local: Local,
    pub(crate) http: Client,
    token: Option<String>,
    directory: TempDir,
}

/// The directory into which `tools/engine build` puts the engine.
pub(crate) const AIRLOCK_ENGINE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../target/engine/airlock-engine");

/// The default time for a scan, including the wait for the engine.
const SCAN_TIMEOUT: Duration = Duration::from_hours(1);

/// A file that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) file_id: String,
    pub(crate) upload: Value,
}

pub(crate) fn settings(data_dir: &Path) -> LocalOptions {
    let any_port = "127.0.0.1:0".parse().unwrap();
    LocalOptions {
        data_dir: data_dir.to_owned(),
        listen: any_port,
        s3_listen: any_port,
        public_url: None,
        s3_url: None,
        auth: Auth::None,
        definitions: DefinitionsSource::TestSet,
        tuning: tuning(),
    }
}

/// The settings of a service with shorter intervals, so that processes of minutes take seconds. Only
/// intervals after which something happens are shorter; time limits, like a scan's lease, are those of
/// production, because a busy machine needs them.
fn tuning() -> Tuning {
    let mut tuning = Tuning {
        sweep_every: Duration::from_millis(300),
        airlock_engine: Some(AIRLOCK_ENGINE.into()),
        // This program has a main function of its own.
        gate_worker: process::gate_worker(),
        ..Tuning::default()
    };
    tuning.machine.sweep_retry = Duration::from_secs(2);
    tuning.delivery.visibility = SCAN_TIMEOUT * 2;
    tuning.delivery.retry_delay = Duration::from_millis(100);
    // Tests upload the same bytes repeatedly and expect each upload to be scanned.
    tuning.reuses_verdicts = false;
    tuning
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], |_| {}).await
    }

    /// Starts with these environment variables, and with settings changed by `change`.
    pub(crate) async fn start_with(env: &[(&str, &str)], change: impl FnOnce(&mut LocalOptions)) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), env, change).await
    }

    /// Starts on the data directory of an earlier service.
    pub(crate) async fn start_in(
        directory: TempDir,
        env: &[(&str, &str)],
        change: impl FnOnce(&mut LocalOptions),
    ) -> Self {
        let mut settings = settings(directory.path());
        change(&mut settings);
        let patient = ("VIRUS_SCAN_TIMEOUT", &*SCAN_TIMEOUT.as_secs().to_string());
        let env = [&[patient][..], env].concat();
        let local = Local::start(settings, &settings::Environment::from_pairs(&env)).await.unwrap();
        Self { local, http: client(), token: None, directory }
    }

    /// The same service, called with this bearer token.
    pub(crate) fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.local.report().url)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Sends `POST /files`, which must succeed.
    pub(crate) async fn create_upload(&self, body: &Value) -> Accepted {
        let (status, answer) = self.post("/files", body).await;
        assert_eq!(status, 201, "{answer}");
        Accepted { file_id: text(&answer["file_id"]), upload: answer["upload"].clone() }
    }

    /// Creates an upload, stores the bytes and returns the file's id.
    pub(crate) async fn upload(&self, filename: &str, bytes: &[u8]) -> String {
        let accepted = self.create_upload(&json!({ "filename": filename, "size": bytes.len() })).await;
        let stored = self.put(&accepted, bytes).await;
        assert_eq!(stored.status(), 200, "{}", stored.text().await.unwrap());
        accepted.file_id
    }

    /// Sends the presigned PUT unchanged.
    pub(crate) async fn put(&self, accepted: &Accepted, bytes: &[u8]) -> Response {
        self.put_with(accepted, &[], bytes).await
    }

    /// Sends the presigned PUT with headers that its instructions do not name.
    pub(crate) async fn put_with(
        &self,
        accepted: &Accepted,
        more: &[(&str, &str)],
        bytes: &[u8],
    ) -> Response {
        let mut request = self.http.put(accepted.upload["url"].as_str().unwrap());
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        for (name, value) in accepted.upload["headers"].as_object().unwrap() {
            if name != "content-length" {
                request = request.header(name, value.as_str().unwrap());
            }
        }
        request.body(bytes.to_vec()).send().await.unwrap()
    }

    /// Sends the presigned form unchanged.
    pub(crate) async fn post_form(&self, accepted: &Accepted, bytes: &[u8]) -> Response {
        self.post_form_with(accepted, &[], bytes).await
    }

    /// Sends the presigned form with fields that its instructions do not name.
    pub(crate) async fn post_form_with(
        &self,
        accepted: &Accepted,
        more: &[(&str, &str)],
        bytes: &[u8],
    ) -> Response {
        let mut form = reqwest::multipart::Form::new();
        for (name, value) in more {
            form = form.text((*name).to_owned(), (*value).to_owned());
        }
        for (name, value) in accepted.upload["fields"].as_object().unwrap() {
            form = form.text(name.clone(), text(value));
        }
        let file = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name("f");
        let url = accepted.upload["url"].as_str().unwrap();
        self.http.post(url).multipart(form.part("file", file)).send().await.unwrap()
    }

    /// Sends `POST /upload`.
    pub(crate) async fn form(&self, filename: &str, bytes: &[u8]) -> (StatusCode, Value) {
        let file = reqwest::multipart::Part::bytes(bytes.to_vec()).file_name(filename.to_owned());
        let form = reqwest::multipart::Form::new().part("file", file);
        answer(self.request(Method::POST, "/upload").multipart(form).send().await.unwrap()).await
    }

    /// The caller's files, newest first, once there are `n` of them.
    pub(crate) async fn list_of(&self, n: usize) -> Vec<Value> {
        wait::until_found(&format!("{n} files"), async || {
            let (status, list) = self.get("/files").await;
            assert_eq!(status, 200, "{list}");
            let files = list["files"].as_array().unwrap();
            assert!(files.len() <= n, "{list}");
            if files.len() == n { Ok(files.clone()) } else { Err(list) }
        })
        .await
    }

    /// Waits until the file has ended and returns its status document's `file_info`.
    pub(crate) async fn ended(&self, file_id: &str) -> Value {
        wait::until_found(&format!("the end of {file_id}"), async || {
            let (status, answer) = self.get(&format!("/files/{file_id}/status")).await;
            assert_eq!(status, 200, "{answer}");
            let info = answer["file_info"].clone();
            let is_over = !matches!(info["scan_status"].as_str().unwrap(), "pending" | "scanning");
            if is_over { Ok(info) } else { Err(info) }
        })
        .await
    }

    pub(crate) async fn ends_as(&self, file_id: &str, status: &str) -> Value {
        let info = self.ended(file_id).await;
        assert_eq!(info["scan_status"], status, "{info}");
        info
    }

    /// Sets the file to expire very soon, and returns when.
    pub(crate) async fn expire_soon(&self, file_id: &str) -> Timestamp {
        expire_soon(|| self.request(Method::PATCH, &format!("/files/{file_id}"))).await
    }

    /// The path of a new link, whose creation must succeed.
    pub(crate) async fn link(&self, file_id: &str) -> String {
        let (status, answer) = self.get(&format!("/files/{file_id}/download-link")).await;
        assert_eq!(status, 200, "{answer}");
        text(&answer["download_url"])
    }

    /// Follows a link to the bytes.
    pub(crate) async fn download(&self, link: &str) -> Response {
        let answer = self.request(Method::GET, link).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        let url = answer.headers()["location"].to_str().unwrap().to_owned();
        self.http.get(url).send().await.unwrap()
    }

    /// The access keys of its storage.
    pub(crate) fn keys(&self) -> StaticKeys {
        let secrets = std::fs::read(self.directory.path().join("secrets.json")).unwrap();
        let secrets: Value = serde_json::from_slice(&secrets).unwrap();
        StaticKeys {
            access_key_id: text(&secrets["access_key_id"]),
            secret_access_key: text(&secrets["secret_access_key"]),
        }
    }

    /// Its storage, as functions see it.
    pub(crate) async fn sdk(&self) -> Sdk {
        let endpoints = Endpoints { s3: Some(self.local.report().s3_url.clone()), s3_public: None };
        Sdk::at(&endpoints, &self.keys(), "us-east-1").await
    }

    /// Its storage, with an unrestricted client.
    pub(crate) fn raw_s3(&self) -> aws_sdk_s3::Client {
        let keys = self.keys();
        let credentials = aws_sdk_s3::config::Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            None,
            None,
            "test",
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .endpoint_url(&self.local.report().s3_url)
            .force_path_style(true)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(credentials);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// Stops the service and returns its data directory.
    pub(crate) async fn stop_and_keep(self) -> TempDir {
        self.local.stop().await;
        self.directory
    }

    /// Stops the service, whose tasks must all have ended well.
    pub(crate) async fn stop(self) {
        self.local.stop().await;
    }
}

/// A client that does not follow redirects, because the tests examine their targets, and that has no timeout
/// of its own.
pub(crate) fn client() -> Client {
    // Far less than the service keeps an idle connection, which on a busy machine could otherwise be closed
    // just as it is reused.
    let idle = Duration::from_secs(5);
    Client::builder().redirect(reqwest::redirect::Policy::none()).pool_idle_timeout(idle).build().unwrap()
}

/// Sets a file to expire very soon by the PATCH that `edit` begins, and returns when.
pub(crate) async fn expire_soon(edit: impl Fn() -> RequestBuilder) -> Timestamp {
    wait::in_enough_time(Duration::from_secs(1), async |time| {
        let expires_at = aws::clock::now() + time;
        let request = edit().json(&json!({ "expires_at": expires_at.to_string() }));
        let (status, answer) = answer(request.send().await.unwrap()).await;
        // The time was already in the past when the service read it.
        let is_late = answer["code"] == "invalid_expiry";
        assert!(status == 200 || is_late, "{answer}");
        (!is_late).then_some(expires_at)
    })
    .await
}

pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    domain::id::Sha256::from_bytes(sha2::Sha256::digest(bytes).into()).to_string()
}

/// The EICAR test file.
pub(crate) fn eicar() -> Vec<u8> {
    clamd::canary::eicar()
}

/// How many times a long test repeats: more in `make soak`.
pub(crate) fn rounds(in_tests: usize, in_soak: usize) -> usize {
    if is_soak() { in_soak } else { in_tests }
}

#[expect(clippy::disallowed_methods, reason = "the one switch of the test suite")]
pub(crate) fn is_soak() -> bool {
    std::env::var("SOAK").is_ok()
}

/// Whether committed files are regenerated: `make openapi`.
#[expect(clippy::disallowed_methods, reason = "set by the Makefile")]
pub(crate) fn is_update() -> bool {
    std::env::var("UPDATE").is_ok()
}

/// The directory of the Python environment with this name, which `tools/venv` creates.
pub(crate) fn venv(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = std::process::Command::new(root.join("tools/venv")).arg(name).output().unwrap();
    assert!(venv.status.success(), "{}", String::from_utf8_lossy(&venv.stderr));
    String::from_utf8(venv.stdout).unwrap().trim().into()
}

/// Runs a Python script that may use third-party libraries, and returns its output.
pub(crate) fn python(script: &str, input: &Value) -> String {
    use std::io::Write as _;
    let python = venv("peer").join("bin/python");
    let mut child = std::process::Command::new(python)
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
