//! What can be said on the command line?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::client::Client;
use crate::output::Output;
use crate::{doctor, download, files, operate, selftest, upload};

/// Takes files from people you do not trust and gives them to people you do.
///
/// Exit codes: 0 clean or done, 1 something failed, 2 wrong usage, 10 infected, 11 could not be checked, 12 the scan failed, 13 gone,
/// 14 no verdict yet. Of several files, the highest.
#[derive(Debug, Parser)]
#[command(name = "airlock", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

/// Which service, and how to show what it says.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The service: where its API is
    #[arg(long, global = true, env = "AIRLOCK_URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// A bearer token, where the service wants one
    #[arg(long, global = true, env = "AIRLOCK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine
    #[command(args_override_self = true)]
    Local(local::cli::Options),
    /// Upload files and wait for their verdicts
    Upload {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Only upload
        #[arg(long)]
        no_wait: bool,
        /// Give up waiting after so many seconds
        #[arg(long, default_value_t = 900)]
        timeout: u64,
        /// How often each can be downloaded
        #[arg(long)]
        max_downloads: Option<u32>,
        /// A file whose first line is the password of the files to upload; `-` for standard input. It is used for the scan, and not kept
        #[arg(long, value_name = "FILE", conflicts_with = "resume")]
        file_password: Option<PathBuf>,
        /// Go on with the upload of one large file that was interrupted: only what is missing is sent
        #[arg(long, value_name = "FILE_ID", conflicts_with = "max_downloads")]
        resume: Option<String>,
    },
    /// Download a clean file
    Download {
        /// A file's id, or a download link
        file: String,
        /// Where to; `-` is standard output. Without it, the file's own name, in this directory
        #[arg(long, short)]
        to: Option<PathBuf>,
    },
    /// List your files, newest first
    Ls {
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a file
    Status {
        file_id: String,
        /// Until it has its verdict
        #[arg(long)]
        watch: bool,
    },
    /// Make a download link
    Link {
        file_id: String,
        /// Make every link dead that was made so far, instead
        #[arg(long)]
        revoke: bool,
    },
    /// Delete files
    Rm {
        #[arg(required = true)]
        file_ids: Vec<String>,
    },
    /// Have files scanned again
    Rescan {
        #[arg(required = true)]
        file_ids: Vec<String>,
    },
    /// Release an infected file, as an operator
    Release {
        file_id: String,
        /// The digest of its bytes
        #[arg(long)]
        sha256: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Scan requests that nobody could answer
    #[command(subcommand)]
    Dlq(Dlq),
    /// Webhooks
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Virus definitions
    #[command(subcommand)]
    Definitions(Definitions),
    /// Whether the service is well, as an exit code: for health checks
    Health,
    /// Say what is wrong, and what to do about it
    Doctor,
    /// Try the promises out on a running service: EICAR, an encrypted archive, a swap, and more
    Selftest,
    /// Print completions for a shell
    Completions { shell: Shell },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Dlq {
    /// List them, with reasons
    Ls,
    /// Send them all again
    Redrive,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// List endpoints
    Ls,
    /// Send to an endpoint again that had answered 410
    Enable { id: String },
    /// Tell of past events again
    Replay {
        /// RFC 3339: events from this moment on
        #[arg(long)]
        since: String,
        /// Only to this endpoint
        #[arg(long)]
        endpoint: Option<String>,
        /// Only what was given up
        #[arg(long)]
        failed_only: bool,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Definitions {
    /// Which ones are in use, and how old they are
    Status,
    /// Run freshclam for the service on this machine; it notices by itself
    Update {
        /// The service's data directory
        #[arg(long, default_value = "data")]
        data_dir: PathBuf,
    },
}

pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Target { url, token, output } = cli.target;
    let client = || Client::new(&url, token.as_deref());
    match cli.command {
        Command::Local(options) => local::cli::run(options).await.map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "airlock", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Upload { files, no_wait, timeout, max_downloads, file_password, resume } => {
            let wait = (!no_wait).then_some(std::time::Duration::from_secs(timeout));
            let password = file_password.as_deref().map(upload::read_password).transpose()?;
            let how = upload::How { max_downloads, password, resume, wait };
            upload::upload(&client()?, output, &files, how).await
        }
        Command::Download { file, to } => download::download(&client()?, &file, to.as_deref()).await,
        Command::Ls { status, limit } => files::list(&client()?, output, status.as_deref(), limit).await,
        Command::Status { file_id, watch: true } => files::watch(&client()?, output, &file_id).await,
        Command::Status { file_id, watch: false } => files::status(&client()?, output, &file_id).await,
        Command::Link { file_id, revoke: true } => files::revoke(&client()?, &file_id).await,
        Command::Link { file_id, revoke: false } => files::link(&client()?, output, &file_id).await,
        Command::Rm { file_ids } => files::remove(&client()?, &file_ids).await,
        Command::Rescan { file_ids } => files::rescan(&client()?, output, &file_ids).await,
        Command::Release { file_id, sha256, reason } => {
            files::release(&client()?, output, &file_id, &sha256, &reason).await
        }
        Command::Dlq(command) => operate::dead_letters(&client()?, output, command).await,
        Command::Webhooks(command) => operate::webhooks(&client()?, output, command).await,
        Command::Definitions(command) => operate::definitions(&client()?, output, command).await,
        Command::Health => doctor::health(&client()?).await,
        Command::Doctor => doctor::doctor(&client()?, output).await,
        Command::Selftest => selftest::selftest(&client()?, output).await,
    }
}

impl ValueEnum for Output {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self {
            Self::Table => "table",
            Self::Json => "json",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
