//! SQS's wire protocol for the two operations that Airlock calls (AWS JSON 1.0, `X-Amz-Target`).

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use crate::database::StandinError;
use crate::queue::Queue;

/// One queue behind every queue URL of this endpoint. Signatures are not verified: bind it to loopback only.
pub fn router(queue: Queue) -> Router {
    Router::new().route("/", post(answer)).with_state(queue)
}

async fn answer(State(queue): State<Queue>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(input) = serde_json::from_slice::<Value>(&body) else {
        return refuse("SerializationException", "the body is not JSON");
    };
    let answered = match target {
        "AmazonSQS.SendMessage" => send_message(&queue, &input).await,
        "AmazonSQS.GetQueueAttributes" => queue_attributes(&queue).await,
        _ => return refuse("UnsupportedOperation", "the stand-in does not implement this operation"),
    };
    match answered {
        Ok(output) => reply(StatusCode::OK, &output),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the queue failed");
            reply(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "__type": "InternalError" }))
        }
    }
}

async fn send_message(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    let body = input["MessageBody"].as_str().unwrap_or_default().to_owned();
    Ok(json!({ "MessageId": queue.send(body).await? }))
}

async fn queue_attributes(queue: &Queue) -> Result<Value, StandinError> {
    Ok(json!({ "Attributes": { "ApproximateNumberOfMessages": queue.depth().await?.to_string() } }))
}

fn refuse(code: &str, message: &str) -> Response {
    reply(StatusCode::BAD_REQUEST, &json!({ "__type": code, "message": message }))
}

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}
