//! A proxy in front of one port of a service, under a name of its own, configured correctly or with one
//! fault.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};

/// The fault of a proxy's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    /// Calls the service by the service's address, as nginx does by default.
    ForgetsHost,
    /// Refuses bodies of more than 1 MiB, as nginx does by default.
    LimitsBodies,
    /// Refuses bodies of more than 10 MB, as API Gateway does.
    IsApiGateway,
    /// Answers preflights itself.
    RefusesOptions,
    /// Buffers events.
    Buffers,
    /// Answers every request with a page of its own.
    LeadsNowhere,
}

const NGINX_LIMIT: u64 = 1024 * 1024;
const API_GATEWAY_LIMIT: u64 = 10_000_000;

#[derive(Clone)]
struct Way {
    fault: Fault,
    target: Arc<OnceLock<String>>,
    http: reqwest::Client,
}

/// Starts to listen, and forwards once the target is known.
pub(crate) struct PublicProxy {
    pub(crate) url: String,
    target: Arc<OnceLock<String>>,
}

impl PublicProxy {
    pub(crate) async fn listen(fault: Fault) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let way = Way { fault, target: Arc::default(), http: super::client() };
        let target = Arc::clone(&way.target);
        let router = Router::new().fallback(forward).with_state(way);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, target }
    }

    pub(crate) fn forward_to(&self, target: &str) {
        self.target.set(target.to_owned()).unwrap();
    }
}

async fn forward(State(way): State<Way>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let length = parts.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let page = |status| (status, [("content-type", "text/html")], "<h1>nginx</h1>").into_response();
    match way.fault {
        Fault::LeadsNowhere => return page(StatusCode::BAD_GATEWAY),
        Fault::RefusesOptions if parts.method == Method::OPTIONS => {
            return page(StatusCode::METHOD_NOT_ALLOWED);
        }
        Fault::LimitsBodies if length.is_some_and(|length: u64| length > NGINX_LIMIT) => {
            return page(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Fault::IsApiGateway if length.is_some_and(|length| length > API_GATEWAY_LIMIT) => {
            let answer = [("apigw-requestid", "id="), ("content-type", "application/json")];
            return (StatusCode::PAYLOAD_TOO_LARGE, answer, r#"{"message":"Request Too Long"}"#)
                .into_response();
        }
        Fault::ForgetsHost => drop(parts.headers.remove("host")),
        _ => {}
    }
    let url = format!("{}{}", way.target.get().unwrap(), parts.uri);
    let asked = way.http.request(parts.method, url).headers(parts.headers);
    let body = reqwest::Body::wrap_stream(body.into_data_stream());
    let Ok(answer) = asked.body(body).send().await else { return page(StatusCode::BAD_GATEWAY) };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let is_held = way.fault == Fault::Buffers
        && answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let bytes = answer.bytes_stream();
    let body =
        if is_held { Body::from_stream(stream::pending().chain(bytes)) } else { Body::from_stream(bytes) };
    response.body(body).unwrap()
}
