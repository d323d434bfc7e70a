//! The command line: subcommands, options and their help texts.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use domain::record::Status;

use crate::backfill::Backfill;
use crate::client::Client;
use crate::gate::Place;
use crate::gate::arguments::Gate;
use crate::operate::{Definitions, Dlq, Webhooks};
use crate::output::{self, Output};
use crate::protect::arguments::{Protect, Unprotect};
use crate::samples::{self, Samples};
use crate::watch::arguments::Watch;
use crate::{doctor, download, files, operate, parse, selftest, upload, watch, worker};

const WORKER_ABOUT: &str = "\
Scan for a deployment on AWS, from any machine with ClamAV

Receives from the stack's scan queue what Lambda would deliver to the scan function, \
with that function's environment: AIRLOCK_TABLE, AIRLOCK_SCAN_QUEUE_URL, S3_BUCKET_NAME, \
AIRLOCK_DEFINITIONS_BUCKET, AIRLOCK_DEFINITIONS_PUBLIC_KEY and the SDK's credentials and region. \
Any number of workers may run beside each other and beside the function (docs/scale.md).";

const UPLOAD_EXAMPLES: &str = "\
Examples:
  airlock upload report.pdf photos.zip
  airlock upload --recursive inbox/
  tar cz notes | airlock upload - --name notes.tar.gz
  airlock upload --output json report.pdf | jq -r '.[].scan_status'";

const DOWNLOAD_EXAMPLES: &str = "\
Examples:
  airlock download 0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e
  airlock download https://airlock.example.com/download/TOKEN --to downloads/
  airlock download 0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e --to - | tar xz";

const LS_EXAMPLES: &str = "\
Examples:
  airlock ls --status infected
  airlock ls --all --output json | jq -r '.[].file_id'";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  airlock doctor --url https://airlock.example.com --token \"$TOKEN\"
  airlock doctor --url https://airlock.example.com --origin https://app.example.com
  airlock doctor --bucket bucket/incoming/ --all";

const EXIT_CODES: &str = "\
Exit codes:
    0  clean or released, or done
    1  something failed
    2  wrong usage
   10  infected
   11  unscannable: it could not be checked as a whole
   12  the scan failed
   13  expired or deleted
   14  no verdict yet
  130  interrupted by Ctrl-C
  141  the output was closed, as by `| head`
  Of several files, the highest.";

/// Takes files from people you do not trust and gives them to people you do
#[derive(Debug, Parser)]
#[command(name = "airlock", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

impl Cli {
    pub(crate) fn output(&self) -> Output {
        self.target.output
    }
}

