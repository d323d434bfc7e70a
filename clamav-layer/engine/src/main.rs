//! ClamAV's engine with its definitions loaded, from a snapshot of its memory.
//!
//! Loading millions of signatures takes seconds of processor time in every process. Here that is done once; the memory that it has filled is written to
//! a file, and mapped into every process that comes after, at the same address, with the pointers into libraries mended.
//!
//! GPL-2.0-only, as libclamav is; a process of its own, which Airlock talks to as it talks to clamd.

mod arena;
mod clamav;
mod conf;
mod conversions;
mod pass;
mod report;
mod sandbox;
mod serve;
mod snapshot;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::conf::Source;
use crate::snapshot::restore::Wanted;
use crate::snapshot::{build, image};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load definitions and write a snapshot of the loaded engine
    Snapshot {
        #[command(flatten)]
        source: Source,
        #[arg(long)]
        out: PathBuf,
        /// Files to try out, which say what scans need first; what a start needs is found out in any case
        #[arg(long, num_args = 1..)]
        training: Vec<PathBuf>,
        /// Do not compress: larger, and faster to read from a disk
        #[arg(long)]
        raw: bool,
    },
    /// Answer as clamd does, on the socket of a clamd.conf
    Serve {
        #[command(flatten)]
        source: Source,
        /// Without it, or if it does not fit, the definitions themselves are loaded
        #[arg(long)]
        snapshot: Option<PathBuf>,
        /// The snapshot's size, if it is still being written: what has not come yet is waited for
        #[arg(long, requires = "snapshot")]
        size: Option<u64>,
        /// For how many seconds what has not come is waited for while nothing comes; whoever fetches it tries again meanwhile
        #[arg(long, requires = "size", default_value = "30")]
        patience: u64,
        /// The SHA-256 of the snapshot's contents (bytes 16 to 47 of its file). It must be that one, and the definitions need not be there
        #[arg(long, requires = "snapshot")]
        contents: Option<String>,
    },
    /// Find out whether a snapshot fits, and is whole
    Check {
        #[command(flatten)]
        source: Source,
        #[arg(long)]
        snapshot: PathBuf,
    },
    /// Print a digest of libclamav's build: a snapshot is good only for the same
    Build,
    /// One load of the definitions, written down; `snapshot` runs it
    #[command(hide = true)]
    Load {
        #[command(flatten)]
        source: Source,
        #[arg(long)]
        out: PathBuf,
    },
}

/// What nobody waits for gives way to whatever else runs, scans above all.
fn after_others() {
    // SAFETY: a setting of this process. Whether it is taken does not matter.
    unsafe { libc::nice(19) };
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Snapshot { source, out, training, raw } => {
            after_others();
            let options = build::Options {
                source: &source,
                out: &out,
                training: &training,
                level: (!raw).then_some(6),
            };
            let contents = build::build(&source.conf()?, &options)?;
            println!(
                "{} signatures, {} MB of memory",
                contents.n_signatures,
                contents.arena.size / 1_000_000
            );
            for tier in 0..=snapshot::training::COLD {
                let frames = contents.frames.iter().filter(|frame| frame.tier == tier);
                let (n, raw, packed) = frames.fold((0, 0, 0), |(n, raw, packed), frame| {
                    (n + frame.runs.len(), raw + frame.raw_length, packed + frame.length)
                });
                println!(
                    "tier {tier}: {} KB of memory, {} KB in the file, {n} runs",
                    raw / 1000,
                    packed / 1000
                );
            }
            Ok(())
        }
        Command::Serve { source, snapshot, size, patience, contents } => {
            let patience = Duration::from_secs(patience);
            let wanted = snapshot.map(|path| Wanted { path, size_bytes: size, patience, contents });
            serve::serve(source.conf()?, wanted.as_ref())
        }
        Command::Check { source, snapshot } => {
            after_others();
            let wanted =
                Wanted { path: snapshot, size_bytes: None, patience: Duration::ZERO, contents: None };
            wanted.check(&source.conf()?)
        }
        Command::Build => {
            println!("{}", clamav::build());
            Ok(())
        }
        Command::Load { source, out } => image::write(&source.conf()?, &out),
    }
}
