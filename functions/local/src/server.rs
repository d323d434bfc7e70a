//! Serves HTTP/1.1 with limits on headers, on the time for them, on idle connections and on their number.
//!
//! `axum::serve` has none of these limits: four thousand clients that sent half a request each held their
//! connections, and half a gigabyte of memory, without end.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::linger;

/// The bounds of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// The time for the headers of one request, and the longest pause before the next one on the same
    /// connection. A body, an answer and a stream of events may take any time.
    pub header_timeout: Duration,
    /// The number of connections. One more is answered 503 and closed.
    pub n_max: usize,
}

impl Connections {
    /// More than the slowest link needs for a few hundred bytes, and longer than clients keep idle
    /// connections: closing one just as a request is sent on it fails that request.
    const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
    /// Each of the two servers gets a quarter of this process's file descriptors; files need the others.
    const SHARE_OF_DESCRIPTORS: u64 = 4;
    /// Beyond this, connections cost memory without serving more users.
    const MOST: u64 = 2048;

    /// As many connections as the process's descriptor limit (`ulimit -n`) has room for.
    pub(crate) fn for_this_process() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let share = (limit.unwrap_or(u64::MAX) / Self::SHARE_OF_DESCRIPTORS).clamp(16, Self::MOST);
        Self { header_timeout: Self::HEADER_TIMEOUT, n_max: share.try_into().unwrap_or(usize::MAX) }
    }
}

/// A client that is refused gets this long to send its request, so that it reads the refusal.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Refusals that are sent at the same time. Beyond these, a connection is closed without an answer.
const MAX_REFUSALS: usize = 64;
/// Refused connections are logged this often.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// Headers beyond this are answered 431. `hyper` would hold 400 KB of them for each connection.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Serves until the future is dropped, which closes the connections. `busy` answers connections beyond the
/// limit.
pub(crate) async fn serve(listener: TcpListener, router: Router, bounds: Connections, busy: Router) {
    let router = router.layer(axum::middleware::from_fn(linger::read_on));
    let (places, refusals) = (Arc::new(Semaphore::new(bounds.n_max)), Arc::new(Semaphore::new(MAX_REFUSALS)));
    let (mut connections, mut told_at) = (JoinSet::new(), None);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                accept_failed(&error).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let mut http = http(bounds.header_timeout);
            http.keep_alive(true);
            connections.spawn(connection(http, stream, router.clone(), place));
            continue;
        }
        if told_at.is_none_or(|at: Instant| at.elapsed() >= TELL_EVERY) {
            told_at = Some(Instant::now());
            tracing::warn!(connections.max = bounds.n_max, "too many connections: new ones are refused");
        }
        if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
            let mut http = http(REFUSAL_TIME.min(bounds.header_timeout));
            http.keep_alive(false);
            connections.spawn(connection(http, stream, busy.clone(), place));
        }
    }
}

fn http(header_timeout: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_header_size(MAX_HEADER_BYTES);
    builder
}

async fn connection(http: http1::Builder, stream: TcpStream, router: Router, place: OwnedSemaphorePermit) {
    // Events are small and must not wait for more of them.
    let _ = stream.set_nodelay(true);
    let served = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended");
    }
    drop(place);
}

/// Without descriptors, accepting again immediately would fail again.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "a connection could not be accepted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
