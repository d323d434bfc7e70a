//! The command line: subcommands, options and their help texts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::client::Client;
use crate::operate::{Definitions, Dlq, Webhooks};
use crate::output::Output;
use crate::{doctor, download, files, operate, selftest, upload};

/// Takes files from people you do not trust and gives them to people you do.
///
/// Exit codes: 0 clean or done, 1 something failed, 2 wrong usage, 10 infected, 11 unscannable,
/// 12 the scan failed, 13 expired or deleted, 14 no verdict yet. With several files, the highest of these.
#[derive(Debug, Parser)]
#[command(name = "airlock", version)]
pub(crate) struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

/// The service, and the format of the output.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The URL of the service's API
    #[arg(long, global = true, env = "AIRLOCK_URL", default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,
    /// A bearer token, if the service requires one
    #[arg(long, global = true, env = "AIRLOCK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The format of the output
    #[arg(long, global = true, value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole service on this machine
    #[command(args_override_self = true)]
    Local(local::cli::Options),
    /// Upload files and wait for their verdicts
    Upload {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Do not wait for the verdicts
        #[arg(long)]
        no_wait: bool,
        /// Stop waiting after this number of seconds
        #[arg(long, default_value_t = 900)]
        timeout: u64,
        /// How often each file can be downloaded
        #[arg(long)]
        max_downloads: Option<u32>,
        /// A file whose first line is the password of the files to upload; `-` for standard input. It is used
        /// for the scan, and not kept
        #[arg(long, value_name = "FILE", conflicts_with = "resume")]
        file_password: Option<PathBuf>,
        /// Resume the interrupted upload of one large file: only the missing parts are sent
        #[arg(long, value_name = "FILE_ID", conflicts_with = "max_downloads")]
        resume: Option<String>,
    },
    /// Download a clean file
    Download {
        /// A file's id, or a download link
        file: String,
        /// The path to write to; `-` is standard output [default: the file's own name, in this directory]
        #[arg(long, short)]
        to: Option<PathBuf>,
    },
    /// List your files, newest first
    Ls {
        /// Only files with this status
        #[arg(long)]
        status: Option<String>,
        /// The maximum number of files
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a file
    Status {
        file_id: String,
        /// Print every change of status until there is a verdict
        #[arg(long)]
        watch: bool,
    },
    /// Create a download link
    Link {
        file_id: String,
        /// Revoke all existing links instead
        #[arg(long)]
        revoke: bool,
    },
    /// Delete files
    Rm {
        #[arg(required = true)]
        file_ids: Vec<String>,
    },
    /// Request another scan of files
    Rescan {
        #[arg(required = true)]
        file_ids: Vec<String>,
    },
    /// Release an infected file, as an operator
    Release {
        file_id: String,
        /// The SHA-256 of its bytes
        #[arg(long)]
        sha256: String,
        /// Why the finding does not count; recorded with your name
        #[arg(long)]
        reason: String,
    },
    /// List operators' releases, newest first
    Releases {
        /// The maximum number of releases
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Revoke a release, as an operator: its files are infected again
    Unrelease {
        /// The SHA-256 of the released bytes
        sha256: String,
        /// Why the finding counts again; recorded with your name
        #[arg(long)]
        reason: String,
    },
    /// Dead letters: scan requests that failed too often
    #[command(subcommand)]
    Dlq(Dlq),
    /// Endpoints of webhooks
    #[command(subcommand)]
    Webhooks(Webhooks),
    /// Virus definitions
    #[command(subcommand)]
    Definitions(Definitions),
    /// Print the service's health, and fail if it is not ok: for health checks
    Health,
    /// Diagnose a service: what is wrong, and how to fix it
    Doctor,
    /// Try the promises on a running service: EICAR, an encrypted archive, a swap, and more
    Selftest,
    /// Print completions for a shell
    Completions { shell: Shell },
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
        Command::Releases { limit } => operate::releases(&client()?, output, limit).await,
        Command::Unrelease { sha256, reason } => {
            operate::unrelease(&client()?, output, &sha256, &reason).await
        }
        Command::Dlq(command) => operate::dead_letters(&client()?, output, command).await,
        Command::Webhooks(command) => operate::webhooks(&client()?, output, command).await,
        Command::Definitions(command) => operate::definitions(&client()?, output, command).await,
        Command::Health => doctor::health(&client()?).await,
        Command::Doctor => doctor::doctor(&client()?, output).await,
        Command::Selftest => selftest::selftest(&client()?, output).await,
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
