//! The command line of `airlock local`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use settings::{Environment, LogSettings};

use crate::definitions::Source;
use crate::options::{Auth, LocalOptions, Tuning};
use crate::service::Local;

/// The options of `airlock local`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Directory for files, records and secrets
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
    /// Address of the page and the API
    #[arg(long, default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// Address of the storage that browsers upload to
    #[arg(long, default_value = "127.0.0.1:8001")]
    s3_listen: SocketAddr,
    /// URL by which browsers reach that storage, if not its address
    #[arg(long)]
    s3_url: Option<String>,
    /// Who may use the API: every user of this machine, or holders of a token
    #[arg(long, value_enum, default_value = "none")]
    auth: AuthMode,
    /// Virus definitions: `auto` (freshclam, else the test set), `test`, or a directory
    #[arg(long, default_value = "auto", value_parser = parse_source)]
    definitions: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AuthMode {
    /// Loopback only: every caller is the user `local`
    None,
    /// `JWT_ISSUER`, `JWT_AUDIENCE`, and `JWT_SECRET` or `JWKS_URL`
    Jwt,
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that clap wants")]
fn parse_source(text: &str) -> Result<Source, std::convert::Infallible> {
    Ok(match text {
        "auto" => Source::Auto,
        "test" => Source::TestSet,
        directory => Source::Directory(directory.into()),
    })
}

impl Options {
    fn into_local_options(self) -> LocalOptions {
        LocalOptions {
            data_dir: self.data_dir,
            listen: self.listen,
            s3_listen: self.s3_listen,
            s3_url: self.s3_url,
            auth: match self.auth {
                AuthMode::None => Auth::None,
                AuthMode::Jwt => Auth::Jwt,
            },
            definitions: self.definitions,
            tuning: Tuning::default(),
        }
    }
}

/// Starts the service, prints its addresses, and runs until a signal stops it.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let env = Environment::of_process();
    aws::log::to_terminal(LogSettings::read(&env)?.is_debug);
    let local = Local::start(options.into_local_options(), &env).await?;
    say(&local.report().to_string());
    wait_for_signal().await?;
    say("Stopping ...");
    local.stop().await;
    Ok(())
}

/// Prints a line; a service whose output was closed runs, and stops, without it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

async fn wait_for_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot listen for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
