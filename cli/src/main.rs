//! `airlock`: the whole service on one machine, and a client for any deployment.

mod args;
mod backfill;
mod client;
mod consent;
mod doctor;
mod download;
mod failure;
mod files;
mod gate;
mod operate;
mod output;
mod parse;
mod progress;
mod protect;
mod samples;
mod seed;
mod selftest;
mod sources;
mod upload;
mod upload_parts;
mod verdict;
mod watch;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    inspector::worker::run_if_asked();
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let output = cli.output();
    let ended = args::run(cli).await;
    ended.unwrap_or_else(|error| {
        if !failure::is_closed_output(&error) {
            output.fail(&error);
        }
        ExitCode::from(failure::code(&error))
    })
}
