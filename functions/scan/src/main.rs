//! Scan function: S3 "object created" events, delivered in SQS batches.

use std::sync::Arc;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use settings::Environment;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<(), Error> {
    inspector::worker::run_if_asked();
    // The engine has the same user, and a file may take it over: without this, it could read the function's
    // credentials in this process's environment and memory (proc(5), ptrace(2)).
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    run()
}

#[tokio::main]
async fn run() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("scan", &env)?;
    let mut terminated = signal(SignalKind::terminate())?;
    let scanner = Arc::new(scan::Scanner::new(scan::ScanDeployment::read(&env)?));
    let handler = service_fn(async |event: LambdaEvent<SqsEvent>| {
        let time_left = aws::clock::time_left(event.context.deadline);
        Ok::<_, Error>(scanner.handle(event.payload, time_left).await)
    });
    let served = async {
        scanner.begin().await;
        Runtime::new(handler).register_snapstart_resource(scanner.clone()).run().await
    };
    tokio::select! {
        served = served => served,
        _ = terminated.recv() => {
            scanner.stop().await;
            Ok(())
        }
    }
}
