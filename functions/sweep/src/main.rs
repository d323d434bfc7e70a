//! Sweep function: runs on a schedule; the event says nothing.

use std::time::Duration;

use aws::metrics::{MetricEvent, count, emit};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::de::IgnoredAny;
use settings::Environment;

/// Kept back from the invocation's time.
const RESERVE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("sweep", &env)?;
    let context = sweep::Context::connect(sweep::SweepDeployment::read(&env)?).await;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<IgnoredAny>| {
        let time_left = aws::clock::time_left(event.context.deadline);
        let swept = sweep::sweep(context, time_left.saturating_sub(RESERVE)).await?;
        let metrics = [
            count("UnscannedFiles", swept.n_unscanned.into()),
            count("Rescans", swept.n_rescans.into()),
            count("WebhookRetries", swept.n_deliveries.into()),
        ];
        emit(&MetricEvent { service: "sweep", dimensions: &[], metrics: &metrics, at: aws::clock::now() });
        Ok::<_, Error>(swept)
    }))
    .await
}
