//! Produces the figures in `bench/README.md`. `bench pipeline`, `bench gate`, `bench engine` and `bench init`
//! measure; `bench scale` computes. Reproduce with `make bench`. `bench definitions DIRECTORY` writes the
//! made-up set that they use, for experiments.

mod archives;
mod cpu;
mod definitions;
mod engine;
mod gate_share;
mod init;
mod pipeline;
mod scale;

use anyhow::{Context as _, bail};

fn main() -> anyhow::Result<()> {
    inspector::worker::run_if_asked();
    run()
}

#[tokio::main]
async fn run() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pipeline") => pipeline::run().await,
        Some("gate") => gate_share::run().await,
        Some("engine") => engine::run().await,
        Some("init") => init::run(),
        Some("scale") => {
            scale::run();
            Ok(())
        }
        Some("definitions") => {
            let directory = std::env::args().nth(2).context("`definitions DIRECTORY`")?;
            std::fs::create_dir_all(&directory)?;
            definitions::write_full_size_set(directory.as_ref())
        }
        _ => bail!("name one of `pipeline`, `gate`, `engine`, `init`, `scale` and `definitions DIRECTORY`"),
    }
}
