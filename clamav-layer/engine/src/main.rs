//! ClamAV's engine with its definitions loaded, from a snapshot of its memory.
//!
//! Loading millions of signatures takes seconds of processor time in every process. Here that is done once;
//! the memory is written to a file, and mapped into later processes at the same address, with the pointers
//! into libraries relocated.
//!
//! GPL-2.0-only, as libclamav is; a process of its own, which Airlock addresses like clamd.

mod arena;
mod clamav;
mod conf;
mod conversions;
mod directories;
mod pass;
mod report;
mod sandbox;
mod serve;
mod snapshot;
mod stream;
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
        /// Files whose scans show which pages are needed first; the pages of a start are determined in any
        /// case
        #[arg(long, num_args = 1..)]
        training: Vec<PathBuf>,
        /// Do not compress: larger, and faster to read from a disk
        #[arg(long)]
        raw: bool,
    },
    /// Serve clamd's protocol, on the socket of a clamd.conf
    Serve {
        #[command(flatten)]
        source: Source,
        /// Without it, or if it does not match, the definitions themselves are loaded
        #[arg(long)]
        snapshot: Option<PathBuf>,
        /// The snapshot's size, if it is still being written: the engine waits for missing bytes
        #[arg(long, requires = "snapshot")]
        size: Option<u64>,
        /// The seconds to wait for missing bytes without any progress, in which a failed download can be
        /// retried; those in which this process is stopped do not count
        #[arg(long, requires = "size", default_value = "30")]
        patience: u64,
        /// The SHA-256 that the snapshot's contents (bytes 16 to 47 of its file) must have; the definitions
        /// may then be missing
        #[arg(long, requires = "snapshot")]
        contents: Option<String>,
    },
    /// Check whether a snapshot matches and is complete
    Check {
        #[command(flatten)]
        source: Source,
        #[arg(long)]
        snapshot: PathBuf,
    },
    /// Print a digest of libclamav's build: a snapshot is valid only for the same
    Build,
    /// Write the image of one load of the definitions; `snapshot` runs it
    #[command(hide = true)]
    Load {
        #[command(flatten)]
        source: Source,
        #[arg(long)]
        out: PathBuf,
    },
}

/// Keeps processes of the same user, and thus a child that a file has taken over, from reading and writing
/// this process's memory and from reading its environment (proc(5), ptrace(2)).
fn hide_memory() -> anyhow::Result<()> {
    // SAFETY: a setting of this process, which forked children inherit.
    let code = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    anyhow::ensure!(code == 0, "the process stays readable: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Lowers this process's priority: making a snapshot is not urgent, scans are.
fn after_others() {
    // SAFETY: a setting of this process. Whether it is taken does not matter.
    unsafe { libc::nice(19) };
}

fn main() -> anyhow::Result<()> {
    hide_memory()?;
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
