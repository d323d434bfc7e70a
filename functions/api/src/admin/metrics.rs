//! `GET /metrics`: the statistics in Prometheus' text exposition format 0.0.4. On AWS they are in CloudWatch
//! instead.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::timestamp::Timestamp;
use web::{Admin, ApiError};

use super::stats::{Stats, gather};
use crate::App;

pub(crate) async fn show(State(app): State<App>, _admin: Admin) -> Result<Response, ApiError> {
    let now = aws::clock::now();
    let body = render(&gather(&app, now).await?, now);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response())
}

/// All label values are fixed names, so none needs escaping.
fn render(stats: &Stats, now: Timestamp) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: Option<f64>| {
        let Some(value) = value else { return };
        let _ = write!(
            text,
            "# HELP airlock_{name} {help}\n# TYPE airlock_{name} gauge\nairlock_{name} {value}\n"
        );
    };
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let float = |value: u64| value as f64;
    let queue = &stats.queue;
    gauge("queue_waiting", "Scans waiting.", Some(float(queue.waiting)));
    gauge("queue_in_flight", "Scans in progress.", Some(float(queue.in_flight)));
    gauge("queue_oldest_seconds", "Age of the oldest scan request.", queue.oldest_seconds.map(float));
    gauge("workers", "Maximum number of concurrent scans.", queue.workers.map(float));
    gauge("dead_letters", "Scan requests that failed too often.", stats.dead_letters.map(float));
    if let Some(engine) = &stats.engine {
        gauge("engine_restarts", "Engine starts after the first.", engine.restarts.map(float));
        let seen = Timestamp::parse_rfc3339(&engine.last_seen);
        gauge(
            "engine_silent_seconds",
            "Time since the last heartbeat of the engine.",
            seen.map(|seen| now.since(seen).as_secs_f64()),
        );
        gauge(
            "definitions_age_hours",
            "Age of the virus definitions.",
            engine.definitions_age_hours.map(float),
        );
    }
    gauge("bytes_scanned_24h", "Bytes judged in the last 24 hours.", Some(float(stats.bytes_scanned)));
    let _ = writeln!(
        text,
        "# HELP airlock_files_24h Verdicts of the last 24 hours.\n# TYPE airlock_files_24h gauge"
    );
    for (status, n) in &stats.files_by_status {
        let _ = writeln!(text, "airlock_files_24h{{status=\"{status}\"}} {n}");
    }
    let _ = writeln!(
        text,
        "# HELP airlock_scan_24h_seconds Scans of the last 24 hours.\n# TYPE airlock_scan_24h_seconds gauge"
    );
    for class in &stats.scan_seconds {
        for (quantile, value) in [("0.5", class.p50), ("0.95", class.p95), ("0.99", class.p99)] {
            if let Some(value) = value {
                let labels = format!("size=\"{}\",quantile=\"{quantile}\"", class.size);
                let _ = writeln!(text, "airlock_scan_24h_seconds{{{labels}}} {value}");
            }
        }
    }
    text
}
