//! A client that follows files gets every event immediately, and after an interruption every event that it
//! missed.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Service, eicar};

/// One server-sent event.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    id: Option<String>,
    pub(crate) data: Value,
}

impl Event {
    pub(crate) fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap()
    }

    pub(crate) fn file_id(&self) -> &str {
        self.data["file_info"]["file_id"].as_str().unwrap_or_default()
    }
}

/// Reads a stream as browsers do.
pub(crate) struct Stream {
    body: futures_util::stream::BoxStream<'static, Vec<u8>>,
    buffer: String,
}

impl Stream {
    async fn open(service: &Service, path: &str, last_event_id: Option<&str>) -> (u16, Self) {
        let mut request = service.request(reqwest::Method::GET, path);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response: Response = request.send().await.unwrap();
        (response.status().as_u16(), Self::of(response))
    }

    pub(crate) fn of(response: Response) -> Self {
        let body = response.bytes_stream().take_while(|chunk| std::future::ready(chunk.is_ok()));
        let body = body.map(|chunk| chunk.unwrap().to_vec()).boxed();
        Self { body, buffer: String::new() }
    }

    /// The next event, or `None` at the end of the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.buffer = rest;
                let field = |name: &str| {
                    let prefix = format!("{name}: ");
                    block.lines().find_map(|line| line.strip_prefix(&prefix).map(ToOwned::to_owned))
                };
                if let Some(data) = field("data") {
                    return Some(Event { id: field("id"), data: serde_json::from_str(&data).unwrap() });
                }
                continue;
            }
            let chunk = self.body.next().await?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Collects events of files until `enough` returns true.
    pub(crate) async fn until(&mut self, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while !enough(&events) {
            let Some(event) = self.next().await else { break };
            if event.kind() != "progress" {
                events.push(event);
            }
        }
        events
    }
}

