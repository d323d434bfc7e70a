//! Produces the figures in `bench/README.md`. `bench pipeline`, `bench gate`, `bench engine`, `bench growth`,
//! `bench init`, `bench peers`, `bench cores` and `bench transfers` measure; `bench scale` computes.
//! `bench gate FILE...` measures other files than those that it makes. Reproduce with `make bench`.
//! `bench definitions DIRECTORY` writes the made-up set that they use, for experiments.

mod archives;
mod cores;
mod cpu;
mod definitions;
mod engine;
mod gate_share;
mod growth;
mod init;
mod peers;
mod pipeline;
mod scale;
mod transfers;

use std::path::PathBuf;

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    inspector::worker::run_if_asked();
    run()
}

#[tokio::main]
async fn run() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pipeline") => pipeline::run().await,
        Some("gate") => {
            let files = std::env::args_os().skip(2).map(PathBuf::from).collect::<Vec<_>>();
            gate_share::run(&files).await
        }
        Some("engine") => engine::run().await,
        Some("growth") => growth::run(std::env::args().nth(2).map_or(Ok(1_000_000), |n| n.parse())?).await,
        Some("init") => init::run(),
        Some("peers") => {
            let arguments = std::env::args().skip(2).collect::<Vec<_>>();
            let [airlock, sets, loads @ ..] = arguments.as_slice() else {
                bail!("`peers AIRLOCK SETS [LOAD...]`, for example `peers target/release/airlock test,full`")
            };
            let loads = loads.iter().map(String::as_str).collect::<Vec<_>>();
            peers::run(airlock.as_ref(), &sets.split(',').collect::<Vec<_>>(), &loads).await
        }
        Some(what @ ("cores" | "some-cores")) => {
            let airlock = PathBuf::from(std::env::args_os().nth(2).context("`cores AIRLOCK`")?);
            if what == "cores" { cores::run(&airlock) } else { cores::run_here(&airlock).await }
        }
        Some("transfers") => {
            let airlock = std::env::args().nth(2).context("`transfers AIRLOCK`")?;
            transfers::run(airlock.as_ref()).await
        }
        Some("scale") => {
            scale::run();
            Ok(())
        }
        Some("definitions") => {
            let directory = std::env::args().nth(2).context("`definitions DIRECTORY`")?;
            std::fs::create_dir_all(&directory)?;
            definitions::write_full_size_set(directory.as_ref())
        }
        _ => bail!(
            "name one of `pipeline`, `gate`, `engine`, `growth`, `init`, `peers`, `cores`, \
             `transfers`, `scale` and `definitions DIRECTORY`"
        ),
    }
}
