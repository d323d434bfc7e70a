//! The template deploys: on ministack, an imitation of AWS, with the release builds of the functions.
//!
//! A browser's way through it; then what each function asked of AWS, against what its role may do.

mod passwords;
mod protected;
mod roles;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::{DefinitionBucket, Endpoints, Sdk, StaticKeys};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition_set::SigningKey;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::deployment::{add_snapshots, publisher};
use crate::support::fault_proxy::as_host;
use crate::support::mirror::{Mirror, Mood};
use crate::support::process::binary;
use crate::support::runtime_api::http_event;
use crate::support::stack::{Stack, python, root};
use crate::support::{answer, eicar, expire_soon, text, wait};

impl Stack {
    /// `airlock selftest`, as an operator runs it after a deployment. The imitation does not verify
    /// signatures, so it breaks the one promise that depends on them, and the selftest reports that.
    async fn selftest(&self) {
        let api = text(&self.about["outputs"]["ApiUrl"]);
        let url = as_host(&text(&self.about["url"]), api.trim_start_matches("http://")).await;
        let output = Command::new(binary())
            .args(["--url", &url, "--output", "json", "selftest"])
            .env("AIRLOCK_TOKEN", text(&self.about["token"]))
            .output()
            .await
            .unwrap();
        let results: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let failed: Vec<&str> = results
            .as_array()
            .unwrap()
            .iter()
            .filter(|result| result["state"] != "ok")
            .map(|result| result["happened"].as_str().unwrap())
            .collect();
        let unsigned = ["storage served it without a signature"];
        assert_eq!(failed, unsigned, "{results:#}");
    }

    /// Whether a scan function keeps a snapshot of its engine in its directory.
    async fn has_a_snapshot(&self, scratch: &Path) -> bool {
        let find = Command::new("find").arg(scratch).args(["-name", "*.snapshot"]).output().await.unwrap();
        String::from_utf8(find.stdout).unwrap().contains("/definitions/")
    }

    /// Multipart uploads: one is completed, one is deleted, and one expires by the sweep.
    async fn try_scans_on_demand(&self) {
        for (bytes, expected) in [(b"judged and forgotten".to_vec(), "clean"), (eicar(), "infected")] {
            let request = self.authorized(Method::POST, "/scan").body(bytes);
            let (status, judged) = answer(request.send().await.unwrap()).await;
            assert_eq!((status.as_u16(), &judged["scan_status"]), (200, &json!(expected)), "{judged}");
        }
    }

    async fn try_parts(&mut self) {
        let whole: Vec<u8> = (0..9_000_000u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect();
        let wanted = json!({ "filename": "large.bin", "size": whole.len(), "method": "multipart" });
        let completed = self.create_upload(wanted.clone()).await.0;
        let path = format!("/files/{completed}/parts");
        for (number, part) in (1..).zip(whole.chunks(8 * 1024 * 1024)) {
            let request = json!({ "parts": [{ "part_number": number }] });
            let (status, given) =
                answer(self.authorized(Method::POST, &path).json(&request).send().await.unwrap()).await;
            assert_eq!(status, 200, "{given}");
            self.put(&given["parts"][0], part).await;
        }
        let (status, list) = self.get(&path).await;
        assert_eq!((status, list["parts"].as_array().map(Vec::len)), (200, Some(2)), "{list}");
        let request = self.authorized(Method::POST, &format!("/files/{completed}/complete")).json(&json!({}));
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert!(status.is_success(), "{body}");
        self.ends_as(&completed, "clean").await;
        let deleted = self.create_upload(wanted.clone()).await.0;
        let answered = self.authorized(Method::DELETE, &format!("/files/{deleted}")).send().await.unwrap();
        assert!(answered.status().is_success());
        let expires = self.create_upload(wanted).await.0;
        let edit = || self.authorized(Method::PATCH, &format!("/files/{expires}"));
        let expires_at = expire_soon(edit).await;
        wait::until_after(expires_at).await;
        let swept = self.invoke("SweepFunction", json!({ "action": "sweep" })).await;
        assert_eq!((&swept["error"], &swept["payload"]["n_failed"]), (&Value::Null, &json!(0)), "{swept}");
        self.ends_as(&expires, "expired").await;
    }

    /// Uppy's protocol, with an upload token in the path and no header, and the calls that list parts in S3.
    async fn try_upload_clients(&mut self) {
        let request = self.authorized(Method::POST, "/upload-tokens").json(&json!({}));
        let (status, given) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 201, "{given}");
        let host = text(&self.about["outputs"]["ApiUrl"]).split("://").nth(1).unwrap().to_owned();
        let companion = text(&given["companion_url"]);
        let path = companion.split_once(&host).unwrap_or_else(|| panic!("not {host}: {companion}")).1;
        let ask = async |method: Method, path: &str, body: Value| {
            let (status, body) = answer(self.request(method, path).json(&body).send().await.unwrap()).await;
            assert_eq!(status, 200, "{path}: {body}");
            body
        };
        let begun = ask(Method::POST, &format!("{path}/s3/multipart"), json!({ "filename": "a.txt" })).await;
        let (key, upload_id) = (text(&begun["key"]), text(&begun["uploadId"]));
        let upload = format!("{path}/s3/multipart/{upload_id}");
        let part = ask(Method::GET, &format!("{upload}/1?key={key}"), Value::Null).await;
        self.put(&json!({ "url": part["url"], "headers": {} }), b"by Uppy").await;
        let request = json!({ "method": "GET", "key": key, "uploadId": upload_id });
        let signed = ask(Method::POST, &format!("{path}/s3/presign"), request).await;
        let listed = text(&signed["url"]);
        let listed = self.request(Method::GET, listed.split_once(&host).unwrap().1).send().await.unwrap();
        assert!(listed.text().await.unwrap().contains("<PartNumber>1</PartNumber>"));
        let sent = ask(Method::GET, &format!("{upload}?key={key}"), Value::Null).await;
        ask(Method::POST, &format!("{upload}/complete?key={key}"), json!({ "parts": sent })).await;
        self.ends_as(key.trim_start_matches("uploads/"), "clean").await;
    }

