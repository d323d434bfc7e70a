//! Live function: server-sent events through a function URL that streams its response.

use aws::env::Env;
use lambda_http::{Error, run_with_streaming_response};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch("live");
    let context = live::Context::connect(live::Config::from_env(&Env::read())?).await?;
    run_with_streaming_response(live::router(context)).await
}
