//! The verdict belongs to the bytes: a later version under the same key is never served, changes no verdict,
//! and is removed.

use std::time::Duration;

use domain::id::{FileId, ObjectKey};
use serde_json::json;

use crate::support::{Service, eicar, wait};

async fn current_version(service: &Service, file_id: &str) -> Option<String> {
    let key = ObjectKey::Issued(FileId::parse(file_id).unwrap());
    let version = service.local.stores().objects.current_version(&key).await.unwrap();
    version.map(|version| version.version_id.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_form_after_clean_is_never_served() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "method": "post" })).await;
    let clean = b"the bytes that were judged";
    assert_eq!(service.post_form(&accepted, clean).await.status(), 201);
    service.ends_as(&accepted.file_id, "clean").await;
    let (link, judged) =
        (service.link(&accepted.file_id).await, current_version(&service, &accepted.file_id).await);

    assert_eq!(
        service.post_form(&accepted, &eicar()).await.status(),
        201,
        "a POST policy cannot forbid a replay"
    );
    for _ in 0..20 {
        let served = service.download(&link).await;
        assert_eq!(served.bytes().await.unwrap().as_ref(), clean);
        wait::linger(Duration::from_millis(50)).await;
    }
    service.ends_as(&accepted.file_id, "clean").await;
    wait::until("the later version to be removed", async || {
        current_version(&service, &accepted.file_id).await == judged
    })
    .await;
    assert_eq!(service.download(&link).await.bytes().await.unwrap().as_ref(), clean);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_after_a_deletion_are_removed_and_restore_nothing() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "size": 4 })).await;
    assert_eq!(service.put(&accepted, b"abcd").await.status(), 200);
    service.ends_as(&accepted.file_id, "clean").await;
    let link = service.link(&accepted.file_id).await;
    let path = format!("/files/{}", accepted.file_id);
    assert_eq!(service.request(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 204);
    assert_eq!(
        service.request(reqwest::Method::DELETE, &path).send().await.unwrap().status(),
        204,
        "deletion is idempotent"
    );
    assert_eq!(current_version(&service, &accepted.file_id).await, None, "the bytes are gone");
    let (status, problem) = service.get(&link).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (410, Some("file_gone")));

    // The presigned PUT is still valid, and no object has the key.
    assert_eq!(service.put(&accepted, b"abcd").await.status(), 200);
    wait::until("bytes under a deleted file's key to be removed", async || {
        current_version(&service, &accepted.file_id).await.is_none()
    })
    .await;
    let (_, info) = service.get(&path).await;
    assert_eq!(info["scan_status"], "deleted");
    let (_, listing) = service.get("/files").await;
    assert_eq!(listing["files"].as_array().unwrap().len(), 0, "deleted files are not listed");
    service.stop().await;
}
