//! `STORAGE_TYPE=s3`: objects in a bucket whose events do not reach this machine. The bucket here is another
//! service's storage, behind the same protocol.

use crate::content_encoding::zlib;
use crate::support::process::{Process, free_ports};
use crate::support::{Service, client, eicar, wait};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn files_in_another_bucket_are_found_judged_and_served() {
    let storage = tempfile::tempdir().unwrap();
    let owner = {
        let data_dir = storage.path().join("owner");
        Service::start_with(&[], move |settings| settings.data_dir = data_dir).await
    };
    let secrets: Value =
        serde_json::from_str(&std::fs::read_to_string(storage.path().join("owner/secrets.json")).unwrap())
            .unwrap();
    let env = [
        ("STORAGE_TYPE", "s3"),
        ("S3_BUCKET_NAME", "airlock"),
        ("AWS_REGION", "us-east-1"),
        ("S3_URL", owner.local.report().s3_url.as_str()),
        ("AWS_ENDPOINT_URL_S3", owner.local.report().s3_url.as_str()),
        ("AWS_ACCESS_KEY_ID", secrets["access_key_id"].as_str().unwrap()),
        ("AWS_SECRET_ACCESS_KEY", secrets["secret_access_key"].as_str().unwrap()),
    ];
    let process = Process::start(&storage.path().join("renter"), free_ports(), &env).await;
    let http = client();
    let page = http.get(&process.url).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    let bucket = &owner.local.report().s3_url;
    assert!(policy.contains(&format!("connect-src 'self' {bucket};")), "the page may upload: {policy}");
    for (bytes, encoding, expected) in [
        (b"clean".to_vec(), "identity", "clean"),
        (eicar(), "identity", "infected"),
        (zlib(&eicar()), "deflate", "unscannable"),
    ] {
        let body = json!({ "filename": "a.txt", "size": bytes.len() });
        let accepted: Value = http
            .post(format!("{}/files", process.url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let put = http.put(accepted["upload"]["url"].as_str().unwrap());
        let mut put = put.header("content-encoding", encoding);
        for name in ["content-type", "if-none-match"] {
            put = put.header(name, accepted["upload"]["headers"][name].as_str().unwrap());
        }
        assert_eq!(put.body(bytes.clone()).send().await.unwrap().status(), 200);
        let url = format!("{}/files/{}/status", process.url, accepted["file_id"].as_str().unwrap());
        let status = wait::until_found("the verdict", async || {
            let answer: Value =
                http.get(&url).header("prefer", "wait=10").send().await.unwrap().json().await.unwrap();
            let status = answer["file_info"]["scan_status"].clone();
            if ["pending", "scanning"].iter().any(|on| status == *on) { Err(answer) } else { Ok(status) }
        })
        .await;
        assert_eq!(status, expected);
    }
    process.kill_9().await;
    owner.stop().await;
}
