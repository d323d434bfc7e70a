//! Infected bytes are kept, deleted or moved, as the policy says, and tags name the verdict in the chosen
//! profile's words.

use std::time::Duration;

use serde_json::json;

use crate::support::{Service, eicar, sha256, wait};

/// How many versions there are under a prefix.
async fn n_versions(service: &Service, prefix: &str) -> usize {
    let listed =
        service.raw_s3().list_object_versions().bucket("airlock").prefix(prefix).send().await.unwrap();
    listed.versions().len()
}

async fn wait_for_versions(service: &Service, prefix: &str, n: usize) {
    wait::until_found(&format!("{n} versions under {prefix}"), async || {
        let found = n_versions(service, prefix).await;
        if found == n { Ok(()) } else { Err(found) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_is_carried_out_on_infected_bytes_only() {
    for (policy, n_left, n_moved) in [("keep", 1, 0), ("delete", 0, 0), ("move", 0, 1)] {
        let service = Service::start_with(&[("QUARANTINE", policy)], |_| {}).await;
        let (good, bad) = (service.upload("a.txt", b"good").await, service.upload("b.txt", &eicar()).await);
        service.ends_as(&good, "clean").await;
        service.ends_as(&bad, "infected").await;
        wait_for_versions(&service, &format!("uploads/{bad}"), n_left).await;
        wait_for_versions(&service, &format!("quarantine/{bad}"), n_moved).await;
        wait::linger(Duration::from_millis(700)).await;
        assert_eq!(n_versions(&service, &format!("uploads/{good}")).await, 1);
        service.ends_as(&bad, "infected").await;
        let body = json!({ "sha256": sha256(&eicar()), "reason": "a test" });
        let (status, problem) = service.post(&format!("/files/{bad}/release"), &body).await;
        let expected = if policy == "keep" { 200 } else { 410 };
        assert_eq!(status.as_u16(), expected, "{policy}: {problem}");
        // Deleting the file removes the remaining copies.
        let path = format!("/files/{bad}");
        service.request(reqwest::Method::DELETE, &path).send().await.unwrap();
        wait_for_versions(&service, &format!("uploads/{bad}"), 0).await;
        wait_for_versions(&service, &format!("quarantine/{bad}"), 0).await;
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_use_the_chosen_profile() {
    for (profile, key, clean, infected) in [
        ("scan-status", "scan-status", "CLEAN", "INFECTED"),
        ("guardduty", "GuardDutyMalwareScanStatus", "NO_THREATS_FOUND", "THREATS_FOUND"),
        ("plain", "airlock-status", "clean", "infected"),
    ] {
        let service = Service::start_with(&[("TAG_PROFILE", profile)], |_| {}).await;
        let (good, bad) = (service.upload("a.txt", b"good").await, service.upload("b.txt", &eicar()).await);
        service.ends_as(&good, "clean").await;
        service.ends_as(&bad, "infected").await;
        for (file_id, value) in [(good, clean), (bad, infected)] {
            let object = format!("uploads/{file_id}");
            let tags = async || {
                let asked = service.raw_s3().get_object_tagging().bucket("airlock").key(&object).send().await;
                asked
                    .unwrap()
                    .tag_set()
                    .iter()
                    .map(|tag| (tag.key().to_owned(), tag.value().to_owned()))
                    .collect::<Vec<_>>()
            };
            // The tag is written just after the verdict.
            wait::until("a tag", async || !tags().await.is_empty()).await;
            assert_eq!(tags().await, [(key.to_owned(), value.to_owned())]);
        }
        service.stop().await;
    }
}
