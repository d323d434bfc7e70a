//! Lambda's Runtime API on loopback, with the release build of a function in a process of its own (AWS,
//! "Using the Lambda runtime API for custom runtimes").

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use super::lambda_machine::LambdaMachine;

/// A function: one execution environment at a time, as with a concurrency of one.
pub(crate) struct Function {
    name: &'static str,
    env: Vec<(String, String)>,
    api: Arc<RuntimeApi>,
    address: String,
    place: Place,
    child: Child,
    /// From the start of the process to its first request for an event.
    pub(crate) init: Duration,
}

/// Where a function's process runs.
#[derive(Clone)]
pub(crate) enum Place {
    /// On this machine.
    Here,
    /// In an emulated machine of its own.
    Machine(Arc<LambdaMachine>),
}

#[derive(Default)]
struct RuntimeApi {
    shared: Mutex<Shared>,
    changed: Notify,
}

#[derive(Default)]
struct Shared {
    n_nexts: u64,
    events: VecDeque<(String, Value, Duration)>,
    answers: Vec<Answer>,
    init_error: Option<Value>,
    restores: u32,
    may_restore: bool,
}

/// The result of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Response(Value),
    /// The invocation failed.
    Error(Value),
    /// The platform killed the process.
    TimedOut,
    InitError(Value),
}

impl Function {
    /// Starts the function and waits until it requests its first event, or ends.
    pub(crate) async fn try_start(
        name: &'static str,
        env: &[(&str, &str)],
        place: Place,
    ) -> Result<Self, Value> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let api = Arc::new(RuntimeApi::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&api));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let began = Instant::now();
        let child = place.spawn(name, &env, &address);
        let mut function = Self { name, env, api, address, place, child, init: Duration::ZERO };
        function.wait_for_next(0).await?;
        function.init = began.elapsed();
        Ok(function)
    }

    /// Sends an event and returns the result. After `limit` the process is killed, and the next event starts
    /// another.
    pub(crate) async fn invoke(&mut self, event: Value, limit: Duration) -> Answer {
        self.invoke_and_kill(event, limit, tokio::time::sleep(limit)).await
    }

    /// The same, but the function is not killed when its time has passed: it must observe the limit itself.
    pub(crate) async fn invoke_told(&mut self, event: Value, told: Duration) -> Answer {
        self.invoke_and_kill(event, told, std::future::pending()).await
    }

    /// The same, but the function is killed when `killed` is ready, independently of its deadline.
    pub(crate) async fn invoke_and_kill(
        &mut self,
        event: Value,
        limit: Duration,
        killed: impl Future<Output = ()>,
    ) -> Answer {
        if self.child.try_wait().unwrap().is_some() {
            let n_nexts = self.api.shared.lock().unwrap().n_nexts;
            self.child = self.place.spawn(self.name, &self.env, &self.address);
            if let Err(error) = self.wait_for_next(n_nexts).await {
                return Answer::InitError(error);
            }
        }
        let n_answers = {
            let mut shared = self.api.shared.lock().unwrap();
            let id = format!("00000000-0000-0000-0000-{:012}", shared.answers.len());
            shared.events.push_back((id, event, limit));
            shared.answers.len()
        };
        self.api.changed.notify_waiters();
        let answered = self.api.until(|shared| shared.answers.get(n_answers).cloned());
        tokio::select! {
            answer = answered => return answer,
            () = killed => {}
        }
        self.signal(Signal::KILL);
        self.child.wait().await.unwrap();
        self.api.shared.lock().unwrap().answers.push(Answer::TimedOut);
        Answer::TimedOut
    }

    /// An HTTP request, as API Gateway's HTTP API sends it: the status and the body.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &Value,
        body: &str,
    ) -> (u64, Value, Value) {
        // What API Gateway waits for.
        let answer = self.invoke_told(http_event(method, path, headers, body), Duration::from_secs(29)).await;
        let Answer::Response(response) = answer else { panic!("{method} {path}: {answer:?}") };
        let body = response["body"].as_str().unwrap_or_default();
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
        (response["statusCode"].as_u64().unwrap(), response["headers"].clone(), body)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// Returns when the process has ended.
    pub(crate) async fn ended(&mut self) {
        self.child.wait().await.unwrap();
    }

    /// Waits until it asks to be restored, with SnapStart, then restores it.
    pub(crate) async fn restore(&self) {
        self.api.until(|shared| (shared.restores > 0).then_some(())).await;
        self.api.shared.lock().unwrap().may_restore = true;
        self.api.changed.notify_waiters();
    }

    async fn wait_for_next(&mut self, n_before: u64) -> Result<(), Value> {
        let is_snapshot = self.env.iter().any(|(name, _)| name == "AWS_LAMBDA_INITIALIZATION_TYPE");
        let asked = self.api.until(|shared| match &shared.init_error {
            Some(error) => Some(Err(error.clone())),
            None => (shared.n_nexts > n_before || (is_snapshot && shared.restores > 0)).then_some(Ok(())),
        });
        tokio::select! {
            asked = asked => asked,
            status = self.child.wait() => Err(json!(status.unwrap().to_string())),
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // The function's engine ends with the function.
        super::wait::end_gracefully(&mut self.child);
    }
}

/// The directory into which `cargo lambda build --release` puts the functions; `make test` builds them.
pub(crate) fn bootstrap(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("target/lambda").join(name).join("bootstrap");
    assert!(path.try_exists().unwrap(), "`{}` is missing: tools/lambda builds it", path.display());
    path
}

impl Place {
    fn spawn(&self, name: &str, env: &[(String, String)], address: &str) -> Child {
        let lambda = [
            ("PATH", "/usr/bin:/bin"),
            ("AWS_LAMBDA_RUNTIME_API", address),
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
        ];
        let lambda = lambda.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env = lambda.into_iter().chain(env.iter().cloned());
        let mut command = match self {
            Self::Here => {
                let mut command = Command::new(bootstrap(name));
                command.env_clear().envs(env);
                command
            }
            Self::Machine(machine) => machine.command(name, env),
        };
        let log = std::fs::File::options().create(true).append(true).open(format!("/tmp/fn-{name}.log"));
        command.stdin(Stdio::null()).stdout(log.unwrap()).stderr(Stdio::null());
        command.kill_on_drop(true).spawn().unwrap()
    }
}

impl RuntimeApi {
    async fn until<T>(&self, mut look: impl FnMut(&mut Shared) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            if let Some(found) = look(&mut self.shared.lock().unwrap()) {
                return found;
            }
            // A change between the check and the wait is noticed by the next check.
            let _ = tokio::time::timeout(Duration::from_millis(20), changed).await;
        }
    }
}

