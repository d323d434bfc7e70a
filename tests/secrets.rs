//! No secret and nothing personal is ever logged: no token, key, query string, link, file name or contents,
//! at any level, whatever fails.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::identity::{admin_token, user_token};
use crate::support::process::{Process, command, free_ports};
use crate::support::receiver::Receiver;
use crate::support::{client, text, wait};

/// Sends marked values and records them.
#[derive(Default)]
struct Garden {
    planted: Vec<String>,
}

impl Garden {
    /// A value that occurs nowhere else. Letters and digits only, so that no encoding changes it.
    fn plant(&mut self, what: &str) -> String {
        let id = aws::clock::random_uuid().simple().to_string();
        let value = format!("planted{what}{id}");
        self.planted.push(value.clone());
        value
    }

    /// A value that the service received or sent, and that must not appear in a log.
    fn keep(&mut self, value: &str) -> String {
        self.planted.push(value.to_owned());
        value.to_owned()
    }
}

/// Sends a request and ignores the result.
async fn send(http: &Client, method: Method, url: &str, token: &str, body: Option<Value>) -> Value {
    let mut request = http.request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let Ok(answer) = request.send().await else { return Value::Null };
    let is_stream = answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    // Event streams do not end.
    if is_stream { Value::Null } else { answer.json().await.unwrap_or(Value::Null) }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_marked_value_appears_in_a_log() {
    let (directory, ports, receiver) = (tempfile::tempdir().unwrap(), free_ports(), Receiver::start().await);
    let mut garden = Garden::default();
    let secret_key = garden.plant("SecretKey");
    let webhook_secret = garden.keep("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAirlockTests");
    let (hook_path, hook_query) = (garden.plant("HookPath"), garden.plant("HookQuery"));
    let hooks =
        format!("http://{0}/{hook_path}?key={hook_query} https://localhost/{hook_path}", receiver.address);
    let env = [
        crate::identity::ENV[0],
        crate::identity::ENV[1],
        crate::identity::ENV[2],
        ("SECRET_KEY", secret_key.as_str()),
        ("WEBHOOK_URLS", &hooks),
        ("WEBHOOK_SECRET", &webhook_secret),
        ("WEBHOOK_PRIVATE_HOSTS", &receiver.address),
        ("DEBUG", "true"),
    ];
    garden.keep(crate::identity::ENV[2].1);
    receiver.answer_next(&[500, 410]);
    let log = directory.path().join("log");
    let child = command(&directory.path().join("data"), ports, &env)
        .args(["--auth", "jwt"])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let url = format!("http://127.0.0.1:{}", ports.0);
    let (http, mut service) = (client(), Process { child, url: url.clone() });
    service.is_up().await;
    let (alice, root) = (garden.keep(&user_token("alice")), garden.keep(&admin_token("root")));
    plant_everywhere(&http, &url, &alice, &root, &mut garden).await;

    // Values that the service generated.
    let secrets = std::fs::read(directory.path().join("data/secrets.json")).unwrap();
    let secrets: Value = serde_json::from_slice(&secrets).unwrap();
    garden.keep(&text(&secrets["secret_access_key"]));
    receiver.wait_for("news", |received| received.len() >= 2).await;
    // Further requests whose processing is logged.
    wait::linger(Duration::from_secs(2)).await;
    service.kill_9().await;

    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.lines().count() > 30, "too little was logged to prove anything:\n{logged}");
    assert!(garden.planted.len() >= 30, "{}", garden.planted.len());
    let found: Vec<&String> = garden.planted.iter().filter(|value| logged.contains(value.as_str())).collect();
    assert!(found.is_empty(), "{found:#?} in\n{logged}");
    assert!(!logged.contains("X-Amz-Signature"), "{logged}");
}

