//! `airlock`: everything on one machine.

use clap::Parser as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    local::cli::run(local::cli::Cli::parse()).await
}
