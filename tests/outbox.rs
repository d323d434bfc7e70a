//! Every event is delivered at least once and under one id, even if its sender dies at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws::{Endpoints, EventTask, Ledger, Sdk, Stores};
use aws_lambda_events::event::sqs::SqsEvent;
use axum::Router;
use domain::machine::MachinePolicy;
use reqwest::Method;
use serde_json::json;
use standin::InProcess;

use crate::support::fault_proxy::{Cut, line};
use crate::support::receiver::Receiver;
use crate::support::{Service, eicar};
use crate::webhooks::SECRET;

/// The time for one batch: more than a busy machine needs.
const TIME_LEFT: Duration = Duration::from_hours(1);

/// A notify function for this test, beside a service whose own one has no workers.
async fn notify_through(service: &Service, ledger: Router, receiver: &Receiver) -> notify::NotifyContext {
    let endpoints = Endpoints { s3: Some(service.local.report().s3_url.clone()), s3_public: None };
    let sdk = Sdk::at(&endpoints, &service.keys(), "us-east-1").await;
    let own = service.local.stores();
    let ledger = Ledger::new(sdk.dynamodb_over(InProcess::new(ledger)), "airlock".to_owned());
    notify::NotifyContext {
        stores: Stores { ledger, ..own.clone() },
        machine: MachinePolicy { publishes: true, ..MachinePolicy::default() },
        bucket: "airlock".to_owned(),
        profile: settings::EventProfile::Airlock,
        bus: None,
        webhooks: notify::Webhooks::new(&[&receiver.url()], &[SECRET], &[&receiver.address]).unwrap(),
    }
}

fn task(task: &EventTask) -> SqsEvent {
    let body = serde_json::to_string(task).unwrap();
    let record = json!({ "messageId": "m", "receiptHandle": "m", "body": body, "attributes": {},
        "messageAttributes": {}, "eventSource": "aws:sqs" });
    serde_json::from_value(json!({ "Records": [record] })).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn event_delivery_survives_a_crash_at_any_request() {
    // The service has an endpoint for events, so that its outboxes fill; its own notify function has no
    // workers.
    let silent = Receiver::start().await;
    let (url, address) = (silent.url(), silent.address.clone());
    let env =
        [("WEBHOOK_URLS", url.as_str()), ("WEBHOOK_SECRET", SECRET), ("WEBHOOK_PRIVATE_HOSTS", &address)];
    let service = Service::start_with(&env, |settings| settings.tuning.n_publishers = 0).await;
    let mut n_deaths = 0;
    for cut in [Cut::Before, Cut::After] {
        for n_whole in 0.. {
            let receiver = Receiver::start().await;
            let file_id = service.upload("a.txt", &eicar()).await;
            service.ends_as(&file_id, "infected").await;
            let deleted = service.request(Method::DELETE, &format!("/files/{file_id}")).send().await.unwrap();
            assert_eq!(deleted.status(), 204);
            let publish = EventTask::Publish(domain::id::FileId::parse(&file_id).unwrap());
            let dying = line(service.local.dynamodb().router(), n_whole, cut);
            let first = notify_through(&service, dying, &receiver).await;
            let failed =
                !notify::handle(&first, task(&publish), TIME_LEFT).await.batch_item_failures.is_empty();
            n_deaths += usize::from(failed);
            // Another function continues, as it does after the next delivery of the queue or a message of the
            // sweep.
            let whole = notify_through(&service, service.local.dynamodb().router(), &receiver).await;
            let outcome = notify::handle(&whole, task(&publish), TIME_LEFT).await;
            assert!(outcome.batch_item_failures.is_empty());
            // Deliveries that were stored and not sent are due: the sweep would request them within five
            // minutes, and again if that fails.
            for _ in 0..5 {
                let later = aws::clock::now() + Duration::from_hours(1);
                for delivery in whole.stores.ledger.due_deliveries(later, 100).await.unwrap() {
                    let key = Ledger::delivery_key(delivery.event, &delivery.endpoint);
                    notify::handle(&whole, task(&EventTask::Deliver(key)), TIME_LEFT).await;
                }
            }
            let told = receiver.received();
            let mut by_id: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for one in &told {
                by_id.entry(one.id.clone()).or_default().insert(one.body.clone());
            }
            let expected: Vec<String> = (1..=3).map(|seq| format!("evt_{file_id}_{seq}")).collect();
            assert_eq!(
                by_id.keys().cloned().collect::<Vec<_>>(),
                expected,
                "{cut:?} at {n_whole}: {told:#?}"
            );
            assert!(by_id.values().all(|bodies| bodies.len() == 1), "one event, one body: {told:#?}");
            let record =
                whole.stores.ledger.load(domain::id::FileId::parse(&file_id).unwrap()).await.unwrap();
            assert!(!record.unwrap().history.has_outbox(), "{cut:?} at {n_whole}");
            if !failed {
                break;
            }
        }
    }
    assert!(n_deaths >= 10, "only {n_deaths} deaths");
    assert!(silent.received().is_empty(), "the service's own notify function was to send nothing");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_recovers_a_lost_message() {
    let receiver = Receiver::start().await;
    let url = receiver.url();
    let env = [
        ("WEBHOOK_URLS", url.as_str()),
        ("WEBHOOK_SECRET", SECRET),
        ("WEBHOOK_PRIVATE_HOSTS", &receiver.address),
    ];
    // Meanwhile no worker delivers events and the messages are lost; the next service finds the outboxes by
    // their due times.
    let service = Service::start_with(&env, |settings| settings.tuning.n_publishers = 0).await;
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let directory = service.stop_and_keep().await;
    std::fs::remove_file(directory.path().join("events.db")).unwrap();
    let service = Service::start_in(directory, &env, |_| {}).await;
    let told = receiver.wait_for("both events", |received| received.len() >= 2).await;
    assert!(told.iter().all(|one| one.file_id() == file_id), "{told:#?}");
    service.stop().await;
}
