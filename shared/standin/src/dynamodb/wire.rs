//! DynamoDB's wire protocol for the operations that Airlock calls (AWS JSON 1.0, `X-Amz-Target`).

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::DynamoDb;
use super::meter::Meter;
use crate::database_thread::{Answer, Committed};

/// DynamoDB's own limit of a request, 16 MB.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
const TARGET: &str = "DynamoDB_20120810.";

pub(super) fn router(database: DynamoDb) -> Router {
    Router::new()
        .route("/", post(answer))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(database)
}

async fn answer(State(database): State<DynamoDb>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.strip_prefix(TARGET).unwrap_or_default();
    let (status, body) = match run(&database, operation, &body).await {
        Ok(output) => (StatusCode::OK, output),
        Err(error) => {
            let status =
                StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, error.to_json())
        }
    };
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
}

async fn run(dynamodb: &DynamoDb, operation: &str, input: &[u8]) -> dynoxide::Result<String> {
    let meter = dynamodb.meter.clone();
    match operation {
        "BatchGetItem" => call(dynamodb, input, Committed::No, Database::batch_get_item).await,
        "GetItem" => call(dynamodb, input, Committed::No, Database::get_item).await,
        "Query" => call(dynamodb, input, Committed::No, Database::query).await,
        "DeleteItem" => {
            let delete = move |database: &Database, request: DeleteItemRequest| {
                let key = request.key.clone();
                let mut deleted = database.delete_item(DeleteItemRequest {
                    return_consumed_capacity: Some(Meter::every_index()),
                    ..request
                })?;
                meter.add(&key, deleted.consumed_capacity.take().as_slice());
                Ok(deleted)
            };
            call(dynamodb, input, Committed::Yes, delete).await
        }
        "PutItem" => {
            let put = move |database: &Database, request: PutItemRequest| {
                let key =
                    request.item.get("pk").map(|pk| ("pk".to_owned(), pk.clone())).into_iter().collect();
                let mut written = database.put_item(PutItemRequest {
                    return_consumed_capacity: Some(Meter::every_index()),
                    ..request
                })?;
                meter.add(&key, written.consumed_capacity.take().as_slice());
                Ok(written)
            };
            call(dynamodb, input, Committed::Yes, put).await
        }
        "TransactWriteItems" => {
            let transact = move |database: &Database, request: TransactWriteItemsRequest| {
                let mut written = database.transact_write_items(TransactWriteItemsRequest {
                    return_consumed_capacity: Some(Meter::every_index()),
                    ..request
                })?;
                meter.add_transaction(&written.consumed_capacity.take().unwrap_or_default());
                Ok(written)
            };
            call(dynamodb, input, Committed::Yes, transact).await
        }
        "UpdateItem" => {
            let update = move |database: &Database, request: UpdateItemRequest| {
                let key = request.key.clone();
                let mut written = database.update_item(UpdateItemRequest {
                    return_consumed_capacity: Some(Meter::every_index()),
                    ..request
                })?;
                meter.add(&key, written.consumed_capacity.take().as_slice());
                Ok(written)
            };
            call(dynamodb, input, Committed::Yes, update).await
        }
        other => Err(DynoxideError::ValidationException(format!(
            "the stand-in does not implement the operation `{other}`"
        ))),
    }
}

/// `commits` says whether the operation commits something when it succeeds. Only the operation itself is done
/// on the database's thread. A refusal waits for the disk as well: it may tell of a commit that is not
/// durable yet.
async fn call<I, O>(
    dynamodb: &DynamoDb,
    input: &[u8],
    commits: Committed,
    operation: impl FnOnce(&Database, I) -> dynoxide::Result<O> + Send + 'static,
) -> dynoxide::Result<String>
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize + Send + 'static,
{
    let request: I = serde_json::from_slice(input)
        .map_err(|error| DynoxideError::SerializationException(error.to_string()))?;
    let operation = move |database: &mut Database| {
        let done = operation(database, request);
        (if done.is_ok() { commits } else { Committed::No }, done)
    };
    let done = dynamodb.thread.request(Answer::Durable, operation).await;
    let output = done.map_err(|error| DynoxideError::InternalServerError(error.to_string()))??;
    serde_json::to_string(&output).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::extract::Request;
    use serde_json::{Value, json};
    use tower_service::Service as _;

    use crate::dynamodb::DynamoDb;

    async fn ask(database: &DynamoDb, operation: &str, body: &str) -> (u16, Value) {
        let request = Request::post("/").header("x-amz-target", format!("DynamoDB_20120810.{operation}"));
        let response = database.router().call(request.body(Body::from(body.to_owned())).unwrap());
        let response = response.await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn every_write_is_flushed_before_it_is_answered() {
        let directory = tempfile::tempdir().unwrap();
        let database = DynamoDb::open(&directory.path().join("d.db"), "table").unwrap();
        let (table, key) = ("table", json!({ "pk": { "S": "a" } }));
        let put = json!({ "TableName": table, "Item": key });
        for (operation, body, is_write) in [
            ("PutItem", put.clone(), true),
            ("GetItem", json!({ "TableName": table, "Key": key }), false),
            (
                "UpdateItem",
                json!({ "TableName": table, "Key": key, "UpdateExpression": "ADD n :n",
                    "ExpressionAttributeValues": { ":n": { "N": "1" } } }),
                true,
            ),
            ("BatchGetItem", json!({ "RequestItems": { table: { "Keys": [key] } } }), false),
            ("DeleteItem", json!({ "TableName": table, "Key": key }), true),
            ("TransactWriteItems", json!({ "TransactItems": [{ "Put": put }] }), true),
        ] {
            let before = database.thread.n_flushes().await;
            let (status, answer) = ask(&database, operation, &body.to_string()).await;
            assert_eq!(status, 200, "{operation}: {answer}");
            let n_flushes = database.thread.n_flushes().await - before;
            assert_eq!(n_flushes, u64::from(is_write), "{operation}");
        }
    }

    #[tokio::test]
    async fn operations_are_answered_and_others_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let database = DynamoDb::open(&directory.path().join("d.db"), "table").unwrap();
        let item = json!({ "TableName": "table", "Item": { "pk": { "S": "a" }, "n": { "N": "1" } },
            "ConditionExpression": "attribute_not_exists(pk)" })
        .to_string();
        assert_eq!(ask(&database, "PutItem", &item).await, (200, json!({})));
        let key = json!({ "TableName": "table", "Key": { "pk": { "S": "a" } } }).to_string();
        let (_, found) = ask(&database, "GetItem", &key).await;
        assert_eq!(found["Item"]["n"]["N"], "1", "{found}");
        let (status, twice) = ask(&database, "PutItem", &item).await;
        assert_eq!(status, 400);
        assert!(twice["__type"].as_str().unwrap().ends_with("#ConditionalCheckFailedException"), "{twice}");
        for (operation, body, kind) in [
            ("Scan", "{}", "ValidationException"),
            ("DeleteTable", &key, "ValidationException"),
            ("", "{}", "ValidationException"),
            ("GetItem", "", "SerializationException"),
            ("GetItem", "[]", "SerializationException"),
        ] {
            let (status, refusal) = ask(&database, operation, body).await;
            let found = refusal["__type"].as_str().unwrap();
            assert!(status == 400 && found.ends_with(kind), "{operation} {body}: {refusal}");
        }
    }
}
