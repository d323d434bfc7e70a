//! Background tasks: what AWS would do for a deployment.

use std::sync::Arc;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use standin::pump::{self, Delivery};
use standin::queue::Queue;
use standin::room::Room;

use crate::disk;

/// Delivers scan requests to the scan function.
pub(crate) async fn deliver(queue: Queue, delivery: Delivery, room: Room, scan: Arc<scan::Context>) {
    // As on AWS: the function has more time than one scan takes, and the message is hidden for even longer.
    let time_left = scan.scan_timeout + Duration::from_secs(30);
    pump::run_while(queue, delivery, disk::gatekeeper(room), move |event: SqsEvent| {
        let scan = Arc::clone(&scan);
        async move { Ok::<_, std::convert::Infallible>(scan::handle(&scan, event, time_left).await) }
    })
    .await;
}

/// Delivers event messages to the notify function.
pub(crate) async fn tell(queue: Queue, delivery: Delivery, notify: Arc<notify::Context>) {
    /// Enough for several webhooks that do not answer.
    const TIME_LEFT: Duration = Duration::from_mins(2);
    pump::run(queue, delivery, move |event: SqsEvent| {
        let notify = Arc::clone(&notify);
        async move { Ok::<_, std::convert::Infallible>(notify::handle(&notify, event, TIME_LEFT).await) }
    })
    .await;
}

/// Sweeps on a schedule.
pub(crate) async fn sweep(every: Duration, room: Room, sweep: sweep::Context) {
    loop {
        tokio::time::sleep(every).await;
        let machine = disk::sweep_policy(sweep.machine, &room);
        let sweep = sweep::Context { machine, ..sweep.clone() };
        match sweep::sweep(&sweep, Duration::from_mins(1)).await {
            Ok(swept) if swept.n_failed > 0 => {
                tracing::warn!(sweep.failed = swept.n_failed, "some files were not moved on");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(error = aws::log::chain(&error), "the sweep failed"),
        }
    }
}

/// Keeps the engine running and its heartbeat fresh for `/health`.
pub(crate) async fn beat(scan: Arc<scan::Context>) {
    /// Several heartbeats fit into the silence that `/health` allows.
    const EVERY: Duration = Duration::from_secs(15);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = scan.beat().await {
            tracing::error!(error = format!("{error:#}"), "the engine does not run");
        }
    }
}