    /// Objects from other uploaders become files of an owner. The next sweep tags the file that is released
    /// here, and moves the other one to quarantine.
    async fn try_bring_your_own_uploader(&mut self) {
        let mut stored = vec![];
        let hidden = zipped(&eicar()).await;
        for (key, body) in [
            ("incoming/alice/a b+c.txt", b"stored by others".to_vec()),
            ("incoming/alice/released", eicar()),
            ("incoming/alice/moved", hidden.clone()),
        ] {
            self.command(json!({ "do": "put", "key": key, "body": STANDARD.encode(body) })).await;
            let name = key.rsplit('/').next().unwrap();
            stored.push(self.file_named(name).await);
        }
        let [clean, released, moved] = stored.try_into().unwrap();
        self.ends_as(&clean, "clean").await;
        self.ends_as(&released, "infected").await;
        self.ends_as(&moved, "infected").await;
        let (status, link) = self.get(&format!("/files/{clean}/download-link")).await;
        assert_eq!(status, 200, "{link}");
        let redirect = self.request(Method::GET, &text(&link["download_url"])).send().await.unwrap();
        let bytes = self.http.get(redirect.headers()["location"].to_str().unwrap()).send().await.unwrap();
        assert_eq!(bytes.bytes().await.unwrap().as_ref(), b"stored by others");
        let release = json!({ "sha256": crate::support::sha256(&eicar()), "reason": "a test" });
        let (status, body) =
            self.operate(Method::POST, &format!("/files/{released}/release"), Some(release)).await;
        assert_eq!((status, &body["scan_status"]), (200, &json!("released")), "{body}");
        self.gives_sample(&moved, &hidden).await;
        let deleted = self.authorized(Method::DELETE, &format!("/files/{clean}")).send().await.unwrap();
        assert!(deleted.status().is_success());
    }

    /// An operator gets the bytes in an encrypted archive, wherever they are.
    async fn gives_sample(&self, file_id: &str, bytes: &[u8]) {
        let body = json!({ "sha256": crate::support::sha256(bytes), "reason": "a test" });
        let request = self.request(Method::POST, &format!("/files/{file_id}/sample")).json(&body);
        let response = request.bearer_auth(text(&self.about["operator"])).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a.zip"), response.bytes().await.unwrap()).unwrap();
        let mut open = Command::new("7zz");
        open.args(["x", "-so", "-pinfected", "a.zip"]).current_dir(&directory);
        assert!(open.output().await.unwrap().stdout == bytes, "other bytes");
    }

