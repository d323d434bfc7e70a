//! An operator's release can be revoked: every file with these bytes, of any owner, becomes infected again,
//! and its links stop working immediately.

use domain::id::Sha256;
use reqwest::Method;
use serde_json::{Value, json};

use crate::command_line::run;
use crate::support::{Service, answer, eicar, sha256, wait};

async fn release(service: &Service, file_id: &str, reason: &str) {
    let body = json!({ "sha256": sha256(&eicar()), "reason": reason });
    let (status, released) = service.post(&format!("/files/{file_id}/release"), &body).await;
    assert_eq!((status.as_u16(), &released["scan_status"]), (200, &json!("released")), "{released}");
}

async fn releases(service: &Service) -> Vec<Value> {
    let (status, list) = service.get("/releases").await;
    assert_eq!(status, 200, "{list}");
    list["releases"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_release_makes_all_its_files_infected_again() {
    let service = Service::start().await;
    let digest = sha256(&eicar());
    let path = format!("/releases/{digest}/revoke");
    let because = json!({ "reason": "the vendor was wrong" });
    let (status, problem) = service.post(&path, &because).await;
    assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("release_not_found")), "{problem}");

    let first = service.upload("first.txt", &eicar()).await;
    service.ends_as(&first, "infected").await;
    release(&service, &first, "confirmed by the vendor").await;
    let second = service.upload("second.txt", &eicar()).await;
    service.ends_as(&second, "released").await;
    let links = [service.link(&first).await, service.link(&second).await];
    assert_eq!(service.download(&links[1]).await.bytes().await.unwrap(), eicar());
    let listed = releases(&service).await;
    assert_eq!((listed.len(), &listed[0]["sha256"]), (1, &json!(digest)));
    assert_eq!(listed[0]["reason"], "confirmed by the vendor");
    assert_eq!((&listed[0]["released_by"], &listed[0]["revoked_at"]), (&json!("local"), &Value::Null));

    for (body, code) in [(json!({ "reason": " " }), "invalid_reason"), (json!({}), "invalid_body")] {
        let (status, problem) = service.post(&path, &body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)), "{problem}");
    }
    let (status, revoked) = service.post(&path, &because).await;
    assert_eq!(status, 200, "{revoked}");
    assert_eq!((&revoked["files_changed"], &revoked["files_remaining"]), (&json!(2), &json!(0)), "{revoked}");
    for (file_id, link) in [&first, &second].into_iter().zip(&links) {
        let (_, info) = service.get(&format!("/files/{file_id}")).await;
        assert_eq!(info["scan_status"], "infected");
        assert_eq!(info["release_revoked_reason"], "the vendor was wrong");
        let (status, problem) = answer(service.request(Method::GET, link).send().await.unwrap()).await;
        assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("infected")), "{problem}");
        let (status, problem) = service.get(&format!("/files/{file_id}/download-link")).await;
        assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("infected")), "{problem}");
    }
    let third = service.upload("third.txt", &eicar()).await;
    service.ends_as(&third, "infected").await;

    // Repeated, it changes nothing and keeps the first reason.
    let (status, again) = service.post(&path, &json!({ "reason": "another" })).await;
    assert_eq!((status.as_u16(), &again["files_changed"]), (200, &json!(0)), "{again}");
    let listed = releases(&service).await;
    assert_eq!(listed[0]["revoke_reason"], "the vendor was wrong", "{listed:?}");
    assert_eq!((listed.len(), &listed[0]["revoked_by"]), (1, &json!("local")));

    // The bytes can be released again; the old links stay revoked.
    release(&service, &first, "right after all").await;
    assert_eq!(releases(&service).await[0]["revoked_at"], Value::Null);
    let (status, problem) = answer(service.request(Method::GET, &links[0]).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), &problem["code"]), (410, &json!("link_revoked")), "{problem}");
    assert_eq!(service.download(&service.link(&first).await).await.status(), 200);
    // A file that is deleted is no longer among those that a revocation changes.
    assert_eq!(
        service.request(Method::DELETE, &format!("/files/{first}")).send().await.unwrap().status(),
        204
    );
    let digest = Sha256::parse(&digest).unwrap();
    wait::until("the file has left the set", async || {
        service.local.stores().ledger.released_files(digest).await.unwrap().is_empty()
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_lists_and_revokes_releases() {
    let service = Service::start().await;
    let file_id = service.upload("tool.txt", &eicar()).await;
    service.ends_as(&file_id, "infected").await;
    release(&service, &file_id, "confirmed by the vendor").await;
    let (digest, directory) = (sha256(&eicar()), tempfile::tempdir().unwrap());
    let run = |args: &[&str]| run(&service, directory.path(), args);
    let listed = run(&["releases"]);
    let shown = String::from_utf8_lossy(&listed.stdout);
    assert!(shown.contains(&digest) && shown.contains("confirmed by the vendor"), "{shown}");
    let unrelease = ["unrelease", &digest, "--reason", "the vendor was wrong"];
    assert_eq!(run(&unrelease).status.code(), Some(0));
    assert_eq!(run(&["status", &file_id]).status.code(), Some(10));
    let listed = run(&["releases", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["releases"][0]["revoke_reason"], "the vendor was wrong", "{listed}");
    let unknown = sha256(b"never released");
    let refused = run(&["unrelease", &unknown, "--reason", "x"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("release_not_found"), "{said}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_are_listed_page_by_page_newest_first() {
    let service = Service::start().await;
    let mut digests = vec![];
    for name in ["one", "two", "three"] {
        let bytes = [eicar(), b" ".repeat(digests.len())].concat();
        let file_id = service.upload(&format!("{name}.txt"), &bytes).await;
        service.ends_as(&file_id, "infected").await;
        let body = json!({ "sha256": sha256(&bytes), "reason": name });
        let (status, released) = service.post(&format!("/files/{file_id}/release"), &body).await;
        assert_eq!(status, 200, "{released}");
        digests.insert(0, sha256(&bytes));
    }
    let (mut found, mut path) = (vec![], "/releases?limit=2".to_owned());
    loop {
        let (status, page) = service.get(&path).await;
        assert_eq!(status, 200, "{page}");
        let releases = page["releases"].as_array().unwrap();
        assert!(releases.len() <= 2);
        found.extend(releases.iter().map(|release| release["sha256"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/releases?limit=2&cursor={cursor}");
    }
    assert_eq!(found, digests);
    for (path, code) in [("/releases?cursor=x", "invalid_cursor"), ("/releases?limit=0", "invalid_query")] {
        let (status, problem) = service.get(path).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!(code)), "{problem}");
    }
    service.stop().await;
}
