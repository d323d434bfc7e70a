//! Scan function: S3 "object created" events, delivered in SQS batches.

use std::time::Duration;

use aws::env::Env;
use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch();
    let context = scan::Context::connect(scan::Config::from_env(&Env::read())?).await?;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let now_millis = u64::try_from(aws::clock::now().as_millis()).unwrap_or(u64::MAX);
        let time_left = Duration::from_millis(event.context.deadline.saturating_sub(now_millis));
        Ok::<_, Error>(scan::handle(context, event.payload, time_left).await)
    }))
    .await
}
