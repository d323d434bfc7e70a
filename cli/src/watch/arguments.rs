//! The arguments of `watch`.

use std::path::PathBuf;
use std::time::Duration;

use super::WatchOptions;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  airlock watch inbox/ --quarantine infected/
  airlock watch inbox/ --once --output json";

/// The arguments of `watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    directory: PathBuf,
    /// Move infected files to this directory, on the same file system
    #[arg(long, value_name = "DIR")]
    quarantine: Option<PathBuf>,
    /// Also move files that could not be checked as a whole
    #[arg(long, requires = "quarantine")]
    quarantine_unscannable: bool,
    /// Look at all files this often, even if the system reports no change
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse::seconds)]
    every: Duration,
    /// Judge a file once it has not changed for this time
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = parse::seconds)]
    settle: Duration,
    /// End when every file has its verdict; the highest one is the exit code
    #[arg(long)]
    once: bool,
}

impl From<Watch> for WatchOptions {
    fn from(watch: Watch) -> Self {
        let Watch { directory, quarantine, quarantine_unscannable, every, settle, once } = watch;
        Self {
            directory,
            quarantine,
            moves_unscannable: quarantine_unscannable,
            every,
            settle,
            is_once: once,
        }
    }
}
