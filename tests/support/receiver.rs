//! A receiver of webhooks: keeps every request, and answers as configured.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// The statuses of the next responses; 204 when none is left.
    answers: Mutex<Vec<u16>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) timestamp: String,
    pub(crate) signature: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    pub(crate) fn file_id(&self) -> String {
        self.json()["data"]["airlock"]["fileId"].as_str().unwrap().to_owned()
    }

    /// The headers in the form that a receiver's library takes.
    pub(crate) fn as_request(&self) -> Value {
        json!({ "body": self.body, "headers": { "webhook-id": self.id, "webhook-timestamp": self.timestamp,
            "webhook-signature": self.signature } })
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let receiver = Self { address, shared: Arc::default() };
        let router = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Sets the statuses of the next responses; 204 follows.
    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        *self.shared.answers.lock().unwrap() = statuses.to_vec();
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    pub(crate) async fn wait_for(&self, what: &str, holds: impl Fn(&[Received]) -> bool) -> Vec<Received> {
        super::wait::until_found(what, async || {
            let told = self.received();
            if holds(&told) { Ok(told) } else { Err(told) }
        })
        .await
    }
}

async fn answer(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let told = Received {
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp"),
        signature: text("webhook-signature"),
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    receiver.shared.received.lock().unwrap().push(told);
    let mut answers = receiver.shared.answers.lock().unwrap();
    let status = if answers.is_empty() { 204 } else { answers.remove(0) };
    let status = StatusCode::from_u16(status).unwrap();
    if status.is_redirection() {
        return (status, [(header::LOCATION, "http://127.0.0.1:9001/")]).into_response();
    }
    status.into_response()
}
