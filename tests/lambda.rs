//! The release builds of the functions work as Lambda runs them, each in a process of its own.
//!
//! Storage, ledger and queue are the stand-ins behind their real protocols; definitions are published by the
//! real publisher.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::identity::user_token;
use crate::support::deployment::Deployment;
use crate::support::process::{children_of, is_running};
use crate::support::runtime_api::{Answer, Function, Place, sqs_event};
use crate::support::{Accepted, Service, eicar, text, wait};

/// The longest timeout that Lambda allows; no test depends on reaching it.
pub(crate) const LIMIT: Duration = Duration::from_mins(15);
const SECRET: &str = "a secret of at least thirty-two bytes";

/// The environment that the template gives.
const JWT: [(&str, &str); 3] =
    [("JWT_ISSUER", "https://issuer.example"), ("JWT_AUDIENCE", "airlock"), ("JWT_SECRET", SECRET)];

pub(crate) struct Environment {
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) place: Place,
    scratch: tempfile::TempDir,
}

/// The storage's address, because functions run in processes of their own.
pub(crate) async fn listen(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

impl Environment {
    pub(crate) async fn of(service: &Service) -> Self {
        let sqs = standin::sqs::router([("airlock-scan".to_owned(), service.local.queue().clone())].into());
        let (sqs_url, dynamodb_url) = (listen(sqs).await, listen(service.local.dynamodb().router()).await);
        let (report, keys) = (service.local.report(), service.keys());
        let scratch = tempfile::tempdir_in("/tmp").unwrap();
        let pairs = [
            ("AIRLOCK_TABLE", "airlock".to_owned()),
            ("S3_BUCKET_NAME", "airlock".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", keys.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
            ("AWS_ENDPOINT_URL_S3", report.s3_url.clone()),
            ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
            ("AWS_ENDPOINT_URL_SQS", sqs_url.clone()),
            ("SECRET_KEY", SECRET.to_owned()),
            // ClamAV's signed test database is of 2021.
            ("DEFINITIONS_MAX_AGE_DAYS", "36500".to_owned()),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let mut environment = Self { pairs, place: Place::Here, scratch };
        environment.set("SQS", &format!("{sqs_url}/airlock-scan"));
        environment
    }

    fn set(&mut self, name: &str, value: &str) {
        self.pairs.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) async fn start(&self, function: &'static str, more: &[(&str, &str)]) -> Function {
        self.try_start(function, more).await.unwrap_or_else(|error| panic!("{function}: {error}"))
    }

    pub(crate) async fn try_start(
        &self,
        function: &'static str,
        more: &[(&str, &str)],
    ) -> Result<Function, Value> {
        let mut env: Vec<(&str, &str)> =
            self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let queue_url = env.iter().find(|(name, _)| *name == "SQS").map(|(_, url)| *url).unwrap();
        if matches!(function, "api" | "sweep" | "live" | "scan") {
            env.push(("AIRLOCK_SCAN_QUEUE_URL", queue_url));
        }
        env.extend(more);
        Function::try_start(function, &env, self.place.clone()).await
    }

    pub(crate) async fn api(&self) -> Function {
        self.start("api", &JWT).await
    }

    /// The scan function, with what it needs of a deployment's definitions.
    pub(crate) async fn scan(&self, deployment: &Deployment, more: &[(&str, &str)]) -> Function {
        let public_key = deployment.publisher.key.public_key().to_string();
        let scratch = self.scratch.path().display().to_string();
        let definitions = [
            ("AIRLOCK_DEFINITIONS_BUCKET", "airlock"),
            ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", public_key.as_str()),
            ("AIRLOCK_CLAMD", "/usr/sbin/clamd"),
            ("AIRLOCK_SCRATCH", scratch.as_str()),
        ];
        self.start("scan", &[&definitions, more].concat()).await
    }
}

/// A deployment with definitions, and the two functions that most tests invoke.
async fn deployed() -> (Deployment, Environment, Function, Function) {
    let deployment = Deployment::start().await;
    deployment.publish(6).await;
    let environment = Environment::of(&deployment.service).await;
    let (api, scan) = (environment.api().await, environment.scan(&deployment, &[]).await);
    (deployment, environment, api, scan)
}

/// The queued messages about uploads, as one batch. The publisher's objects cause messages too, because they
/// are in the same bucket.
pub(crate) async fn next_batch(service: &Service) -> Value {
    let (queue, mut bodies) = (service.local.queue(), vec![]);
    while let Some(received) = queue.receive(Duration::from_mins(1), 1000).await.unwrap() {
        queue.acknowledge(&received).await.unwrap();
        if received.body.contains("\"uploads/") {
            bodies.push((format!("message-{}", bodies.len()), received.body));
        }
    }
    let bodies: Vec<(&str, &str)> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    sqs_event(&bodies)
}

/// Returns when the function has an engine. On a busy machine that takes longer than the init phase, and the
/// first invocation waits for it.
async fn is_ready(scan: &mut Function) {
    assert_eq!(scan.invoke(json!({ "Records": [] }), LIMIT).await, nothing_failed());
}

pub(crate) fn nothing_failed() -> Answer {
    Answer::Response(json!({ "batchItemFailures": [] }))
}

fn failed(ids: &[&str]) -> Answer {
    let failures: Vec<Value> = ids.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    Answer::Response(json!({ "batchItemFailures": failures }))
}

fn bearer() -> Value {
    json!({ "authorization": format!("Bearer {}", user_token("alice")), "content-type": "application/json" })
}

/// Announces a file through the API function and stores its bytes as a browser does.
pub(crate) async fn upload(api: &mut Function, service: &Service, name: &str, bytes: &[u8]) -> String {
    let wanted = json!({ "filename": name, "size": bytes.len() }).to_string();
    let (status, _, accepted) = api.request("POST", "/files", &bearer(), &wanted).await;
    assert_eq!(status, 201, "{accepted}");
    let accepted = Accepted { file_id: text(&accepted["file_id"]), upload: accepted["upload"].clone() };
    assert_eq!(service.put(&accepted, bytes).await.status(), 200);
    accepted.file_id
}

pub(crate) async fn status_of(api: &mut Function, file_id: &str) -> Value {
    let (status, _, found) = api.request("GET", &format!("/files/{file_id}/status"), &bearer(), "").await;
    assert_eq!(status, 200, "{found}");
    found["file_info"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_through_the_functions_as_they_are_deployed() {
    let (deployment, environment, mut api, mut scan) = deployed().await;
    let service = &deployment.service;
    let mut download = environment.start("download", &[]).await;
    let mut sweep = environment.start("sweep", &[]).await;

    let clean = upload(&mut api, service, "a.txt", b"through real functions").await;
    let infected = upload(&mut api, service, "b.txt", &eicar()).await;
    assert_eq!(status_of(&mut api, &clean).await["scan_status"], "pending");
    let batch = next_batch(service).await;
    assert_eq!(batch["Records"].as_array().unwrap().len(), 2);
    assert_eq!(scan.invoke(batch.clone(), LIMIT).await, nothing_failed());
    let judged = status_of(&mut api, &clean).await;
    assert_eq!(
        (&judged["scan_status"], &judged["scan_result"]["definitions"]["version"]),
        (&json!("clean"), &json!("6"))
    );
    assert_eq!(status_of(&mut api, &infected).await["scan_status"], "infected");
    assert_eq!(scan.invoke(batch, LIMIT).await, nothing_failed(), "warm, and delivered twice");

    let link = format!("/files/{clean}/download-link");
    let (status, _, link) = api.request("GET", &link, &bearer(), "").await;
    assert_eq!(status, 200, "{link}");
    let (status, headers, _) =
        download.request("GET", link["download_url"].as_str().unwrap(), &json!({}), "").await;
    assert_eq!(status, 302);
    let bytes = service.http.get(headers["location"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap().as_ref(), b"through real functions");
    let mut live = environment.start("live", &JWT).await;
    let (status, headers, events) =
        live.request("GET", &format!("/files/{clean}/events"), &bearer(), "").await;
    assert_eq!((status, &headers["content-type"]), (200, &json!("text/event-stream")), "{events}");
    let events = events.as_str().unwrap();
    assert!(events.contains("file.scan.started") && events.contains("file.scan.completed"), "{events}");
    assert_eq!(live.request("GET", "/events", &json!({}), "").await.0, 401);
    let link = format!("/files/{infected}/download-link");
    assert_eq!(api.request("GET", &link, &bearer(), "").await.0, 403);
    assert_eq!(api.request("GET", "/files", &json!({}), "").await.0, 401);
    let (status, _, health) = api.request("GET", "/health", &json!({}), "").await;
    assert_eq!((status, &health["engine"]["definitions"]["version"]), (200, &json!("6")), "{health}");
    let swept = sweep.invoke(json!({ "action": "sweep" }), LIMIT).await;
    assert!(matches!(&swept, Answer::Response(swept) if swept["n_failed"] == 0), "{swept:?}");

    // The engine and the gate's worker read hostile bytes, so they must hold no credentials.
    let children = children_of(scan.pid());
    assert_eq!(children.len(), 2);
    for child in children {
        let environ = std::fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
        assert!(!environ.contains("AWS_") && !environ.contains("SECRET"), "{environ}");
    }
}

/// Secrets Manager with one secret, which has a current and a previous value.
async fn secrets_manager(values: Arc<Mutex<[&'static str; 2]>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move |axum::Json(asked): axum::Json<Value>| async move {
        let [current, previous] = *values.lock().unwrap();
        let value = if asked["VersionStage"] == "AWSCURRENT" { current } else { previous };
        if value.is_empty() {
            let missing = json!({ "__type": "ResourceNotFoundException", "Message": "no such version" });
            return (axum::http::StatusCode::BAD_REQUEST, axum::Json(missing));
        }
        (axum::http::StatusCode::OK, axum::Json(json!({ "SecretString": value })))
    };
    // The SDK's content type is not `application/json`.
    let router = axum::Router::new()
        .fallback(move |body: axum::body::Bytes| answer(axum::Json(serde_json::from_slice(&body).unwrap())));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn links_survive_one_rotation_of_their_key() {
    const KEYS: [&str; 3] = [
        "the first key of thirty-two bytes or more",
        "the second key of thirty-two bytes or more",
        "the third key of thirty-two bytes or more",
    ];
    let service = Service::start_with(&[], |_| {}).await;
    let mut environment = Environment::of(&service).await;
    let values = Arc::new(Mutex::new([KEYS[0], ""]));
    let url = secrets_manager(Arc::clone(&values)).await;
    environment.set("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url);
    environment.set("SECRET_KEY_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:link");
    let mut download = environment.start("download", &[]).await;
    let mut links = vec![];
    for round in 0..3 {
        // A function that starts now signs with the newest key.
        let mut api = environment.api().await;
        let file_id = upload(&mut api, &service, "a.txt", b"linked").await;
        wait::until("the verdict", async || status_of(&mut api, &file_id).await["scan_status"] == "clean")
            .await;
        let path = format!("/files/{file_id}/download-link");
        let (status, _, link) = api.request("GET", &path, &bearer(), "").await;
        assert_eq!(status, 200, "{link}");
        links.push(text(&link["download_url"]));
        // A function that started with the first key reads the secret again when it does not know a link's
        // key, but not within ten seconds of the last time.
        tokio::time::sleep(Duration::from_secs(if round > 0 { 11 } else { 0 })).await;
        let mut statuses = vec![];
        for link in links.iter().rev() {
            statuses.push(download.request("GET", link, &json!({}), "").await.0);
        }
        let expected: &[u64] = [&[302][..], &[302, 302], &[302, 302, 404]][round];
        assert_eq!(statuses, expected, "after {round} rotations");
        let next = KEYS.get(round + 1).copied().unwrap_or(KEYS[2]);
        *values.lock().unwrap() = [next, KEYS[round]];
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_event_fails_alone() {
    let (deployment, _environment, mut api, mut scan) = deployed().await;
    let service = &deployment.service;

    assert_eq!(scan.invoke(json!({ "Records": [] }), LIMIT).await, nothing_failed());
    assert!(matches!(scan.invoke(json!("text"), LIMIT).await, Answer::Error(_)));
    let file_id = upload(&mut api, service, "a.txt", b"good among bad").await;
    let good = text(&next_batch(service).await["Records"][0]["body"]);
    let test_event =
        json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "airlock" }).to_string();
    let unknown = good.replace(&file_id, "123e4567-e89b-42d3-a456-426614174000");
    let batch =
        sqs_event(&[("poison", "{not JSON"), ("test", &test_event), ("unknown", &unknown), ("good", &good)]);
    for _ in 0..3 {
        // Redelivered until SQS moves it to the dead-letter queue.
        assert_eq!(scan.invoke(batch.clone(), LIMIT).await, failed(&["poison"]));
    }
    assert_eq!(status_of(&mut api, &file_id).await["scan_status"], "clean");

    assert!(matches!(api.invoke(json!({ "version": "2.0" }), LIMIT).await, Answer::Error(_)));
    assert_eq!(api.request("GET", "/health", &json!({}), "").await.0, 200, "the same process keeps running");
    let (status, _, problem) = api.request("POST", "/files", &bearer(), "{").await;
    assert_eq!(status, 400, "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_is_killed_loses_nothing() {
    let (deployment, environment, mut api, mut scan) = deployed().await;
    let service = &deployment.service;
    let mut sweep = environment.start("sweep", &[]).await;
    let file_id = upload(&mut api, service, "a.txt", b"cut off").await;
    let batch = next_batch(service).await;
    is_ready(&mut scan).await;
    // With too little time left for a scan, the function reports the failure instead of starting one.
    assert_eq!(scan.invoke_told(batch.clone(), Duration::from_secs(5)).await, failed(&["message-0"]));
    assert_eq!(status_of(&mut api, &file_id).await["scan_status"], "pending");
    // The engine hangs, and the platform kills the function during the scan.
    let engine = children_of(scan.pid())[0];
    let engine = rustix::process::Pid::from_raw(i32::try_from(engine).unwrap()).unwrap();
    rustix::process::kill_process(engine, Signal::STOP).unwrap();
    let is_scanning =
        wait::until("the scan", async || status_of(&mut api, &file_id).await["scan_status"] == "scanning");
    assert_eq!(scan.invoke_and_kill(batch.clone(), LIMIT, is_scanning).await, Answer::TimedOut);
    let _ = rustix::process::kill_process(engine, Signal::KILL);
    assert_eq!(status_of(&mut api, &file_id).await["scan_status"], "scanning");
    // Redelivered immediately, it finds another scanner's lease. When that expires, the sweep asks for
    // another scan.
    assert_eq!(scan.invoke(batch, LIMIT).await, nothing_failed(), "a cold start");
    wait::until("the file's end", async || {
        sweep.invoke(json!({ "action": "sweep" }), LIMIT).await;
        assert_eq!(scan.invoke(next_batch(service).await, LIMIT).await, nothing_failed());
        status_of(&mut api, &file_id).await["scan_status"] == "clean"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_wait_until_there_are_definitions() {
    let deployment = Deployment::start().await;
    let service = &deployment.service;
    let environment = Environment::of(service).await;
    let mut api = environment.api().await;
    let mut scan = environment.scan(&deployment, &[]).await;
    let file_id = upload(&mut api, service, "a.txt", b"first of all").await;
    let batch = next_batch(service).await;
    for _ in 0..3 {
        assert_eq!(scan.invoke(batch.clone(), LIMIT).await, failed(&["message-0"]));
        assert_eq!(status_of(&mut api, &file_id).await["scan_status"], "pending");
    }
    deployment.publish(6).await;
    assert_eq!(scan.invoke(batch, LIMIT).await, nothing_failed());
    assert_eq!(status_of(&mut api, &file_id).await["scan_status"], "clean");
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_end_when_they_are_told_to() {
    let (_deployment, _environment, mut api, mut scan) = deployed().await;
    is_ready(&mut scan).await;
    let engine = children_of(scan.pid())[0];
    for function in [&mut scan, &mut api] {
        function.signal(Signal::TERM);
        function.ended().await;
    }
    assert!(!is_running(engine), "no engine is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_is_set_up_wrongly_does_not_start() {
    let service = Service::start_with(&[], |settings| settings.tuning.delivery.n_workers = 0).await;
    let environment = Environment::of(&service).await;
    for (function, wrong) in [
        ("api", [("JWT_ISSUER", "")]),
        ("download", [("SECRET_KEY", "short")]),
        ("scan", [("AIRLOCK_DEFINITIONS_PUBLIC_KEY", "AAAA")]),
        ("sweep", [("AIRLOCK_TABEL", "misspelt")]),
        ("definitions", [("AIRLOCK_DEFINITIONS_BUCKET", "")]),
    ] {
        assert!(environment.try_start(function, &wrong).await.is_err(), "{function}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_snapshot_has_a_loaded_engine_and_newer_definitions() {
    let deployment = Deployment::start().await;
    deployment.publish(5).await;
    let service = &deployment.service;
    let environment = Environment::of(service).await;
    let mut api = environment.api().await;
    let mut scan = environment.scan(&deployment, &[("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")]).await;
    let engine = children_of(scan.pid());
    assert_eq!(engine.len(), 1, "the engine is in the snapshot");
    let file_id = upload(&mut api, service, "a.txt", b"after the restore").await;
    let batch = next_batch(service).await;
    deployment.publish(6).await;
    scan.restore().await;
    assert_eq!(scan.invoke(batch, LIMIT).await, nothing_failed());
    let judged = status_of(&mut api, &file_id).await;
    assert_eq!(
        (&judged["scan_status"], &judged["scan_result"]["definitions"]["version"]),
        (&json!("clean"), &json!("6"))
    );
}
