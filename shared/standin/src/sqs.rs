//! SQS's wire protocol for the operations that Airlock calls (AWS JSON 1.0, `X-Amz-Target`).
//!
//! A queue's URL ends with its name; the name with [`DEAD_LETTERS`] behind it is its dead-letter queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::database::StandinError;
use crate::queue::Queue;

/// The suffix of a dead-letter queue's name.
pub const DEAD_LETTERS: &str = "-dead-letters";
/// The most messages that SQS returns for one request.
const MAX_RECEIVED: usize = 10;

/// As in `template.yaml`.
const MAX_RECEIVES: u32 = 12;

/// Queues by name. Signatures are not verified: for [`InProcess`](crate::InProcess), never for a port.
pub fn router(queues: BTreeMap<String, Queue>) -> Router {
    Router::new().route("/", post(answer)).with_state(Arc::new(queues))
}

/// One end of a queue.
enum Named<'a> {
    Queue(&'a Queue),
    DeadLetters(&'a Queue),
}

async fn answer(
    State(queues): State<Arc<BTreeMap<String, Queue>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Ok(input) = serde_json::from_slice::<Value>(&body) else {
        return refuse("SerializationException", "the body is not JSON");
    };
    let name = input["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    let named = match name.strip_suffix(DEAD_LETTERS) {
        Some(source) => queues.get(source).map(Named::DeadLetters),
        None => queues.get(name).map(Named::Queue),
    };
    let Some(named) = named else {
        return refuse("QueueDoesNotExist", "there is no queue of this name");
    };
    let answered = match (target, named) {
        ("AmazonSQS.SendMessage", Named::Queue(queue)) => send_message(queue, &input).await,
        ("AmazonSQS.SendMessageBatch", Named::Queue(queue)) => send_batch(queue, &input).await,
        ("AmazonSQS.ChangeMessageVisibility", Named::Queue(queue)) => change_visibility(queue, &input).await,
        ("AmazonSQS.ReceiveMessage", Named::Queue(queue)) => receive_message(queue, &input).await,
        ("AmazonSQS.DeleteMessage", Named::Queue(queue)) => delete_message(queue, &input).await,
        ("AmazonSQS.GetQueueAttributes", named) => queue_attributes(&named).await,
        ("AmazonSQS.ReceiveMessage", Named::DeadLetters(queue)) => receive_dead_letters(queue).await,
        ("AmazonSQS.DeleteMessage", Named::DeadLetters(queue)) => delete_dead_letter(queue, &input).await,
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

/// Stores all messages or none.
async fn send_batch(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    let entries = input["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bodies = entries.iter().map(|entry| entry["MessageBody"].as_str().unwrap_or_default().to_owned());
    let message_ids = queue.send_all(bodies.collect()).await?;
    let sent: Vec<_> = entries
        .iter()
        .zip(message_ids)
        .map(|(entry, message_id)| json!({ "Id": entry["Id"], "MessageId": message_id }))
        .collect();
    Ok(json!({ "Successful": sent, "Failed": [] }))
}

async fn change_visibility(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    let receipt = input["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
    let delay = Duration::from_secs(input["VisibilityTimeout"].as_u64().unwrap_or(0));
    queue.change_visibility(receipt, delay).await?;
    Ok(json!({}))
}

/// Returns one message, though SQS returns up to ten, or none at the end of the wait.
async fn receive_message(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    let seconds = |name: &str| Duration::from_secs(input[name].as_u64().unwrap_or(0));
    let deadline = Instant::now() + seconds("WaitTimeSeconds");
    let received = loop {
        if let Some(received) = queue.receive(seconds("VisibilityTimeout"), MAX_RECEIVES).await? {
            break received;
        }
        match timeout_at(deadline, queue.wait()).await {
            Ok(waited) => waited?,
            Err(_) => return Ok(json!({})),
        }
    };
    // As SQS: only what was asked for.
    let is_asked_for = |name: &str| {
        input["MessageSystemAttributeNames"]
            .as_array()
            .is_some_and(|names| names.iter().any(|asked| asked == name))
    };
    let mut attributes = serde_json::Map::new();
    if is_asked_for("ApproximateReceiveCount") {
        attributes.insert("ApproximateReceiveCount".to_owned(), received.n_received.to_string().into());
    }
    Ok(json!({ "Messages": [{
        "MessageId": received.message_id,
        "ReceiptHandle": received.receipt,
        "Body": received.body,
        "Attributes": attributes,
    }] }))
}

async fn delete_message(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    queue.delete(input["ReceiptHandle"].as_str().unwrap_or_default().to_owned()).await?;
    Ok(json!({}))
}

async fn queue_attributes(named: &Named<'_>) -> Result<Value, StandinError> {
    let (n_waiting, n_in_flight) = match named {
        Named::Queue(queue) => {
            let backlog = queue.backlog().await?;
            (backlog.n_waiting, backlog.n_in_flight)
        }
        Named::DeadLetters(queue) => {
            (u64::try_from(queue.dead_letters().await?.len()).unwrap_or(u64::MAX), 0)
        }
    };
    Ok(json!({ "Attributes": {
        "ApproximateNumberOfMessages": n_waiting.to_string(),
        "ApproximateNumberOfMessagesNotVisible": n_in_flight.to_string(),
    } }))
}

/// Returns the dead letters on every request until they are deleted: there is no visibility timeout here.
async fn receive_dead_letters(queue: &Queue) -> Result<Value, StandinError> {
    let letters = queue.dead_letters().await?;
    let messages: Vec<Value> = letters
        .into_iter()
        .take(MAX_RECEIVED)
        .map(|letter| {
            json!({
                "MessageId": letter.message_id,
                "ReceiptHandle": letter.message_id,
                "Body": letter.body,
                "Attributes": { "ApproximateReceiveCount": letter.n_received.to_string() },
            })
        })
        .collect();
    Ok(json!({ "Messages": messages }))
}

async fn delete_dead_letter(queue: &Queue, input: &Value) -> Result<Value, StandinError> {
    let handle = input["ReceiptHandle"].as_str().unwrap_or_default().to_owned();
    queue.delete_dead_letter(handle).await?;
    Ok(json!({}))
}

fn refuse(code: &str, message: &str) -> Response {
    reply(StatusCode::BAD_REQUEST, &json!({ "__type": code, "message": message }))
}

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body.to_string()).into_response()
}
