//! `airlock`: the whole service on one machine, and a client for any deployment.

mod args;
mod client;
mod doctor;
mod download;
mod files;
mod operate;
mod output;
mod seed;
mod selftest;
mod upload;
mod upload_parts;
mod verdict;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    inspector::worker::run_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    match args::run(args::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("airlock: {error:#}");
            ExitCode::FAILURE
        }
    }
}
