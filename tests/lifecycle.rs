//! A file can be followed, listed, renamed, tagged and limited; an upload that never arrives expires; long
//! polls answer in time.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::support::{Service, answer, eicar, text, wait};

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_newest_first_in_pages_and_by_status() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for n in 0..7u8 {
        let bytes = if n == 3 { eicar() } else { vec![n + 1] };
        ids.push(service.upload(&format!("{n}.txt"), &bytes).await);
    }
    for id in &ids {
        service.ended(id).await;
    }
    let (mut listed, mut path) = (Vec::new(), "/files?limit=3".to_owned());
    loop {
        let (_, page) = service.get(&path).await;
        listed.extend(page["files"].as_array().unwrap().iter().map(|file| text(&file["file_id"])));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/files?limit=3&cursor={cursor}");
    }
    ids.reverse();
    assert_eq!(listed, ids);
    let (_, infected) = service.get("/files?status=infected").await;
    assert_eq!(infected["files"].as_array().unwrap().len(), 1, "{infected}");
    assert_eq!(infected["files"][0]["filename"], "3.txt");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_can_rename_tag_and_limit() {
    let service = Service::start().await;
    let file_id = service.upload("a.txt", b"x").await;
    service.ends_as(&file_id, "clean").await;
    let edit = json!({ "filename": "../b.txt", "tags": { "case": "42" }, "max_downloads": 1 });
    let request = service.request(Method::PATCH, &format!("/files/{file_id}")).json(&edit);
    let (status, info) = answer(request.send().await.unwrap()).await;
    assert_eq!(
        (status.as_u16(), &info["filename"], &info["tags"]["case"]),
        (200, &json!("b.txt"), &json!("42"))
    );
    let link = service.link(&file_id).await;
    let served = service.download(&link).await;
    assert!(served.headers()["content-disposition"].to_str().unwrap().contains("b.txt"));
    assert_eq!(service.get(&link).await.1["code"], "download_limit_reached");
    assert_eq!(service.get(&format!("/files/{file_id}")).await.1["download_count"], 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_answers_when_something_changes_and_not_before() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "size": 1 })).await;
    let poll = |seconds: u64| {
        let request = service.request(Method::GET, &format!("/files/{}/status", accepted.file_id));
        let request = request.header("prefer", format!("wait={seconds}"));
        async move { (Instant::now(), request.send().await.unwrap(), Instant::now()) }
    };
    let (began, response, ended) = poll(1).await;
    assert_eq!(response.headers()["preference-applied"], "wait=1");
    assert_eq!(response.json::<serde_json::Value>().await.unwrap()["file_info"]["scan_status"], "pending");
    assert!(ended - began >= Duration::from_millis(950));
    let has_arrived = async |answer: reqwest::Response| {
        let answer = answer.json::<serde_json::Value>().await.unwrap();
        answer["message"] != "Waiting for the file to arrive."
    };
    let ((_, waited, _), stored) = tokio::join!(poll(20), async {
        // A poll that begins after the change returns the same answer.
        tokio::time::sleep(Duration::from_millis(300)).await;
        service.put(&accepted, b"x").await
    });
    assert_eq!(stored.status(), 200);
    if !has_arrived(waited).await {
        // The upload and its event took longer than the longest poll.
        wait::until("the change", async || has_arrived(poll(20).await.1).await).await;
    }
    service.ends_as(&accepted.file_id, "clean").await;
    let judged = service.get(&format!("/files/{}/status", accepted.file_id)).await.1;
    let warning = "Nothing was found with test definitions, which find only test files.";
    assert_eq!(judged["message"], warning, "a verdict of test definitions is not called safe");
    let (status, problem) = service.get("/files/123e4567-e89b-42d3-a456-426614174000/status").await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (404, Some("file_not_found")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_judged_yet_has_no_link_and_what_never_arrives_expires() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt" })).await;
    let path = format!("/files/{}", accepted.file_id);
    let response = service.request(Method::GET, &format!("{path}/download-link")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (409, "2"));
    service.expire_soon(&accepted.file_id).await;
    service.ends_as(&accepted.file_id, "expired").await;
    assert_eq!(service.get(&format!("{path}/download-link")).await.1["code"], "file_gone");
    service.stop().await;
}