/// Sends marked values in every place that a client can fill.
async fn plant_everywhere(http: &Client, url: &str, alice: &str, root: &str, garden: &mut Garden) {
    let at = |path: &str| format!("{url}{path}");
    // A file, from the creation of its upload to its download.
    let name = garden.plant("Name");
    let body = json!({
        "filename": format!("{name}.txt"), "size": 40,
        "content_type": format!("text/{}", garden.plant("Type")), "password": garden.plant("Password"),
    });
    let request =
        http.post(at("/files")).bearer_auth(alice).header("idempotency-key", garden.plant("Idempotency"));
    let accepted: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
    let (file_id, upload) = (text(&accepted["file_id"]), &accepted["upload"]);
    let put_url = text(&upload["url"]);
    garden.keep(put_url.split("X-Amz-Signature=").nth(1).unwrap().split('&').next().unwrap());
    let contents = &garden.plant("Contents")[..40];
    garden.keep(contents);
    let mut put = http.put(&put_url).body(contents.to_owned());
    for (header, value) in upload["headers"].as_object().unwrap() {
        put = put.header(header, text(value));
    }
    assert_eq!(put.send().await.unwrap().status(), 200);
    wait::until_found("a clean file", async || {
        let status = send(http, Method::GET, &at(&format!("/files/{file_id}/status")), alice, None).await;
        if status["file_info"]["scan_status"] == "clean" { Ok(()) } else { Err(status) }
    })
    .await;
    let link = send(http, Method::GET, &at(&format!("/files/{file_id}/download-link")), alice, None).await;
    let token = text(&link["download_url"]).replace("/download/", "");
    garden.keep(&token);
    let redirect = http.get(at(&format!("/download/{token}"))).send().await.unwrap();
    let location = redirect.headers()["location"].to_str().unwrap().to_owned();
    garden.keep(location.split("X-Amz-Signature=").nth(1).unwrap().split('&').next().unwrap());
    http.get(&location).send().await.unwrap();
    // Edits, forms, and all texts that an operator writes.
    let path = format!("/files/{file_id}");
    let edit = json!({
        "filename": format!("{}.txt", garden.plant("Rename")),
        "tags": { garden.plant("TagKey"): garden.plant("TagValue") },
    });
    send(http, Method::PATCH, &at(&path), alice, Some(edit)).await;
    let part = reqwest::multipart::Part::bytes(garden.plant("Form").into_bytes());
    let part = part.file_name(format!("{}.txt", garden.plant("FormName")));
    let form = reqwest::multipart::Form::new()
        .text("password", garden.plant("FormPassword"))
        .part("file", part)
        .text("other", garden.plant("FormField"));
    http.post(at("/upload")).bearer_auth(alice).multipart(form).send().await.unwrap();
    let release = json!({ "sha256": "0".repeat(64), "reason": garden.plant("Reason") });
    send(http, Method::POST, &at(&format!("{path}/release")), root, Some(release)).await;
    let replay = json!({ "since": garden.plant("Since"), "endpoint": garden.plant("Endpoint") });
    send(http, Method::POST, &at("/webhooks/replay"), root, Some(replay)).await;
    // Refused requests: values in paths, queries, headers and bodies.
    for path in [
        format!("/files/{}", garden.plant("FileId")),
        format!("/download/{}", garden.plant("BadLink")),
        format!("/files?status={}", garden.plant("Status")),
        format!("/files?cursor={}", garden.plant("Cursor")),
        format!("/files?{}=1", garden.plant("UnknownQuery")),
        format!("/nothing/{}?x={}", garden.plant("NoRoute"), garden.plant("NoRouteQuery")),
        format!("/events?token={}", garden.plant("EventsQuery")),
    ] {
        send(http, Method::GET, &at(&path), alice, None).await;
        send(http, Method::GET, &at(&path), &garden.plant("BadToken"), None).await;
    }
    let refused = json!({ "filename": "a.zip", "password": format!("{}\n", garden.plant("BadPassword")) });
    send(http, Method::POST, &at("/files"), alice, Some(refused)).await;
    let bad = json!({ garden.plant("UnknownField"): garden.plant("UnknownValue") });
    send(http, Method::POST, &at("/files"), alice, Some(bad)).await;
    let request = http.post(at("/files")).bearer_auth(alice).header("content-type", "application/json");
    request.body(format!("{{{}", garden.plant("BadJson"))).send().await.unwrap();
    for header in ["cookie", "x-api-key", "prefer", "last-event-id", "x-forwarded-for"] {
        let request = http.get(at(&format!("/files/{file_id}"))).header(header, garden.plant("Header"));
        request.bearer_auth(alice).send().await.unwrap();
    }
    // Requests to the storage.
    let storage = put_url.split("/airlock/").next().unwrap().to_owned();
    for path in
        [format!("/airlock/{}", garden.plant("Key")), format!("/airlock/k?x={}", garden.plant("S3Query"))]
    {
        http.put(format!("{storage}{path}")).body("x").send().await.unwrap();
    }
    send(http, Method::DELETE, &at(&format!("/files/{file_id}")), alice, None).await;
}
