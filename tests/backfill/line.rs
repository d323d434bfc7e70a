//! Ways to the queue on which something goes wrong.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::support::wait;

/// A batch arrives late, and so does the answer that it has arrived.
pub(super) async fn late(request: Request, next: Next) -> Response {
    const LATENESS: Duration = Duration::from_millis(400);
    let is_batch = request.headers()["x-amz-target"] == "AmazonSQS.SendMessageBatch";
    let lateness = if is_batch { LATENESS } else { Duration::ZERO };
    wait::linger(lateness).await;
    let response = next.run(request).await;
    wait::linger(lateness).await;
    response
}

/// Takes every batch, and loses it.
pub(super) async fn lose(request: Request, next: Next) -> Response {
    if request.headers()["x-amz-target"] != "AmazonSQS.SendMessageBatch" {
        return next.run(request).await;
    }
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let taken = body["Entries"].as_array().unwrap().iter();
    let taken: Vec<_> = taken.map(|entry| json!({ "Id": entry["Id"], "MessageId": "lost" })).collect();
    axum::Json(json!({ "Successful": taken, "Failed": [] })).into_response()
}
