//! Definitions function: runs on a schedule, when the stack is made, and when an operator rolls back.

use aws::env::Env;
use definitions::UpdateEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch("definitions");
    let context = definitions::Context::connect(definitions::Config::from_env(&Env::read())?).await?;
    let context = &context;
    run(service_fn(async |event: LambdaEvent<UpdateEvent>| {
        definitions::handle(context, event.payload).await.map_err(Error::from)
    }))
    .await
}