/// A streamed response: its status and headers, eight zero bytes, its body (AWS, "Response streaming with
/// custom runtimes").
fn streamed(body: &[u8]) -> Option<Value> {
    let at = body.windows(8).position(|window| window == [0; 8])?;
    let mut response: Value = serde_json::from_slice(&body[..at]).ok()?;
    response["body"] = String::from_utf8_lossy(&body[at + 8..]).into_owned().into();
    Some(response)
}

async fn answer(State(api): State<Arc<RuntimeApi>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().trim_start_matches("/2018-06-01/runtime/").to_owned();
    let is_stream =
        headers.get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
    let value = if is_stream { streamed(&body) } else { serde_json::from_slice(&body).ok() };
    let value = value.unwrap_or(Value::Null);
    match path.split('/').collect::<Vec<_>>()[..] {
        ["invocation", "next"] => {
            api.shared.lock().unwrap().n_nexts += 1;
            api.changed.notify_waiters();
            let (id, event, limit) = api.until(|shared| shared.events.pop_front()).await;
            let deadline = u128::try_from(aws::clock::now().as_millis()).unwrap() + limit.as_millis();
            let headers = [
                ("lambda-runtime-aws-request-id", id),
                ("lambda-runtime-deadline-ms", deadline.to_string()),
                ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:us-east-1:1:function:f".to_owned()),
                ("lambda-runtime-trace-id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
            ];
            return (headers, event.to_string()).into_response();
        }
        ["invocation", _, "response"] => api.shared.lock().unwrap().answers.push(Answer::Response(value)),
        ["invocation", _, "error"] => api.shared.lock().unwrap().answers.push(Answer::Error(value)),
        ["init" | "restore", "error"] => api.shared.lock().unwrap().init_error = Some(value),
        ["restore", "next"] => {
            api.shared.lock().unwrap().restores += 1;
            api.changed.notify_waiters();
            api.until(|shared| shared.may_restore.then_some(())).await;
            return StatusCode::OK.into_response();
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    }
    api.changed.notify_waiters();
    (StatusCode::ACCEPTED, "{}").into_response()
}

/// The event of API Gateway's payload format 2.0.
pub(crate) fn http_event(method: &str, path: &str, headers: &Value, body: &str) -> Value {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "1", "apiId": "api", "domainName": "api.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "api",
            "http": {
                "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=", "routeKey": format!("{method} {path}"), "stage": "$default",
            "time": "24/Nov/2026:10:00:00 +0000", "timeEpoch": 1_795_514_400_000_i64,
        },
        "body": body, "isBase64Encoded": false,
    })
}

/// What SQS's event source sends.
pub(crate) fn sqs_event(bodies: &[(&str, &str)]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .map(|(id, body)| {
            json!({
                "messageId": id, "receiptHandle": "handle", "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1", "SentTimestamp": "1523232000000", "SenderId": "S3",
                    "ApproximateFirstReceiveTimestamp": "1523232000001",
                },
                "messageAttributes": {}, "md5OfBody": "0", "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:1:scan", "awsRegion": "us-east-1",
            })
        })
        .collect();
    json!({ "Records": records })
}
