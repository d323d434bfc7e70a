//! Connects the AWS SDK's clients to a stand-in in the same process, without a port or socket, so that no web
//! page and no other user reaches it.
//!
//! Everything above the connection stays as on AWS: the SDK resolves the endpoint, serializes, signs, retries
//! and parses.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use tower_service::Service as _;

/// The largest answer of DynamoDB or SQS (1 MB for a page of a query, 16 MB for a batch).
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// An HTTP client whose requests are all answered by one router, whatever host they name.
#[derive(Clone, Debug)]
pub struct InProcess(Router);

impl InProcess {
    pub fn new(router: Router) -> Self {
        Self(router)
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { router: self.0.clone(), read_timeout: settings.read_timeout() })
    }
}

#[derive(Debug)]
struct Connector {
    router: Router,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (router, limit) = (self.router.clone(), self.read_timeout.unwrap_or(Duration::MAX));
        HttpConnectorFuture::new(async move {
            let answered = tokio::time::timeout(limit, answer(router, request)).await;
            answered.unwrap_or_else(|elapsed| Err(ConnectorError::timeout(elapsed.into())))
        })
    }
}

/// Errors are the caller's: a router has none of its own, and only an answer that is too large cannot be
/// read.
async fn answer(mut router: Router, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let body = request.body().bytes().map(Bytes::copy_from_slice);
    let body = body.ok_or_else(|| ConnectorError::user("a stream has no place in this request".into()))?;
    let request: Request = request.map(|_| Body::from(body));
    let Ok(response) = router.call(request).await;
    let (parts, body) = response.into_parts();
    let body =
        to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|error| ConnectorError::other(error.into(), None))?;
    axum::http::Response::from_parts(parts, SdkBody::from(body))
        .try_into()
        .map_err(|error| ConnectorError::other(Box::new(error), None))
}
