//! Notify function: publishes events and sends webhooks, as the messages of its queue request.

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use settings::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("notify", &env)?;
    let context = notify::NotifyContext::connect(notify::NotifyDeployment::read(&env)?).await?;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<SqsEvent>| {
        let time_left = aws::clock::time_left(event.context.deadline);
        Ok::<_, Error>(notify::handle(context, event.payload, time_left).await)
    }))
    .await
}
