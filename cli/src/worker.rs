//! `worker`: scans for a deployment on AWS, beside its scan function or instead of it.

use anyhow::Context as _;
use scan::{ScanWorker, WorkerPlan};
use settings::{Environment, LogSettings};
use tokio::signal::unix::{SignalKind, signal};

/// Runs until SIGTERM or Ctrl-C, and finishes the scans that it has begun.
pub(crate) async fn work() -> anyhow::Result<()> {
    let env = Environment::of_process();
    aws::log::to_terminal(LogSettings::read(&env)?.is_debug);
    let plan =
        WorkerPlan::read(&env).context("a worker needs the environment of the stack's scan function")?;
    let mut terminated = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let worker = ScanWorker::start(plan).await?;
    let engine = worker.engine().await?;
    println!(
        "Scanning up to {} files concurrently with {}, definitions {} of {}.\n\
         Ctrl-C stops after the scans that have begun.",
        worker.n_scans(),
        engine.version,
        engine.definitions.version,
        engine.definitions.built_at
    );
    let stop = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    worker.run(stop).await;
    println!("Stopped; every scan that had begun is finished.");
    Ok(())
}
