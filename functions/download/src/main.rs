//! Download function: link tokens become redirects.

use lambda_http::{Error, run};
use settings::Environment;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let env = Environment::of_process();
    aws::log::to_cloudwatch("download", &env)?;
    let context = download::Context::connect(download::DownloadDeployment::read(&env)?).await?;
    run(download::router(context)).await
}