/// The service, and the format of the output.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The URL of the service's API
    #[arg(long, global = true, env = "AIRLOCK_URL", default_value = "http://127.0.0.1:8000")]
    #[arg(value_parser = parse::base_url)]
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
    /// Scan for a deployment on AWS, from any machine with ClamAV
    #[command(long_about = WORKER_ABOUT)]
    Worker,
    /// Upload files and wait for their verdicts
    #[command(after_help = UPLOAD_EXAMPLES)]
    Upload(Upload),
    /// Download a clean file
    #[command(after_help = DOWNLOAD_EXAMPLES)]
    Download {
        /// A file's id, or a download link
        file: String,
        /// The file or directory to write to; `-` is standard output [default: the file's own name, here]
        #[arg(long, short, value_name = "PATH")]
        to: Option<PathBuf>,
        /// Replace an existing file
        #[arg(long, short)]
        force: bool,
    },
    /// List your files, newest first
    #[command(after_help = LS_EXAMPLES)]
    Ls {
        /// Only files with this status
        #[arg(long, value_parser = PossibleValuesParser::new(Status::ALL.map(Status::as_str)))]
        status: Option<String>,
        /// The maximum number of files
        #[arg(long, value_name = "N", default_value = "20", value_parser = parse::count)]
        limit: u32,
        /// All files, however many there are
        #[arg(long, conflicts_with = "limit")]
        all: bool,
    },
    /// Show a file
    Status {
        #[arg(value_parser = parse::file_id)]
        file_id: String,
        /// Print every change of status until there is a verdict
        #[arg(long)]
        watch: bool,
    },
    /// Create a download link
    Link {
        #[arg(value_parser = parse::file_id)]
        file_id: String,
        /// Revoke all existing links instead
        #[arg(long)]
        revoke: bool,
    },
    /// Keep a verdict beside every file of a directory on this machine
    Watch(Watch),
    /// Have the versions judged that were in a bucket before it was protected
    Backfill(Backfill),
    /// Delete files
    Rm {
        #[arg(required = true, value_parser = parse::file_id)]
        file_ids: Vec<String>,
    },
    /// Request another scan of files
    Rescan {
        #[arg(required = true, value_parser = parse::file_id)]
        file_ids: Vec<String>,
        /// Wait for the new verdicts, which become the exit code
        #[arg(long)]
        watch: bool,
        /// Stop waiting for each file after this time
        #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = parse::seconds)]
        #[arg(requires = "watch")]
        timeout: Duration,
    },
    /// Release an infected file, as an operator
    Release {
        #[arg(value_parser = parse::file_id)]
        file_id: String,
        /// The SHA-256 of its bytes
        #[arg(long, value_name = "DIGEST", value_parser = parse::digest)]
        sha256: String,
        /// Why the finding does not count; recorded with your name
        #[arg(long)]
        reason: String,
    },
    /// List operators' releases, newest first
    Releases {
        /// The maximum number of releases
        #[arg(long, value_name = "N", default_value_t = 50)]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Revoke a release, as an operator: its files are infected again
    Unrelease {
        /// The SHA-256 of the released bytes
        #[arg(value_parser = parse::digest)]
        sha256: String,
        /// Why the finding counts again; recorded with your name
        #[arg(long)]
        reason: String,
    },
    /// Samples: files that are not clean, for operators who examine them
    #[command(subcommand)]
    Samples(Samples),
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
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor {
        /// Also check that pages of this origin may upload
        #[arg(long, value_name = "ORIGIN", value_parser = parse::base_url)]
        origin: Option<String>,
        /// Examine a bucket instead, with the AWS credentials of the environment: who can read what
        #[arg(long, value_name = "BUCKET[/PREFIX]", conflicts_with = "origin", value_parser = Place::parse)]
        bucket: Option<Place>,
        /// Examine all versions of the bucket instead of the first thousand
        #[arg(long, requires = "bucket")]
        all: bool,
    },
    /// Print the statements of a bucket's policy by which only clean versions can be read
    Gate(Gate),
    /// Have the objects of another application's bucket judged where they are
    Protect(Protect),
    /// Leave a bucket as it was before `protect`
    Unprotect(Unprotect),
    /// Try the promises on a running service: EICAR, an encrypted archive, a swap, and more
    Selftest,
    /// Print completions for a shell
    Completions { shell: Shell },
}

/// The arguments of `upload`.
#[derive(Debug, clap::Args)]
struct Upload {
    /// Files; `-` is standard input, and needs --name
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Upload all files below directories; links are skipped
    #[arg(long, short)]
    recursive: bool,
    /// The name under which one file is uploaded, instead of its own
    #[arg(long)]
    name: Option<String>,
    /// Do not wait for the verdicts
    #[arg(long)]
    no_wait: bool,
    /// Stop waiting for each verdict after this time
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = parse::seconds)]
    timeout: Duration,
    /// How often each file can be downloaded
    #[arg(long, value_name = "N", value_parser = parse::count)]
    max_downloads: Option<u32>,
    /// A file whose first line is the password of the files to upload; `-` for standard input. It is used
    /// for the scan, and not kept
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    file_password: Option<PathBuf>,
    /// Resume the interrupted upload of one large file: only the missing parts are sent
    #[arg(long, value_name = "FILE_ID", conflicts_with = "max_downloads", value_parser = parse::file_id)]
    resume: Option<String>,
}

