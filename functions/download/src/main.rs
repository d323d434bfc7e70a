//! Download function: link tokens become redirects.

use aws::env::Env;
use lambda_http::{Error, run};

#[tokio::main]
async fn main() -> Result<(), Error> {
    aws::log::to_cloudwatch("download");
    let context = download::Context::connect(download::Config::from_env(&Env::read())?).await?;
    run(download::router(context)).await
}
