//! API function: uploads, files, status, links, health.

use lambda_http::{Error, run};
use settings::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("api", &env)?;
    let context = api::Context::connect(api::ApiDeployment::read(&env)?).await?;
    run(api::router(context)).await
}
