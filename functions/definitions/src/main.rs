//! Definitions function: runs on a schedule, when the stack is made, and when an operator rolls back.

use definitions::UpdateEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use settings::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("definitions", &env)?;
    let context = definitions::Context::connect(definitions::PublisherDeployment::read(&env)?).await?;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<UpdateEvent>| {
        definitions::handle(context, event.payload).await.map_err(Error::from)
    }))
    .await
}
