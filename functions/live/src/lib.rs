//! Serves server-sent events (WHATWG HTML, 9.2) about the caller's files, from the history in their records.
//!
//! Invariant: a client that reconnects with `Last-Event-ID` receives everything that happened since and that
//! the history keeps, even if processes restarted meanwhile: events are read from the ledger, never from
//! memory. It may receive an event twice; every event has a stable id.

mod config;
mod estimate;
mod follow;
mod message;
mod position;

use std::sync::Arc;
use std::time::Duration;

use aws::{Ledger, Stores};
use axum::extract::{FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use domain::timestamp::Timestamp;
use web::{ApiError, Caller, Identity, LoopbackOnly, OwnedFile};

use crate::estimate::Estimator;
use crate::follow::Follower;
use crate::position::Position;

pub use config::{LiveDeployment, LiveSettings};

/// What streams need. Built once per process.
#[derive(Clone, Debug)]
pub struct LiveContext {
    pub stores: Stores,
    pub identity: Identity,
    pub allowed_origins: Vec<String>,
    pub loopback_only: LoopbackOnly,
    pub settings: LiveOptions,
}

/// What differs between deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// How often a stream reads the ledger when this process announces no change. Changes by other processes
    /// show after this time at the latest.
    pub poll_interval: Duration,
    /// A stream ends after this time, and the client reconnects.
    pub longest_stream: Duration,
    /// How many scans run concurrently, as far as that is known.
    pub n_workers: u64,
}

#[derive(Clone, Debug)]
struct App {
    context: Arc<LiveContext>,
    estimator: Arc<Estimator>,
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.context.identity.clone()
    }
}

impl FromRef<App> for Ledger {
    fn from_ref(app: &App) -> Self {
        app.context.stores.ledger.clone()
    }
}

/// The whole HTTP interface of this function.
pub fn router(context: LiveContext) -> Router {
    let (cors, loopback) = (web::cors(&context.allowed_origins), context.loopback_only.clone());
    let estimator = Estimator::new(context.stores.clone(), context.settings.n_workers);
    Router::new()
        .route("/events", get(of_owner))
        .route("/files/{file_id}/events", get(of_file))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(App { context: Arc::new(context), estimator: Arc::new(estimator) })
        .layer(middleware::from_fn_with_state(loopback, web::loopback_only))
        .layer(middleware::from_fn(web::problems))
        // The outermost layer: pages of other origins must be able to read errors, too.
        .layer(cors)
}

/// Follows all files of the caller.
async fn of_owner(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Response {
    let position = last_event_id(&headers).unwrap_or_else(|| Position::just_before(aws::clock::now()));
    let follower = Follower::of_owner(app.context.stores.ledger.clone(), caller.owner, position);
    stream(&app, follower)
}

/// Follows one file of the caller. The stream ends once the file has its verdict. A client that has seen all
/// and reconnects gets 204, on which browsers stop reconnecting.
async fn of_file(
    State(app): State<App>,
    OwnedFile(record): OwnedFile,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let position = last_event_id(&headers);
    let has_seen_all = position.is_some_and(|position| position.has_seen(&record));
    if has_seen_all && follow::is_quiet(&record) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let position = position.unwrap_or_else(|| Position::beginning(record.file_id));
    Ok(stream(&app, Follower::of_file(app.context.stores.ledger.clone(), record.file_id, position)))
}

fn stream(app: &App, follower: Follower) -> Response {
    let events = follower.start(app.context.settings, Arc::clone(&app.estimator));
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    // Otherwise nginx would buffer the events.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

/// An id that we did not issue is ignored: the client is treated as a new one.
fn last_event_id(headers: &HeaderMap) -> Option<Position> {
    Position::parse(headers.get("last-event-id")?.to_str().ok()?)
}

/// How long an entry that another machine has written may stay invisible in the index, including the
/// difference between the machines' clocks.
pub(crate) const OVERLAP: Duration = Duration::from_secs(10);

pub(crate) fn overlapped(since: Timestamp) -> Timestamp {
    since - OVERLAP
}
