//! Notify function: messages about news become events and webhooks.

use aws::env::Env;
use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch("notify");
    let context = notify::Context::connect(notify::Config::from_env(&Env::read())?).await?;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let time_left = aws::clock::time_left(event.context.deadline);
        Ok::<_, Error>(notify::handle(context, event.payload, time_left).await)
    }))
    .await
}