fn kinds(events: &[Event], file_id: &str) -> Vec<String> {
    events.iter().filter(|event| event.file_id() == file_id).map(|event| event.kind().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_followed_from_its_announcement_to_its_verdict() {
    let service = Service::start().await;
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "size": 4 })).await;
    let path = format!("/files/{}/events", accepted.file_id);
    let (status, mut stream) = Stream::open(&service, &path, None).await;
    assert_eq!(status, 200);
    let first = stream.next().await.unwrap();
    assert_eq!((first.kind(), &first.data["file_info"]["scan_status"]), ("file.updated", &json!("pending")));
    let waiting = stream.next().await.unwrap();
    assert_eq!((waiting.kind(), &waiting.data["phase"]), ("progress", &json!("waiting_for_upload")));
    assert_eq!(service.put(&accepted, b"good").await.status(), 200);
    let events =
        stream.until(|events| events.iter().any(|event| event.kind() == "file.scan.completed")).await;
    assert_eq!(kinds(&events, &accepted.file_id), ["file.scan.started", "file.scan.completed"]);
    let last = events.last().unwrap();
    assert_eq!(last.data["file_info"]["scan_status"], "clean");
    assert_eq!(last.data["event_id"], format!("evt_{}_2", accepted.file_id));
    assert!(stream.next().await.is_none(), "nothing more will happen, so the stream ends");
    let (status, _) = Stream::open(&service, &path, last.id.as_deref()).await;
    assert_eq!(status, 204, "a browser then does not reconnect");
    // A client that was disconnected gets each event that it missed, once.
    let (_, mut stream) = Stream::open(&service, &path, events[0].id.as_deref()).await;
    let missed = stream.until(|_| false).await;
    assert_eq!(kinds(&missed, &accepted.file_id), ["file.scan.completed"]);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_change() {
    let service = Service::start_with(&[], |settings| {
        settings.tuning.machine.lease = Duration::from_secs(3);
        // A busy machine may lose a lease that is so short.
        settings.tuning.machine.max_attempts = 100;
    })
    .await;
    let (status, mut stream) = Stream::open(&service, "/events", None).await;
    assert_eq!(status, 200);
    let before = service.upload("before.txt", b"before").await;
    let is_completed =
        |events: &[Event]| kinds(events, &before).iter().any(|kind| kind.ends_with("completed"));
    let events = stream.until(is_completed).await;
    let last_id = events.last().unwrap().id.clone().unwrap();
    // More changes happen while no client is connected, and the service is killed during them.
    drop(stream);
    let mut ids = vec![service.upload("infected.txt", &eicar()).await];
    service.ends_as(&ids[0], "infected").await;
    for n in 0..5u8 {
        ids.push(service.upload(&format!("{n}.txt"), &vec![n + 1; 500_000]).await);
    }
    let directory = service.stop_and_keep().await;
    // An interrupted scan is taken over when its lease expires.
    let service = Service::start_in(directory, &[], |_| {}).await;
    let (status, mut stream) = Stream::open(&service, "/events", Some(&last_id)).await;
    assert_eq!(status, 200);
    let all_completed = |events: &[Event]| {
        let completed = events.iter().filter(|event| event.kind() == "file.scan.completed");
        let completed: BTreeSet<&str> = completed.map(Event::file_id).collect();
        ids.iter().all(|id| completed.contains(id.as_str()))
    };
    let events = stream.until(all_completed).await;
    for id in &ids {
        let kinds = kinds(&events, id);
        let is_whole = kinds.iter().any(|kind| kind == "file.scan.started")
            && kinds.iter().filter(|kind| *kind == "file.scan.completed").count() == 1;
        assert!(is_whole, "{id}: {kinds:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn estimates_come_from_measured_scans() {
    let service = Service::start().await;
    let mut longest_scan = 0.0_f64;
    for n in 0..3u8 {
        let id = service.upload("a.txt", &[n + 1]).await;
        let info = service.ends_as(&id, "clean").await;
        longest_scan = longest_scan.max(info["scan_result"]["scan_duration"].as_f64().unwrap());
    }
    let accepted = service.create_upload(&json!({ "filename": "a.txt", "size": 4 })).await;
    let (_, mut stream) = Stream::open(&service, "/events", None).await;
    // Scans are counted just after their verdicts, so at first there may be no data for an estimate.
    let (progress, estimated) = loop {
        let event = stream.next().await.unwrap();
        if event.kind() == "progress"
            && let Some(estimated) = event.data["estimated_seconds"].as_f64()
        {
            break (event.data, estimated);
        }
    };
    assert_eq!(progress["file_id"], accepted.file_id);
    // Durations are counted in buckets, each at most two and a half times the previous one, and one file may
    // be ahead in the queue.
    let most = (longest_scan * 2.5 + 0.01) * 2.0;
    assert!((0.0..=most).contains(&estimated), "{progress}, at most {most}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_and_edits_are_seen_and_foreign_files_are_not() {
    use crate::identity::{ENV, user_token};
    let service = Service::start_with(&ENV, |settings| settings.auth = local::Auth::Jwt).await;
    let service = service.with_token(user_token("alice"));
    let (_, mut stream) = Stream::open(&service, "/events", None).await;
    let file_id = service.upload("a.txt", b"good").await;
    service.ends_as(&file_id, "clean").await;
    let path = format!("/files/{file_id}");
    let renamed = service.request(reqwest::Method::PATCH, &path).json(&json!({ "filename": "b.txt" }));
    assert_eq!(renamed.send().await.unwrap().status(), 200);
    assert_eq!(service.request(reqwest::Method::DELETE, &path).send().await.unwrap().status(), 204);
    let events = stream.until(|events| events.iter().any(|event| event.kind() == "file.deleted")).await;
    assert!(events.iter().any(|event| event.data["file_info"]["filename"] == "b.txt"), "{events:?}");
    let service = service.with_token(user_token("eve"));
    let (status, _) = Stream::open(&service, &format!("/files/{file_id}/events"), None).await;
    assert_eq!(status, 404);
    let (_, mut stream) = Stream::open(&service, "/events", None).await;
    let own = service.upload("e.txt", b"eve's").await;
    let events = stream.until(|events| events.iter().any(|event| event.file_id() == own)).await;
    assert!(events.iter().all(|event| event.file_id() == own), "{events:?}");
    let service = service.with_token("nonsense".to_owned());
    assert_eq!(Stream::open(&service, "/events", None).await.0, 401);
    service.stop().await;
}
