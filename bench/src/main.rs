//! What we say about speed, measured: `bench pipeline`, `bench gate`. Reproduce with `make bench`.

mod archives;
mod cpu;
mod definitions;
mod gate_share;
mod pipeline;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("pipeline") => pipeline::run().await,
        Some("gate") => gate_share::run().await,
        _ => bail!("say which: `pipeline` or `gate`"),
    }
}