    async fn file_named(&self, name: &str) -> String {
        wait::until_found(&format!("a file called {name}"), async || {
            let (_, list) = self.get("/files").await;
            let file = list["files"].as_array().unwrap().iter().find(|file| file["filename"] == name);
            file.map(|file| text(&file["file_id"])).ok_or(list)
        })
        .await
    }

    /// Rescans, releases, revoked links, events, statistics, and the move to quarantine.
    async fn try_what_comes_after_the_verdict(&mut self, clean: &str) {
        for (method, path, expected) in [
            (Method::POST, format!("/files/{clean}/complete"), 202),
            (Method::POST, format!("/files/{clean}/rescan"), 202),
            (Method::DELETE, format!("/files/{clean}/links"), 204),
        ] {
            let request = self.authorized(method, &path).json(&json!({}));
            let (status, body) = answer(request.send().await.unwrap()).await;
            // The imitation turns a response without a body into a 200.
            assert!(status.as_u16() == expected || status == 200, "{path}: {status} {body}");
        }
        let waiting = self.create_upload(json!({ "filename": "waiting.txt", "size": 4 })).await.0;
        let request = self.authorized(Method::POST, &format!("/files/{waiting}/complete")).json(&json!({}));
        let (status, problem) = answer(request.send().await.unwrap()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("not_uploaded")), "{problem}");
        // Released before any sweep, which would move it away. EICAR alone is released already.
        let bytes = zipped(&zipped(&eicar()).await).await;
        let infected = self.upload("released.zip", &bytes).await;
        self.ends_as(&infected, "infected").await;
        self.gives_sample(&infected, &bytes).await;
        let release = json!({ "sha256": crate::support::sha256(&bytes), "reason": "a test" });
        let path = format!("/files/{infected}/release");
        let (status, body) =
            answer(self.authorized(Method::POST, &path).json(&release).send().await.unwrap()).await;
        assert_eq!(status, 403, "{body}");
        let (status, released) = self.operate(Method::POST, &path, Some(release)).await;
        assert_eq!((status, &released["scan_status"]), (200, &json!("released")), "{released}");

        // The same finding in other bytes is moved away by the sweep.
        let bytes = zipped(&eicar()).await;
        let moved = self.upload("moved.zip", &bytes).await;
        self.ends_as(&moved, "infected").await;
        let swept = self.invoke("SweepFunction", json!({ "action": "sweep" })).await;
        assert_eq!(&swept["error"], &Value::Null, "{swept}");
        self.gives_sample(&moved, &bytes).await;
        let deleted = self.authorized(Method::DELETE, &format!("/files/{moved}")).send().await.unwrap();
        assert!(deleted.status().is_success());

        let (code, list) = self.operate(Method::GET, "/samples", None).await;
        assert_eq!((code, list["samples"].as_array().map(Vec::len)), (200, Some(4)), "{list}");
        let (code, numbers) = self.operate(Method::GET, "/stats", None).await;
        assert!(code == 200 && numbers["files_by_status"]["clean"].as_u64() >= Some(3), "{numbers}");
        // The webhook's host does not exist: the delivery fails and is retried later.
        let webhooks = wait::until_found("a failure", async || {
            let webhooks = self.operate(Method::GET, "/webhooks", None).await.1;
            if webhooks["webhooks"][0]["last_failure"].is_string() { Ok(webhooks) } else { Err(webhooks) }
        })
        .await;
        assert_eq!(webhooks["webhooks"][0]["host"], "hooks.invalid", "{webhooks}");
        let id = text(&webhooks["webhooks"][0]["id"]);
        self.operate(Method::POST, &format!("/webhooks/{id}/enable"), Some(json!({}))).await;
        let replay = json!({ "since": "2026-01-01T00:00:00Z" });
        let (status, replayed) = self.operate(Method::POST, "/webhooks/replay", Some(replay)).await;
        assert_eq!(status, 200, "{replayed}");
        self.command(json!({ "do": "make_due" })).await;
        let swept = self.invoke("SweepFunction", json!({ "action": "sweep" })).await;
        assert!(swept["payload"]["n_deliveries"].as_u64() > Some(0), "{swept}");

