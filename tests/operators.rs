//! Operators, and no other callers, see the service's state and repair it.

use domain::id::Sha256;
use local::Auth;
use reqwest::Method;
use serde_json::{Value, json};

use crate::identity::{ENV, admin_token, user_token};
use crate::support::{Service, answer, client, eicar, sha256, wait};

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_are_those_of_what_happened() {
    let service = Service::start_with(&[("SCAN_WORKERS", "3")], |_| {}).await;
    let encrypted = b"PK\x03\x04 not a zip that anybody could open".to_vec();
    for (name, bytes, status) in [
        ("a.txt", b"good".to_vec(), "clean"),
        ("b.txt", b"better".to_vec(), "clean"),
        ("c.txt", eicar(), "infected"),
        ("d.zip", encrypted, "unscannable"),
    ] {
        let file_id = service.upload(name, &bytes).await;
        service.ends_as(&file_id, status).await;
    }
    // Counted just after the verdict, and kept as a failure after that.
    let stats = wait::until_found("four files to be counted", async || {
        let (code, stats) = service.get("/stats").await;
        assert_eq!(code, 200);
        let n_counted: u64 =
            stats["files_by_status"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
        let n_failures = stats["recent_failures"].as_array().unwrap().len();
        if (n_counted, n_failures) == (4, 2) { Ok(stats) } else { Err(stats) }
    })
    .await;
    assert_eq!(stats["files_by_status"], json!({ "clean": 2, "infected": 1, "unscannable": 1 }), "{stats}");
    assert_eq!(stats["hours"].as_array().unwrap().len(), 24);
    assert_eq!(stats["queue"]["workers"], 3);
    for process in ["service", "engine"] {
        assert!(stats["memory"][process].as_u64().unwrap() > 1_000_000, "{process}: {stats}");
    }
    assert!(stats["disk"]["free"].as_u64().unwrap() > stats["disk"]["needed"].as_u64().unwrap(), "{stats}");
    assert_eq!(stats["engine"]["next_update"], Value::Null, "test definitions are never updated");
    assert_eq!(stats["scan_seconds"][0]["count"], 4);
    assert!(stats["scan_seconds"][0]["p99"].as_f64().unwrap() > 0.0, "{stats}");
    assert_eq!(stats["recent_failures"][0]["status"], "unscannable");
    let infected = &stats["recent_failures"][1];
    let shown = ["status", "filename", "owner", "sha256", "is_own"].map(|field| infected[field].clone());
    let expected = json!(["infected", "c.txt", "local", sha256(&eicar()), true]);
    assert_eq!(json!(shown), expected, "{stats}");
    assert!(infected["reason"].as_str().unwrap().contains("Eicar"), "{stats}");
    assert_eq!(stats["engine"]["restarts"], 0);
    assert_eq!(stats["dead_letters"], 0);
    let metrics = service.request(Method::GET, "/metrics").send().await.unwrap();
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let parsed = crate::support::python(
        "
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = text_string_to_metric_families(json.load(sys.stdin)['text'])
samples = {s.name + json.dumps(s.labels, sort_keys=True): s.value for f in families for s in f.samples}
print(json.dumps(samples))
",
        &json!({ "text": metrics.text().await.unwrap() }),
    );
    let samples: Value = serde_json::from_str(&parsed).unwrap();
    assert_eq!(samples["airlock_files_24h{\"status\": \"clean\"}"], 2.0, "{samples}");
    assert_eq!(samples["airlock_dead_letters{}"], 0.0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_shows_its_cause_and_can_be_redelivered() {
    let service = Service::start_with(&[], |settings| {
        settings.tuning.delivery.max_receives = 2;
        settings.tuning.sweep_every = std::time::Duration::from_hours(1);
    })
    .await;
    service.local.queue().send("{not an event".to_owned()).await.unwrap();
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let listed = wait::until_found("a dead letter", async || {
        let (_, list) = service.get("/dead-letters").await;
        if list["dead_letters"] == json!([]) { Err(list) } else { Ok(list) }
    })
    .await;
    assert_eq!(listed["dead_letters"][0]["reason"], "the body is not an S3 event", "{listed}");
    assert_eq!(service.get("/stats").await.1["dead_letters"], 1);
    let (status, moved) = service.post("/dead-letters/redrive", &json!({})).await;
    assert_eq!((status.as_u16(), &moved["moved"]), (200, &json!(1)));
    // The message fails again.
    wait::until("the same dead letter", async || service.get("/dead-letters").await.1["total"] == 1).await;
    service.stop().await;
}

/// The caller of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Actor {
    Anonymous,
    Owner,
    Stranger,
    Operator,
    /// A client that has a download link and presents its token as a user's token.
    LinkHolder,
}

const ACTORS: [Actor; 5] =
    [Actor::Anonymous, Actor::Owner, Actor::Stranger, Actor::Operator, Actor::LinkHolder];

/// Method, path, body, and what the owner and the operator get; `{clean}` and `{infected}` are the owner's
/// files.
type Row = (&'static str, &'static str, Option<Value>, u16, u16);

fn rows() -> Vec<Row> {
    let none = || None;
    let empty = || Some(json!({}));
    let release = Some(json!({ "sha256": sha256(&eicar()), "reason": "a test" }));
    let blob =
        json!({ "blob": { "filename": "a.txt", "byte_size": 5, "checksum": "XUFAKrxLKna5cZ2REBfFkg==" } });
    vec![
        // Owners' calls: an operator may own files too, but not these.
        ("GET", "/files/{clean}", none(), 200, 404),
        ("GET", "/files/{clean}/status", none(), 200, 404),
        ("GET", "/files/{clean}/download-link", none(), 200, 404),
        ("GET", "/files/{clean}/events", none(), 200, 404),
        ("PATCH", "/files/{clean}", empty(), 200, 404),
        ("POST", "/files/{clean}/complete", empty(), 202, 404),
        ("GET", "/files/{clean}/parts", none(), 409, 404),
        ("POST", "/files/{clean}/parts", Some(json!({ "parts": [{ "part_number": 1 }] })), 409, 404),
        ("POST", "/files/{clean}/rescan", empty(), 202, 404),
        ("POST", "/files/{infected}/rescan", empty(), 409, 404),
        ("DELETE", "/files/{clean}/links", none(), 204, 404),
        ("DELETE", "/files/{clean}", none(), 204, 404),
        ("GET", "/files", none(), 200, 200),
        ("GET", "/events", none(), 200, 200),
        ("POST", "/scan", empty(), 200, 200),
        ("POST", "/api/v1/scan", empty(), 415, 415),
        ("POST", "/v2/scan", empty(), 415, 415),
        // The upload clients' protocols.
        ("POST", "/upload-tokens", empty(), 201, 201),
        (
            "POST",
            "/better-upload",
            Some(json!({ "files": [{ "name": "a.txt", "size": 1, "type": "" }] })),
            200,
            200,
        ),
        ("POST", "/rails/active_storage/direct_uploads", Some(blob), 200, 200),
        ("GET", "/uppy/s3/params?filename=a.txt", none(), 200, 200),
        ("POST", "/uppy/s3/multipart", Some(json!({ "filename": "a.txt" })), 200, 200),
        ("GET", "/uppy/s3/multipart/u?key=uploads/{clean}", none(), 404, 404),
        ("GET", "/uppy/s3/multipart/u/1?key=uploads/{clean}", none(), 404, 404),
        ("GET", "/uppy/s3/multipart/u/batch?key=uploads/{clean}&partNumbers=1", none(), 404, 404),
        ("POST", "/uppy/s3/multipart/u/complete?key=uploads/{clean}", Some(json!({ "parts": [] })), 404, 404),
        ("DELETE", "/uppy/s3/multipart/u?key=uploads/{clean}", none(), 404, 404),
        ("POST", "/uppy/s3/presign", Some(json!({ "method": "PUT", "key": "a.txt" })), 200, 200),
        // What only operators do.
        ("POST", "/scan/s3", Some(json!({ "bucket": "not-named", "key": "a" })), 403, 403),
        ("GET", "/stats", none(), 403, 200),
        ("GET", "/metrics", none(), 403, 200),
        ("GET", "/dead-letters", none(), 403, 200),
        ("POST", "/dead-letters/redrive", empty(), 403, 200),
        ("GET", "/webhooks", none(), 403, 200),
        ("POST", "/webhooks/replay", Some(json!({ "since": "2026-01-01T00:00:00Z" })), 403, 200),
        ("POST", "/webhooks/0011223344556677/enable", empty(), 403, 404),
        ("GET", "/releases", none(), 403, 200),
        (
            "POST",
            "/releases/0000000000000000000000000000000000000000000000000000000000000000/revoke",
            Some(json!({ "reason": "a test" })),
            403,
            404,
        ),
        ("GET", "/samples", none(), 403, 200),
        ("POST", "/files/{infected}/sample", release.clone(), 403, 200),
        ("POST", "/files/{infected}/release", release, 403, 200),
    ]
}

async fn call(service: &Service, actor: Actor, row: &Row, path: &str, link: &str) -> (u16, Value) {
    let method: Method = row.0.parse().unwrap();
    let mut request = client().request(method, service.url(path));
    request = match actor {
        Actor::Anonymous => request,
        Actor::Owner => request.bearer_auth(user_token("alice")),
        Actor::Stranger => request.bearer_auth(user_token("eve")),
        Actor::Operator => request.bearer_auth(admin_token("root")),
        Actor::LinkHolder => request.bearer_auth(link.trim_start_matches("/download/")),
    };
    if let Some(body) = &row.2 {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|kind| kind.starts_with("text/event-stream")) {
        return (response.status().as_u16(), Value::Null);
    }
    let (status, mut body) = answer(response).await;
    if let Some(body) = body.as_object_mut() {
        body.remove("requestId");
        body.remove("instance");
    }
    (status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_only_what_its_role_permits() {
    let env = [&ENV[..], &[("SAMPLE_DOWNLOADS", "true")]].concat();
    let service = Service::start_with(&env, |settings| settings.auth = Auth::Jwt).await;
    let service = service.with_token(user_token("alice"));
    let infected = service.upload("bad.txt", &eicar()).await;
    service.ends_as(&infected, "infected").await;
    let unknown = aws::clock::random_uuid().to_string();
    for row in rows() {
        let clean = service.upload("good.txt", b"good").await;
        service.ends_as(&clean, "clean").await;
        let link = service.link(&clean).await;
        let of = |file: &str, other: &str| row.1.replace("{clean}", file).replace("{infected}", other);
        let path = of(&clean, &infected);
        // The actors that may change something come last.
        for actor in ACTORS.into_iter().rev() {
            let is_about_a_file = row.1.contains('{');
            let is_for_operators =
                row.4 == 200 && row.3 == 403 || row.1.ends_with("/enable") || row.1.ends_with("/revoke");
            let expected = match actor {
                Actor::Anonymous | Actor::LinkHolder => 401,
                Actor::Operator => row.4,
                Actor::Stranger if is_for_operators => 403,
                Actor::Stranger if is_about_a_file => 404,
                Actor::Owner | Actor::Stranger => row.3,
            };
            // The operator's release is tried after the others' attempts, and so is the owner's deletion.
            if actor == Actor::Operator && row.1.ends_with("release") {
                continue;
            }
            let (status, body) = call(&service, actor, &row, &path, &link).await;
            assert_eq!(status, expected, "{actor:?} {} {path}: {body}", row.0);
            if status == 404 && is_about_a_file {
                let (status, unknown_body) =
                    call(&service, actor, &row, &of(&unknown, &unknown), &link).await;
                assert_eq!((status, unknown_body), (404, body), "{actor:?} {path}: foreign is not unknown");
            }
        }
        if row.1.ends_with("release") {
            let (status, body) = call(&service, Actor::Operator, &row, &path, &link).await;
            assert_eq!((status, &body["scan_status"]), (200, &json!("released")), "{body}");
        }
    }
    // A user's token is no link.
    let as_link =
        client().get(service.url(&format!("/download/{}", user_token("alice")))).send().await.unwrap();
    assert_eq!(as_link.status(), 404);
    let kept =
        service.local.stores().ledger.release(Sha256::parse(&sha256(&eicar())).unwrap()).await.unwrap();
    let kept = kept.unwrap();
    assert_eq!(
        (kept.by.as_str(), kept.reason.as_str()),
        ("root", "a test"),
        "the operator who released it is kept"
    );
    service.stop().await;
}
