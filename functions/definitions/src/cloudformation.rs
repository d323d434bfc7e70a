//! Answers CloudFormation with the public key that scanners are deployed with. Publishes the first definition
//! set of a new stack, and empties the bucket of a stack that is deleted, because CloudFormation deletes only
//! empty buckets.
//!
//! The protocol: AWS, "Custom resource request and response objects".

use std::time::Duration;

use anyhow::Context as _;
use aws::StoreError;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};

use crate::{PublisherContext, UpdateReport, update};

/// The fields that are used.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceRequest {
    request_type: RequestType,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Response<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: &'static str,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    data: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    public_key: String,
}

impl<'a> Response<'a> {
    fn new(request: &'a ResourceRequest, public_key: String, error: Option<&StoreError>) -> Self {
        Self {
            status: if error.is_none() { "SUCCESS" } else { "FAILED" },
            reason: error.map(|error| aws::log::chain(error)),
            physical_resource_id: "airlock-definitions",
            stack_id: &request.stack_id,
            request_id: &request.request_id,
            logical_resource_id: &request.logical_resource_id,
            data: Data { public_key },
        }
    }
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends the public key to CloudFormation. For a new stack, publishes the first set before that: if this
/// fails, the stack is created all the same, the schedule retries, and files wait. For a stack that is
/// deleted, empties the bucket: if this fails, CloudFormation gets the reason and stops.
pub(crate) async fn answer(
    context: &PublisherContext,
    request: ResourceRequest,
) -> anyhow::Result<UpdateReport> {
    if request.request_type == RequestType::Create
        && let Err(error) = update(context, aws::clock::now()).await
    {
        tracing::error!(
            error = aws::log::chain(&error),
            "no definitions yet; files wait for the next update"
        );
    }
    let emptied = match request.request_type {
        RequestType::Delete => context.bucket.empty().await,
        RequestType::Create | RequestType::Update => Ok(()),
    };
    let public_key = context.key.public_key().to_string();
    let response = Response::new(&request, public_key.clone(), emptied.as_ref().err());
    let connector = HttpsConnectorBuilder::new().with_native_roots().context("no certificate store")?;
    let client =
        Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
    let body = Full::new(Bytes::from(serde_json::to_vec(&response)?));
    let put = http::Request::put(&request.response_url).body(body)?;
    let answered = tokio::time::timeout(ANSWER_TIMEOUT, client.request(put)).await??;
    anyhow::ensure!(answered.status().is_success(), "CloudFormation answered {}", answered.status());
    emptied.context("the definitions bucket is not empty")?;
    Ok(UpdateReport::Stack { public_key })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Command, UpdateEvent};

    fn event(json: serde_json::Value) -> serde_json::Result<UpdateEvent> {
        serde_json::from_value(json)
    }

    #[test]
    fn an_event_is_a_command_or_a_request_of_cloudformation_and_nothing_else() {
        assert!(matches!(event(json!({ "action": "update" })), Ok(UpdateEvent::Command(Command::Update))));
        let rollback = event(json!({ "action": "rollback", "serial": 7 }));
        assert!(matches!(rollback, Ok(UpdateEvent::Command(Command::Rollback { serial: 7 }))));
        for refused in [json!({ "action": "rollback" }), json!({ "action": "delete" }), json!({})] {
            assert!(event(refused.clone()).is_err(), "{refused}");
        }
    }

    #[test]
    fn the_answer_repeats_the_requests_ids_and_carries_the_public_key() {
        let request = json!({
            "RequestType": "Create", "ResponseURL": "https://example.com/answer", "StackId": "stack",
            "RequestId": "request", "LogicalResourceId": "Definitions", "ResourceType": "Custom::Definitions",
        });
        let Ok(UpdateEvent::Stack(request)) = event(request) else { panic!("a request of CloudFormation") };
        assert_eq!(request.request_type, RequestType::Create);
        let answer = serde_json::to_value(Response::new(&request, "key".to_owned(), None)).unwrap();
        assert_eq!(
            answer,
            json!({
                "Status": "SUCCESS", "PhysicalResourceId": "airlock-definitions", "StackId": "stack",
                "RequestId": "request", "LogicalResourceId": "Definitions", "Data": { "PublicKey": "key" },
            })
        );
    }
}
