//! Background tasks: what AWS would do for a deployment.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use standin::pump::{self, DeliveryOptions};
use standin::queue::Queue;
use standin::room::Room;
use tokio::time::Instant;

use crate::disk;

/// Delivers scan requests to the scan function.
pub(crate) async fn deliver(
    queue: Queue,
    delivery: DeliveryOptions,
    room: Room,
    scan: Arc<scan::ScanContext>,
) {
    // As on AWS: the function has more time than one scan takes, and the message is hidden for even longer.
    let time_left = scan.scan_timeout + Duration::from_secs(30);
    let running = disk::RunningScans::default();
    let may_start = disk::gatekeeper(room, running.clone());
    pump::run_while(queue, delivery, may_start, move |event: SqsEvent| {
        let (scan, running) = (Arc::clone(&scan), running.begin());
        async move {
            let _running = running;
            Ok::<_, std::convert::Infallible>(scan::handle(&scan, event, time_left).await)
        }
    })
    .await;
}

/// Delivers event messages to the notify function.
pub(crate) async fn tell(queue: Queue, delivery: DeliveryOptions, notify: Arc<notify::NotifyContext>) {
    /// Enough for several webhooks that do not answer.
    const TIME_LEFT: Duration = Duration::from_mins(2);
    pump::run(queue, delivery, move |event: SqsEvent| {
        let notify = Arc::clone(&notify);
        async move { Ok::<_, std::convert::Infallible>(notify::handle(&notify, event, TIME_LEFT).await) }
    })
    .await;
}

/// How often to sweep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SweepPace {
    /// While records change.
    pub(crate) every: Duration,
    /// When no record has changed for as long as twice this: what is due then has waited for days.
    pub(crate) while_idle: Duration,
}

/// Sweeps on a schedule. `changes` follows all records, which this process alone changes.
pub(crate) async fn sweep(
    pace: SweepPace,
    room: Room,
    sweep: sweep::SweepContext,
    mut changes: aws::RecordWatch,
) {
    let mut changed_at = Instant::now();
    loop {
        let is_idle = changed_at.elapsed() > pace.while_idle * 2;
        let pause = tokio::time::sleep(if is_idle { pace.while_idle } else { pace.every });
        tokio::select! {
            () = pause => {}
            _ = changes.changed(), if is_idle => {
                changed_at = Instant::now();
                continue;
            }
        }
        let machine = disk::sweep_policy(sweep.machine, &room);
        let sweep = sweep::SweepContext { machine, ..sweep.clone() };
        match sweep::sweep(&sweep, Duration::from_mins(1)).await {
            Ok(swept) if swept.n_failed > 0 => {
                tracing::warn!(sweep.failed = swept.n_failed, "some files were not moved on");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = aws::log::chain(&error), "the sweep failed"),
        }
        // What the sweep itself changed counts too: there may be more.
        if changes.has_any() {
            changes.forget();
            changed_at = Instant::now();
        }
    }
}

/// Keeps the engine running and its heartbeat fresh for `/health`.
pub(crate) async fn beat(scan: Arc<scan::ScanContext>) {
    /// Several heartbeats fit into the silence that `/health` allows.
    const EVERY: Duration = Duration::from_secs(15);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = scan.beat().await {
            tracing::error!(error = format!("{error:#}"), "the engine does not run");
        }
    }
}