        let event = http_event(
            "GET",
            &format!("/files/{clean}/events"),
            &json!({
            "authorization": format!("Bearer {}", text(&self.about["token"])) }),
            "",
        );
        let live = self.invoke("LiveFunction", event).await;
        assert_eq!(&live["error"], &Value::Null, "{live}");
        // With a waiting file, the sweep measures the age of the oldest one.
        self.create_upload(json!({ "filename": "waits.txt", "size": 4 })).await;
        let all = http_event(
            "GET",
            "/events",
            &json!({
            "authorization": format!("Bearer {}", text(&self.about["token"])) }),
            "",
        );
        let live = self.invoke("LiveFunction", all).await;
        assert_eq!(&live["error"], &Value::Null, "{live}");
    }
}

/// An archive with one file in it.
async fn zipped(bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("inside.txt"), bytes).unwrap();
    let zip = Command::new("zip").args(["-q", "a.zip", "inside.txt"]).current_dir(directory.path()).status();
    assert!(zip.await.unwrap().success());
    std::fs::read(directory.path().join("a.zip")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_stands_and_files_go_through_it() {
    let mirror = Mirror::start().await;
    mirror.set(6, Mood::Good);
    let mut stack = Stack::deploy(&mirror).await;
    let scratch = PathBuf::from(text(&stack.about["scratch"]));

    // The custom resource created the key. Without official databases nothing is published, so files wait.
    let key = SigningKey::from_secret(&text(&stack.about["signing_secret"])).unwrap();
    assert_eq!(
        stack.about["scan_environment"]["AIRLOCK_DEFINITIONS_PUBLIC_KEY"],
        key.public_key().to_string()
    );
    let early = stack.upload("early.txt", b"before there were definitions").await;
    wait::linger(Duration::from_secs(3)).await;
    assert_eq!(stack.get(&format!("/files/{early}/status")).await.1["file_info"]["scan_status"], "pending");
    assert_eq!(stack.health().await["status"], "unavailable");
    assert_eq!(stack.command(json!({ "do": "make_due" })).await, 1);
    let swept = stack.invoke("SweepFunction", json!({ "action": "sweep" })).await;
    assert_eq!(swept["payload"]["n_files"], 1, "asks for a scan again: {swept}");
    let failed = stack.invoke("DefinitionsFunction", json!({ "action": "update" })).await;
    assert!(!failed["error"].is_null(), "an alarm must see it: {failed}");

    // Published by the same code from ClamAV's test database, because the official ones are unavailable here.
    let endpoints = Endpoints { s3: Some(text(&stack.about["url"])), s3_public: None };
    let keys = StaticKeys { access_key_id: "test".to_owned(), secret_access_key: "test".to_owned() };
    let sdk = Sdk::at(&endpoints, &keys, "us-east-1").await;
    let bucket = DefinitionBucket::new(&sdk, text(&stack.about["outputs"]["DefinitionsBucketName"]));
    let mut publisher = publisher(bucket, key, &mirror, &scratch.join("p"));
    add_snapshots(&mut publisher);
    ::definitions::update(&publisher, aws::clock::now()).await.unwrap();

    let clean = stack.upload("clean.txt", b"through the whole stack").await;
    let infected = stack.upload("bad.txt", &eicar()).await;
    for (file_id, status) in [(&clean, "clean"), (&infected, "infected"), (&early, "clean")] {
        stack.ends_as(file_id, status).await;
    }
    assert_eq!(stack.health().await["status"], "ok");
    assert!(stack.has_a_snapshot(&scratch).await, "the scan function started from it");
    let (status, link) = stack.get(&format!("/files/{clean}/download-link")).await;
    assert_eq!(status, 200, "{link}");
    let redirect = stack.request(Method::GET, link["download_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(redirect.status(), 302);
    let bytes = stack.http.get(redirect.headers()["location"].to_str().unwrap()).send().await.unwrap();
    assert_eq!(bytes.bytes().await.unwrap().as_ref(), b"through the whole stack");
    assert_eq!(stack.get(&format!("/files/{infected}/download-link")).await.0, 403);

    // A form, replayed after its verdict (the later version is removed); the upload, a listing, a deletion.
    let (form, upload) = stack.create_upload(json!({ "filename": "form.txt", "method": "post" })).await;
    assert_eq!(stack.post_form(&upload, b"the first").await, 201);
    stack.ends_as(&form, "clean").await;
    assert_eq!(stack.post_form(&upload, &eicar()).await, 201);
    let original = reqwest::multipart::Part::bytes(b"as it was".to_vec()).file_name("original.txt");
    let original = reqwest::multipart::Form::new().part("file", original);
    let original = stack.authorized(Method::POST, "/upload").multipart(original).send().await.unwrap();
    let (status, original) = answer(original).await;
    assert_eq!(status, 201, "{original}");
    stack.ends_as(&text(&original["file_id"]), "clean").await;
    assert_eq!(stack.get("/files").await.1["files"].as_array().map(Vec::len), Some(5));
    let deleted = stack.authorized(Method::DELETE, &format!("/files/{clean}")).send().await.unwrap();
    assert!(deleted.status().is_success());
    assert_eq!(stack.request(Method::GET, "/files").send().await.unwrap().status(), 401);

    // Bytes that arrive after a deletion are removed too.
    let (gone, upload) = stack.create_upload(json!({ "filename": "gone.txt", "size": 4 })).await;
    let deleted = stack.authorized(Method::DELETE, &format!("/files/{gone}")).send().await.unwrap();
    assert!(deleted.status().is_success());
    stack.put(&upload, b"late").await;

    // The requests that `make e2e-aws` sends to a stack on AWS.
    let e2e = Command::new(python().await)
        .arg(root().join("tests/deploy/aws.py"))
        .args(["Airlock-Test", &text(&stack.about["token"])])
        .envs([("AWS_ENDPOINT_URL", text(&stack.about["url"])), ("AWS_REGION", "us-east-1".to_owned())])
        .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
        .output()
        .await
        .unwrap();
    assert!(e2e.status.success(), "{}", String::from_utf8_lossy(&[e2e.stdout, e2e.stderr].concat()));

    stack.selftest().await;
    passwords::open_files(&mut stack).await;
    // Before an operator releases these bytes.
    stack.try_scans_on_demand().await;
    stack.try_bring_your_own_uploader().await;
    stack.try_protected_bucket().await;
    stack.try_what_comes_after_the_verdict(&form).await;
    stack.try_parts().await;
    stack.try_upload_clients().await;

    // A message that cannot be decoded becomes a dead letter.
    stack.command(json!({ "do": "send", "body": "{not JSON" })).await;
    let dead = wait::until_found("a dead letter", async || {
        let dead = stack.command(json!({ "do": "dead_letters" })).await;
        if dead == json!([]) { Err(dead) } else { Ok(dead) }
    })
    .await;
    assert_eq!(dead, json!(["{not JSON"]));
    let (status, list) = stack.operate(Method::GET, "/dead-letters", None).await;
    assert_eq!(status, 200, "{list}");
    // The previous receive hides the message for a while.
    let moved = wait::until_found("a letter to be moved", async || {
        let (status, redriven) = stack.operate(Method::POST, "/dead-letters/redrive", Some(json!({}))).await;
        assert_eq!(status, 200, "{redriven}");
        if redriven["moved"] == 0 { Err(redriven) } else { Ok(redriven["moved"].clone()) }
    })
    .await;
    assert_eq!(moved, 1);

    // A file that never arrives, and everything else that is due.
    stack.create_upload(json!({ "filename": "never.txt" })).await;
    assert!(stack.command(json!({ "do": "make_due" })).await.as_u64().unwrap() > 0);
    let swept = stack.invoke("SweepFunction", json!({ "action": "sweep" })).await;
    assert_eq!((&swept["error"], &swept["payload"]["n_failed"]), (&Value::Null, &json!(0)), "{swept}");

    for (parameters, rule) in [
        (json!({ "RescansPerMinute": "0" }), "RescansNeedRoom"),
        (json!({ "LiveEvents": "false", "LiveConcurrency": "3" }), "ReservedStreamsNeedStreams"),
    ] {
        let refused = stack.command(json!({ "do": "refuse", "parameters": parameters })).await;
        assert!(refused.as_str().is_some_and(|why| why.contains(rule)), "{rule}: {refused}");
    }
    passwords::left_no_trace(&mut stack).await;
    // A creation that fails leaves nothing behind. Files and records survive the deletion of their stack.
    let failed = stack.command(json!({ "do": "fail_to_create" })).await;
    assert_eq!(failed, json!({ "status": "ROLLBACK_COMPLETE", "left": [] }));
    let deleted = stack.command(json!({ "do": "delete" })).await;
    assert_eq!(deleted, json!({ "status": "DELETE_COMPLETE", "left": ["Table", "UploadBucket"] }));
    roles::compare(&stack.command(json!({ "do": "calls" })).await);
}
