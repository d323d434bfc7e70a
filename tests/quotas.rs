//! An owner's quotas are exact, also for concurrent requests, and a file that ends gives its share back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::identity::{ENV, user_token};
use crate::support::{Service, answer, client};

async fn service(quotas: &[(&str, &str)]) -> Service {
    let env = [&ENV[..], quotas].concat();
    let service = Service::start_with(&env, |settings| settings.auth = local::Auth::Jwt).await;
    service.with_token(user_token("alice"))
}

/// Sends `n` requests for uploads concurrently. Returns how many were accepted, and one refusal.
async fn announce_concurrently(
    service: &Service,
    n: usize,
    body: &Value,
) -> (usize, Option<reqwest::Response>) {
    let requests = (0..n).map(|_| service.request(Method::POST, "/files").json(body).send());
    let answers = futures_util::future::join_all(requests).await;
    let (mut n_accepted, mut refused) = (0, None);
    for answer in answers {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            201 => n_accepted += 1,
            429 => refused = Some(answer),
            other => panic!("{other}: {}", answer.text().await.unwrap()),
        }
    }
    (n_accepted, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_announcements_never_exceed_the_quota() {
    let service = service(&[("QUOTA_PENDING_UPLOADS", "10")]).await;
    let body = json!({ "filename": "a.txt", "size": 10 });
    let (n_accepted, refused) = announce_concurrently(&service, 100, &body).await;
    assert_eq!(n_accepted, 10);
    let refused = refused.unwrap();
    let header = |name: &str| refused.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("retry-after"), "60");
    assert_eq!(header("ratelimit-policy"), "\"pending-uploads\";q=10");
    assert_eq!(header("ratelimit"), "\"pending-uploads\";r=0;t=60");
    let problem: Value = refused.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["reason"]), (&json!("quota_exceeded"), &json!("pending-uploads")));
    // Each user has a separate quota.
    let other = client().post(service.url("/files")).bearer_auth(user_token("bob")).json(&body).send().await;
    assert_eq!(other.unwrap().status(), 201);
    // Deleting one file makes room for one.
    let (_, list) = service.get("/files?limit=1").await;
    let file_id = list["files"][0]["file_id"].as_str().unwrap();
    assert_eq!(
        service.request(Method::DELETE, &format!("/files/{file_id}")).send().await.unwrap().status(),
        204
    );
    assert_eq!(announce_concurrently(&service, 20, &body).await.0, 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_reserved_as_declared_and_counted_as_stored() {
    let service = service(&[("QUOTA_BYTES", "1000"), ("QUOTA_FILES", "50"), ("MAX_FILE_SIZE", "600")]).await;
    let of = |size: u64| json!({ "filename": "a.txt", "size": size });
    assert_eq!(announce_concurrently(&service, 30, &of(300)).await.0, 3);
    let (n_accepted, refused) = announce_concurrently(&service, 1, &of(101)).await;
    assert_eq!(n_accepted, 0);
    assert_eq!(refused.unwrap().json::<Value>().await.unwrap()["reason"], "bytes");
    assert_eq!(announce_concurrently(&service, 1, &of(100)).await.0, 1);
    let (_, list) = service.get("/files").await;
    for file in list["files"].as_array().unwrap() {
        let path = format!("/files/{}", file["file_id"].as_str().unwrap());
        service.request(Method::DELETE, &path).send().await.unwrap();
    }
    // Without a declared size, the largest permitted size is reserved, and the difference is given back after
    // the upload.
    let unsized_body = json!({ "filename": "a.txt", "method": "post" });
    let accepted = service.create_upload(&unsized_body).await;
    assert_eq!(announce_concurrently(&service, 5, &of(401)).await.0, 0);
    assert_eq!(service.post_form(&accepted, b"ten bytes!").await.status(), 201);
    service.ends_as(&accepted.file_id, "clean").await;
    assert_eq!(announce_concurrently(&service, 5, &of(495)).await.0, 2);
    // `POST /upload` counts too.
    let (status, problem) = service.form("a.txt", b"x").await;
    assert_eq!((status.as_u16(), &problem["code"]), (429, &json!("quota_exceeded")), "{problem}");
    let usage =
        service.local.stores().ledger.usage(&domain::id::OwnerId::parse("alice").unwrap()).await.unwrap();
    assert_eq!((usage.pending, usage.objects, usage.bytes), (2, 3, 1000));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scan_time_is_counted_by_the_day() {
    let service = service(&[("QUOTA_SCAN_SECONDS_PER_DAY", "1")]).await;
    let owner = domain::id::OwnerId::parse("alice").unwrap();
    let file_id = service.upload("a.txt", &vec![b'x'; 2_000_000]).await;
    service.ends_as(&file_id, "clean").await;
    let ledger = &service.local.stores().ledger;
    let scanned = ledger.scanned_today(&owner, aws::clock::now()).await.unwrap();
    assert!(!scanned.is_zero(), "{scanned:?}");
    let mut refused = None;
    for n in 0..400u32 {
        let bytes = [n.to_be_bytes().to_vec(), vec![b'x'; 8_000_000]].concat();
        let body = json!({ "filename": "a.txt", "size": bytes.len() });
        let (status, answer) =
            answer(service.request(Method::POST, "/files").json(&body).send().await.unwrap()).await;
        if status == 429 {
            refused = Some(answer);
            break;
        }
        let accepted = crate::support::Accepted {
            file_id: answer["file_id"].as_str().unwrap().to_owned(),
            upload: answer["upload"].clone(),
        };
        assert_eq!(service.put(&accepted, &bytes).await.status(), 200);
        service.ends_as(&accepted.file_id, "clean").await;
    }
    assert_eq!(refused.unwrap()["reason"], "scan-seconds");
    let (status, problem) = service.post(&format!("/files/{file_id}/rescan"), &json!({})).await;
    assert_eq!((status.as_u16(), &problem["reason"]), (429, &json!("scan-seconds")), "{problem}");
    assert!(ledger.scanned_today(&owner, aws::clock::now()).await.unwrap().as_secs() >= 1);
    service.stop().await;
}
