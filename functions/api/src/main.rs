//! API function: uploads, files, status, links, health.

use aws::env::Env;
use lambda_http::{Error, run};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch("api");
    let context = api::Context::connect(api::Config::from_env(&Env::read())?).await?;
    run(api::router(context)).await
}
