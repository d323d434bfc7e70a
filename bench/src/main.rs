//! What we say about speed, measured: `bench pipeline`, `bench gate`, `bench engine`, `bench init`; computed: `bench scale`. Reproduce with `make bench`.

mod archives;
mod cpu;
mod definitions;
mod engine;
mod gate_share;
mod init;
mod pipeline;
mod scale;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pipeline") => pipeline::run().await,
        Some("gate") => gate_share::run().await,
        Some("engine") => engine::run().await,
        Some("init") => init::run(),
        Some("scale") => {
            scale::run();
            Ok(())
        }
        _ => bail!("say which: `pipeline`, `gate`, `engine`, `init` or `scale`"),
    }
}
