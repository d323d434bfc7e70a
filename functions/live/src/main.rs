//! Live function: server-sent events through a function URL that streams its response.

use lambda_http::{Error, run_with_streaming_response};
use settings::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("live", &env)?;
    let context = live::Context::connect(live::LiveDeployment::read(&env)?).await?;
    run_with_streaming_response(live::router(context)).await
}
