//! Webhooks are delivered, signed as Standard Webhooks says, retried until they succeed, and never sent to an
//! address that an outsider could not reach.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::receiver::{Received, Receiver};
use crate::support::{Service, answer, eicar, python, wait};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAirlockTests";

async fn service(receivers: &[&Receiver]) -> Service {
    let urls = receivers.iter().map(|receiver| receiver.url()).collect::<Vec<_>>().join(" ");
    let hosts = receivers.iter().map(|receiver| receiver.address.as_str()).collect::<Vec<_>>().join(" ");
    let env =
        [("WEBHOOK_URLS", urls.as_str()), ("WEBHOOK_SECRET", SECRET), ("WEBHOOK_PRIVATE_HOSTS", &hosts)];
    Service::start_with(&env, |_| {}).await
}

fn kinds(received: &[Received], file_id: &str) -> Vec<String> {
    received.iter().filter(|one| one.file_id() == file_id).map(Received::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_delivered_and_its_signature_verifies() {
    let receiver = Receiver::start().await;
    let service = service(&[&receiver]).await;
    let (good, bad) = (service.upload("a.txt", b"good").await, service.upload("b.txt", &eicar()).await);
    service.ends_as(&good, "clean").await;
    service.ends_as(&bad, "infected").await;
    let deleted = service.request(Method::DELETE, &format!("/files/{good}")).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    let told = receiver.wait_for("five events", |received| received.len() >= 5).await;
    let mut of_good = kinds(&told, &good);
    of_good.sort();
    assert_eq!(of_good, ["file.deleted", "file.scan.completed", "file.scan.started"]);
    let completed = told.iter().find(|one| one.kind() == "file.scan.completed" && one.file_id() == bad);
    let data = &completed.unwrap().json()["data"];
    assert_eq!(data["scanStatus"], "COMPLETED");
    assert_eq!(data["resourceType"], "S3_OBJECT");
    assert_eq!(data["s3ObjectDetails"]["objectKey"], format!("uploads/{bad}"));
    assert!(data["s3ObjectDetails"]["versionId"].is_string(), "{data}");
    assert_eq!(data["scanResultDetails"]["scanResultStatus"], "THREATS_FOUND");
    assert!(data["scanResultDetails"]["threats"][0]["name"].as_str().unwrap().contains("Eicar"), "{data}");
    assert_eq!(data["airlock"]["eventId"], completed.unwrap().id);
    verify(&told);
    service.stop().await;
}

/// Verifies the signature with the library that receivers use, which must refuse a changed body.
fn verify(received: &[Received]) {
    let requests: Vec<Value> = received.iter().map(Received::as_request).collect();
    let script = "
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
webhook = Webhook(given['secret'])
for request in given['requests']:
    webhook.verify(request['body'], request['headers'])
    for tampered in (request['body'] + ' ', request['body'].replace('file.', 'fire.')):
        try:
            webhook.verify(tampered, request['headers'])
        except WebhookVerificationError:
            continue
        sys.exit('a tampered body was accepted')
print(len(given['requests']))
";
    let verified = python(script, &json!({ "secret": SECRET, "requests": requests }));
    assert_eq!(verified.trim(), received.len().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_retried_with_the_same_id_and_body() {
    let receiver = Receiver::start().await;
    receiver.answer_next(&[500, 302, 503]);
    let service = service(&[&receiver]).await;
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let told = receiver
        .wait_for("both events twice", |received| {
            let ids: std::collections::BTreeSet<&str> = received.iter().map(|one| one.id.as_str()).collect();
            ids.len() == 2 && received.len() >= 4
        })
        .await;
    for one in &told {
        let same: Vec<&Received> = told.iter().filter(|other| other.id == one.id).collect();
        assert!(same.iter().all(|other| other.body == one.body), "{same:#?}");
    }
    verify(&told);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_410_disables_the_endpoint_until_an_operator_enables_and_replays() {
    let (receiver, other) = (Receiver::start().await, Receiver::start().await);
    receiver.answer_next(&[410]);
    let service = service(&[&receiver, &other]).await;
    for n in 0..3 {
        let file_id = service.upload(&format!("{n}.txt"), &[n + 1]).await;
        service.ends_as(&file_id, "clean").await;
    }
    other.wait_for("all events at the other one", |received| received.len() == 6).await;
    let disabled = wait::until_found("the endpoint that answered 410 to be disabled", async || {
        let (_, list) = service.get("/webhooks").await;
        let all = list["webhooks"].as_array().unwrap();
        let disabled: Vec<&Value> = all.iter().filter(|webhook| webhook["disabled_at"].is_string()).collect();
        if let [disabled] = disabled[..] { Ok(disabled.clone()) } else { Err(list) }
    })
    .await;
    wait::linger(Duration::from_millis(500)).await;
    // Deliveries that were concurrent with the first may have arrived after it.
    let n_before = receiver.received().len();
    assert!(n_before < 6, "{n_before}");
    let id = disabled["id"].as_str().unwrap();
    let enabled = service.request(Method::POST, &format!("/webhooks/{id}/enable")).send().await.unwrap();
    assert_eq!(enabled.status(), 204);
    let replay = json!({ "since": "2020-01-01T00:00:00Z", "endpoint": id });
    let (status, replayed) = service.post("/webhooks/replay", &replay).await;
    assert_eq!((status.as_u16(), &replayed["deliveries"]), (200, &json!(6)), "{replayed}");
    let told = receiver
        .wait_for("every event in the end", |received| {
            let ids: std::collections::BTreeSet<&str> = received.iter().map(|one| one.id.as_str()).collect();
            ids.len() == 6
        })
        .await;
    let ids = |received: &[Received]| {
        received.iter().map(|one| one.id.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(ids(&told), ids(&other.received()), "an event has one id for all endpoints");
    assert_eq!(other.received().len(), 6, "the other endpoint gets no duplicate");
    for (body, code) in [
        (json!({ "since": "yesterday" }), "invalid_body"),
        (json!({ "since": "2020-01-01T00:00:00Z", "endpoint": "x" }), "invalid_body"),
    ] {
        let (_, problem) = service.post("/webhooks/replay", &body).await;
        assert_eq!(problem["code"], code);
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_address_must_be_allowed_by_the_operator() {
    let receiver = Receiver::start().await;
    let directory = tempfile::tempdir().unwrap();
    let settings = crate::support::settings(directory.path());
    let url = receiver.url();
    let env = settings::Environment::from_pairs(&[("WEBHOOK_URLS", &url), ("WEBHOOK_SECRET", SECRET)]);
    let refused = local::Local::start(settings.clone(), &env).await.unwrap_err();
    assert!(refused.to_string().contains("is not `https` on port 443"), "{refused}");
    let env = settings::Environment::from_pairs(&[
        ("WEBHOOK_URLS", "https://hooks.example/"),
        ("WEBHOOK_SECRET", "short"),
    ]);
    let refused = local::Local::start(settings, &env).await.unwrap_err();
    assert!(refused.to_string().contains("WEBHOOK_SECRET"), "{refused}");
    assert!(receiver.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_resolves_to_a_private_address_gets_no_request() {
    // `localhost` resolves to a private address, like the second response of a rebinding name server.
    let env = [("WEBHOOK_URLS", "https://localhost/hook"), ("WEBHOOK_SECRET", SECRET)];
    let service = Service::start_with(&env, |_| {}).await;
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let last_failure = wait::until_found("a failure", async || {
        let (_, list) = service.get("/webhooks").await;
        list["webhooks"][0]["last_failure"].as_str().map(ToOwned::to_owned).ok_or(list)
    })
    .await;
    assert!(last_failure.contains("no public address"), "{last_failure}");
    let (status, _) = answer(service.request(Method::GET, "/webhooks").send().await.unwrap()).await;
    assert_eq!(status, 200);
    service.stop().await;
}