impl Upload {
    async fn run(self, client: &Client, output: Output) -> anyhow::Result<ExitCode> {
        let stdin = Path::new("-");
        let is_stdin_a_file = self.files.iter().any(|file| file == stdin);
        if is_stdin_a_file && self.file_password.as_deref() == Some(stdin) {
            anyhow::bail!("standard input cannot be both a file and its password");
        }
        let how = upload::How {
            max_downloads: self.max_downloads,
            password: self.file_password.as_deref().map(upload::read_password).transpose()?,
            resume: self.resume,
            name: self.name,
            is_recursive: self.recursive,
            wait: (!self.no_wait).then_some(self.timeout),
        };
        upload::upload(client, output, &self.files, how).await
    }
}

/// Parses the command line; the error is the exit code, after a message or the help is printed.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        // The option itself may be what could not be parsed.
        let arguments: Vec<_> = std::env::args().collect();
        let is_json = arguments.iter().any(|argument| argument == "--output=json")
            || arguments.windows(2).any(|pair| pair == ["--output", "json"]);
        if error.use_stderr() && is_json {
            let message = error.to_string();
            let error = serde_json::json!({ "error": { "code": "usage", "message": message.trim_end() } });
            let _ = writeln!(std::io::stderr(), "{error}");
        } else {
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
    })
}

pub(crate) async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let Target { url, token, output } = cli.target;
    let client = || Client::new(&url, token.as_deref());
    match cli.command {
        Command::Local(options) => local::cli::run(options).await.map(|()| ExitCode::SUCCESS),
        Command::Worker => worker::work().await.map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "airlock", &mut script);
            output::write(&String::from_utf8_lossy(&script))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Upload(upload) => upload.run(&client()?, output).await,
        Command::Download { file, to, force } => {
            let destination = download::Destination { to: to.as_deref(), may_replace: force };
            download::download(&client()?, output, &file, destination).await
        }
        Command::Ls { status, limit, all } => {
            files::list(&client()?, output, status.as_deref(), (!all).then_some(limit)).await
        }
        Command::Status { file_id, watch: true } => files::watch(&client()?, output, &file_id).await,
        Command::Status { file_id, watch: false } => files::status(&client()?, output, &file_id).await,
        Command::Link { file_id, revoke: true } => files::revoke(&client()?, output, &file_id).await,
        Command::Link { file_id, revoke: false } => files::link(&client()?, output, &file_id).await,
        Command::Backfill(backfill) => backfill.run(output).await,
        Command::Watch(options) => watch::watch(&client()?, output, options.into()).await,
        Command::Rm { file_ids } => files::remove(&client()?, output, &file_ids).await,
        Command::Rescan { file_ids, watch, timeout } => {
            files::rescan(&client()?, output, &file_ids, watch.then_some(timeout)).await
        }
        Command::Release { file_id, sha256, reason } => {
            files::release(&client()?, output, &file_id, &sha256, &reason).await
        }
        Command::Releases { limit } => operate::releases(&client()?, output, limit).await,
        Command::Unrelease { sha256, reason } => {
            operate::unrelease(&client()?, output, &sha256, &reason).await
        }
        Command::Samples(command) => samples::samples(&client()?, output, command).await,
        Command::Dlq(command) => operate::dead_letters(&client()?, output, command).await,
        Command::Webhooks(command) => operate::webhooks(&client()?, output, command).await,
        Command::Definitions(command) => operate::definitions(&client()?, output, command).await,
        Command::Health => doctor::health(&client()?, output).await,
        Command::Doctor { bucket: Some(place), all, .. } => doctor::examine(&place, all, output).await,
        Command::Gate(gate) => gate.print(output),
        Command::Protect(protect) => protect.run(output).await,
        Command::Unprotect(unprotect) => unprotect.run(output).await,
        Command::Doctor { origin, .. } => doctor::doctor(&client()?, output, origin.as_deref()).await,
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
