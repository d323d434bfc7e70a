//! `POST /scan/s3` answers operators alone, about buckets that are named alone, with the verdict on the
//! version that it names, and changes nothing there.

use reqwest::Method;
use serde_json::{Value, json};

use crate::content_encoding::zlib;
use crate::identity::{ENV, admin_token, user_token};
use crate::support::{Service, answer, client, eicar, sha256};

/// The stand-in has this bucket alone; its objects outside Airlock's prefixes are as foreign as others.
const BUCKET: &str = "airlock";

async fn put(service: &Service, key: &str, bytes: &[u8], encoding: Option<&str>) -> String {
    let request = service.raw_s3().put_object().bucket(BUCKET).key(key).body(bytes.to_vec().into());
    let stored = request.set_content_encoding(encoding.map(ToOwned::to_owned)).send().await.unwrap();
    stored.version_id.unwrap()
}

async fn scan(service: &Service, body: &Value) -> (u16, Value) {
    let (status, answer) = service.post("/scan/s3", body).await;
    (status.as_u16(), answer)
}

async fn service(env: &[(&str, &str)]) -> Service {
    let env = [&ENV[..], env].concat();
    let service = Service::start_with(&env, |settings| settings.auth = local::Auth::Jwt).await;
    service.with_token(admin_token("root"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_is_about_the_version_that_it_names() {
    let service = service(&[("READ_BUCKETS", BUCKET)]).await;
    let (key, good) = ("team/räport 1.txt", b"good".to_vec());
    let bad_version = put(&service, key, &eicar(), None).await;
    let good_version = put(&service, key, &good, None).await;
    for (version_id, bytes, version, expected) in [
        (None, &good, &good_version, "clean"),
        (Some(&bad_version), &eicar(), &bad_version, "infected"),
        (Some(&good_version), &good, &good_version, "clean"),
    ] {
        let mut body = json!({ "bucket": BUCKET, "key": key });
        if let Some(version_id) = version_id {
            body["version_id"] = json!(version_id);
        }
        let (status, verdict) = scan(&service, &body).await;
        assert_eq!((status, &verdict["scan_status"]), (200, &json!(expected)), "{verdict}");
        assert_eq!(verdict["scan_result"]["sha256"], sha256(bytes), "{verdict}");
        let object = &verdict["s3_object"];
        assert_eq!((&object["key"], &object["version_id"]), (&json!(key), &json!(version)), "{verdict}");
    }
    put(&service, "team/encoded", &zlib(&eicar()), Some("deflate")).await;
    let (status, verdict) = scan(&service, &json!({ "bucket": BUCKET, "key": "team/encoded" })).await;
    assert_eq!((status, &verdict["scan_status"]), (200, &json!("unscannable")), "{verdict}");
    assert_eq!(verdict["scan_result"]["reason"], "content_encoding", "{verdict}");
    let left = service.raw_s3().list_object_versions().bucket(BUCKET).send().await.unwrap();
    let keys: Vec<_> = left.versions().iter().filter_map(|version| version.key()).collect();
    assert_eq!(keys, ["team/encoded", key, key], "nothing is added, and nothing is removed");
    let tags = service.raw_s3().get_object_tagging().bucket(BUCKET).key(key).send().await.unwrap();
    assert!(tags.tag_set().is_empty(), "{tags:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_object_is_read_and_no_other_caller_is_answered() {
    let service = service(&[("READ_BUCKETS", "airlock,elsewhere"), ("MAX_FILE_SIZE", "1000")]).await;
    let version = put(&service, "team/a", b"good", None).await;
    put(&service, "team/large", &[b'x'; 1001], None).await;
    let of = |bucket: &str, key: &str| json!({ "bucket": bucket, "key": key });
    for (body, status, code) in [
        (of("private", "team/a"), 403, "bucket_not_allowed"),
        (of("Airlock", "team/a"), 403, "bucket_not_allowed"),
        (of("elsewhere", "team/a"), 404, "object_not_found"),
        (of("airlock", "team/b"), 404, "object_not_found"),
        (json!({ "bucket": BUCKET, "key": "team/b", "version_id": version }), 404, "object_not_found"),
        (json!({ "bucket": BUCKET, "key": "team/a", "version_id": "no version" }), 404, "object_not_found"),
        (of("airlock", ""), 422, "invalid_body"),
        (of("airlock", "team/large"), 413, "file_too_large"),
        (json!({ "bucket": BUCKET }), 422, "invalid_body"),
    ] {
        let (found, problem) = scan(&service, &body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{body}: {problem}");
    }
    for (token, status) in [(Some(user_token("alice")), 403), (None, 401)] {
        let request = client().request(Method::POST, service.url("/scan/s3")).json(&of("airlock", "team/a"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        assert_eq!(answer(request.send().await.unwrap()).await.0, status);
    }
    service.stop().await;
}
