//! `airlock doctor --bucket` finds every version that its caller can read without a clean verdict, and passes
//! no policy that it cannot read.

use std::process::{Command, Output};

use aws_sdk_s3::primitives::ByteStream;
use serde_json::Value;

use crate::support::process::binary;
use crate::support::{Service, wait};

const RULES: [(&str, &str); 2] = [("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "=local")];

fn airlock(service: &Service, arguments: &[&str]) -> Output {
    let keys = service.keys();
    let mut command = Command::new(binary());
    command.args(["--output", "json"]).args(arguments).env("AWS_REGION", "us-east-1");
    command.env("AWS_ENDPOINT_URL_S3", &service.local.report().s3_url);
    command.env("AWS_ACCESS_KEY_ID", keys.access_key_id);
    command.env("AWS_SECRET_ACCESS_KEY", keys.secret_access_key);
    tokio::task::block_in_place(|| command.output().unwrap())
}

/// The state and the text of the finding about `what`.
fn found(output: &Output, what: &str) -> (String, String) {
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let finding = findings.iter().find(|finding| finding["what"] == what);
    let finding = finding.unwrap_or_else(|| panic!("no `{what}`: {findings:#?}"));
    (finding["state"].as_str().unwrap().to_owned(), finding["finding"].as_str().unwrap().to_owned())
}

async fn put(service: &Service, key: &str, bytes: &[u8]) {
    let body = ByteStream::from(bytes.to_vec());
    service.raw_s3().put_object().bucket("airlock").key(key).body(body).send().await.unwrap();
}

/// The storage of one machine has no policies, so its keys read everything.
#[tokio::test(flavor = "multi_thread")]
async fn versions_that_can_be_read_without_a_clean_verdict_are_found() {
    let service = Service::start_with(&RULES, |_| {}).await;
    put(&service, "in/clean", b"judged").await;
    wait::until_found("the clean version's tag", async || {
        let output = airlock(&service, &["doctor", "--bucket", "airlock/in/", "--all"]);
        let versions = found(&output, "versions");
        let expected = "all 1 examined, 1 tagged clean; you can read no others";
        if versions == ("ok".to_owned(), expected.to_owned()) { Ok(()) } else { Err(versions) }
    })
    .await;
    for bytes in [&b"no verdict"[..], b"nor here"] {
        put(&service, "elsewhere/unjudged", bytes).await;
    }
    let output = airlock(&service, &["doctor", "--bucket", "s3://airlock", "--all"]);
    assert_eq!(found(&output, "versioning").0, "ok");
    let (state, finding) = found(&output, "versions");
    assert_eq!(state, "FAIL");
    assert!(finding.starts_with("all 3 examined, 1 tagged clean; you can read 2"), "each version: {finding}");
    assert!(finding.contains("elsewhere/unjudged"), "{finding}");
    // A policy that cannot be read is no gate.
    assert_eq!(found(&output, "policy").0, "FAIL");
    assert_eq!(output.status.code(), Some(1));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_so() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let output = airlock(&service, &["doctor", "--bucket", "s3://another"]);
    assert_eq!(found(&output, "bucket").0, "FAIL");
    assert_eq!(output.status.code(), Some(1));
    service.stop().await;
}
