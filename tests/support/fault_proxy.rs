//! A proxy that passes a given number of requests and then drops the connection, as if the server or the
//! client had died.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

/// What happens to the request at which the proxy fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// It never arrives.
    Before,
    /// It arrives, and its answer is lost.
    After,
}

#[derive(Clone)]
struct Line {
    n_left: Arc<AtomicUsize>,
    cut: Cut,
}

/// A proxy to a stand-in in this process that fails at request number `n_whole` (from 0).
pub(crate) fn line(target: Router, n_whole: usize, cut: Cut) -> Router {
    let line = Line { n_left: Arc::new(AtomicUsize::new(n_whole + 1)), cut };
    target.layer(from_fn_with_state(line, pass))
}

async fn pass(State(line): State<Line>, request: Request, next: Next) -> Response {
    let n_left = line.n_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n.saturating_sub(1)));
    let is_dead = || StatusCode::IM_A_TEAPOT.into_response();
    match n_left.unwrap() {
        0 => return is_dead(),
        1 if line.cut == Cut::Before => return is_dead(),
        _ => {}
    }
    let response = next.run(request).await;
    if n_left.unwrap() == 1 { is_dead() } else { response }
}

async fn forward(http: &reqwest::Client, target: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let asked = http.request(parts.method, format!("{target}{}", parts.uri)).headers(parts.headers);
    let answer = asked.body(body).send().await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

/// The address of a proxy to `target` that sends another `Host`, for clients that cannot resolve that name.
pub(crate) async fn as_host(target: &str, host: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let state = (target.to_owned(), host.to_owned(), super::client());
    let router = Router::new().fallback(rename).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn rename(
    State((target, host, http)): State<(String, String, reqwest::Client)>,
    mut request: Request,
) -> Response {
    request.headers_mut().insert("host", host.parse().unwrap());
    forward(&http, &target, request).await
}

/// The address of a proxy to `target` that delays requests for bytes from `first_byte` on until `release` has
/// a permit, and refuses them from then on.
pub(crate) async fn holding_back(target: &str, first_byte: u64, release: Arc<Semaphore>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let state = (target.to_owned(), super::client(), first_byte, release);
    let router = Router::new().fallback(hold_back).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn hold_back(
    State((target, http, first_byte, release)): State<(String, reqwest::Client, u64, Arc<Semaphore>)>,
    request: Request,
) -> Response {
    let range = request.headers().get("range").and_then(|range| range.to_str().ok()).unwrap_or_default();
    let from = range.trim_start_matches("bytes=").split('-').next().and_then(|from| from.parse().ok());
    if from.is_some_and(|from: u64| from >= first_byte) {
        let _released = release.acquire().await;
        return StatusCode::IM_A_TEAPOT.into_response();
    }
    forward(&http, &target, request).await
}
