//! "What is happening to my files?" Server-sent events (WHATWG HTML, 9.2), from the records' journals.
//!
//! Invariant: a client that comes back with `Last-Event-ID` is told everything that happened since, whatever was restarted meanwhile:
//! what is sent is read from the ledger, never from memory. It may be told twice; every event has a stable id.

mod config;
mod estimate;
mod follow;
mod message;

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
use crate::follow::{Follower, Position};

pub use config::{LiveDeployment, LiveSettings};

/// What following needs. Built once per process.
#[derive(Clone, Debug)]
pub struct Context {
    pub stores: Stores,
    pub identity: Identity,
    pub allowed_origins: Vec<String>,
    pub loopback_only: LoopbackOnly,
    pub settings: Settings,
}

/// What differs between deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often the ledger is looked at without being told that something changed: what other processes do shows no sooner.
    pub poll_interval: Duration,
    /// A stream ends after this, and the client comes back.
    pub longest_stream: Duration,
    /// How many scans run at once, as far as that is known.
    pub n_workers: u64,
}

#[derive(Clone, Debug)]
struct App {
    context: Arc<Context>,
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
pub fn router(context: Context) -> Router {
    let (cors, loopback) = (web::cors(&context.allowed_origins), context.loopback_only.clone());
    let estimator = Estimator::new(context.stores.clone(), context.settings.n_workers);
    Router::new()
        .route("/events", get(of_owner))
        .route("/files/{file_id}/events", get(of_file))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(App { context: Arc::new(context), estimator: Arc::new(estimator) })
        .layer(middleware::from_fn_with_state(loopback, web::loopback_only))
        .layer(middleware::from_fn(web::problems))
        // Outside of the errors: a page of another origin must be able to read those too.
        .layer(cors)
}

/// All files of the caller.
async fn of_owner(State(app): State<App>, caller: Caller, headers: HeaderMap) -> Response {
    let position = last_event_id(&headers).unwrap_or_else(|| Position::just_before(aws::clock::now()));
    let follower = Follower::of_owner(app.context.stores.ledger.clone(), caller.owner, position);
    stream(&app, follower)
}

/// One file of the caller. Ends when nothing more will happen soon; coming back then gets 204, which tells browsers to stay away.
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
    // Proxies that collect answers would defeat the purpose (nginx).
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

/// An id that is not ours counts as none: the client gets everything that is recent.
fn last_event_id(headers: &HeaderMap) -> Option<Position> {
    Position::parse(headers.get("last-event-id")?.to_str().ok()?)
}

/// How long ago an entry can have been written by another machine and still not be visible in the index, clocks' differences included.
pub(crate) const OVERLAP: Duration = Duration::from_secs(10);

pub(crate) fn overlapped(since: Timestamp) -> Timestamp {
    since - OVERLAP
}
