//! Connects the AWS SDK's clients to a stand-in in the same process, without a port or socket, so that no web
//! page and no other user reaches it.
//!
//! Everything above the connection stays as on AWS: the SDK resolves the endpoint, serializes, signs, retries
//! and parses. Bodies are streamed in both directions.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use tower_service::Service as _;

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

/// Errors are the caller's: a router has none of its own.
async fn answer(mut router: Router, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let mut request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    // A client on a socket sends it; signatures cover it.
    let host = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    let Ok(response) = router.call(request.map(Body::new)).await;
    response
        .map(|body| SdkBody::from_body_1_x(SyncBody(Mutex::new(body))))
        .try_into()
        .map_err(|error| ConnectorError::other(Box::new(error), None))
}

/// A body that can be shared between threads, as the SDK wants it. The lock is never contended, since
/// reading needs exclusive access anyway.
struct SyncBody(Mutex<Body>);

impl http_body::Body for SyncBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }
}
