//! The command line of `airlock local`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use settings::{Auth, Environment, HostSettings, LogSettings, PublicUrl};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::definitions::Source;
use crate::options::{LocalOptions, Tuning};
use crate::service::Local;
use crate::supervisor::Supervisor;

/// The options of `airlock local`. Each takes precedence over the variable of [`HostSettings`] that is named
/// like it.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Directory for files, records and secrets [env: DATA_DIR] [default: data]
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Address on which the page and the API listen [env: LISTEN] [default: 127.0.0.1:8000]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Address on which the storage listens [env: S3_LISTEN] [default: 127.0.0.1:8001]
    #[arg(long)]
    s3_listen: Option<SocketAddr>,
    /// URL by which clients reach the page and the API, if not the address [env: PUBLIC_URL]
    #[arg(long)]
    public_url: Option<PublicUrl>,
    /// URL by which clients reach the storage, if not its address [env: S3_URL]
    #[arg(long)]
    s3_url: Option<PublicUrl>,
    /// Who may use the API: every user of this machine, or holders of a token [env: AUTH] [default: none]
    #[arg(long, value_enum)]
    auth: Option<AuthMode>,
    /// Virus definitions: `auto` (freshclam, else the test set), `test`, or a directory [env: DEFINITIONS]
    /// [default: auto]
    #[arg(long)]
    definitions: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AuthMode {
    /// Loopback only: every caller is the user `local`
    None,
    /// `JWT_ISSUER`, `JWT_AUDIENCE`, and `JWT_SECRET` or `JWKS_URL`
    Jwt,
}

impl From<AuthMode> for Auth {
    fn from(mode: AuthMode) -> Self {
        match mode {
            AuthMode::None => Self::None,
            AuthMode::Jwt => Self::Jwt,
        }
    }
}

fn source(text: &str) -> Source {
    match text {
        "auto" => Source::Auto,
        "test" => Source::TestSet,
        directory => Source::Directory(directory.into()),
    }
}

impl Options {
    fn into_local_options(self, settings: HostSettings) -> LocalOptions {
        LocalOptions {
            data_dir: self.data_dir.unwrap_or(settings.data_dir),
            listen: self.listen.unwrap_or(settings.listen),
            s3_listen: self.s3_listen.unwrap_or(settings.s3_listen),
            public_url: self.public_url.or(settings.public_url),
            s3_url: self.s3_url.or(settings.s3_url),
            auth: self.auth.map_or(settings.auth, Auth::from),
            definitions: source(&self.definitions.unwrap_or(settings.definitions)),
            tuning: Tuning::default(),
        }
    }
}

/// Starts the service, prints its addresses, and runs until a signal stops it.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let env = Environment::of_process();
    aws::log::to_terminal(LogSettings::read(&env)?.is_debug);
    let options = options.into_local_options(HostSettings::read(&env)?);
    let supervisor = Supervisor::at(env.notify_socket());
    // From before the start: it answers requests a moment before it is complete.
    let mut signals = Signals::listen()?;
    let local = tokio::select! {
        local = Local::start(options, &env) => local?,
        () = signals.received() => return Ok(()),
    };
    say(&local.report().to_string());
    supervisor.ready();
    signals.received().await;
    say("Stopping ...");
    supervisor.stopping();
    local.stop().await;
    Ok(())
}

/// Prints a line; a service whose output was closed runs, and stops, without it.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What ends the service: Ctrl-C, and the signal that a supervisor sends.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn options(args: &[&str], env: &[(&str, &str)]) -> LocalOptions {
        let command = Command::try_parse_from([&["local"], args].concat()).unwrap();
        let settings = HostSettings::read(&Environment::from_pairs(env)).unwrap();
        command.options.into_local_options(settings)
    }

    #[test]
    fn every_option_has_the_variable_that_its_help_names() {
        let command = Command::command();
        let options = command.get_arguments().filter(|option| option.get_id() != "help");
        let options: Vec<(String, String)> = options
            .map(|option| {
                (option.get_id().to_string().to_uppercase(), option.get_help().unwrap().to_string())
            })
            .collect();
        let names: Vec<&str> = options.iter().map(|(name, _)| name.as_str()).collect();
        let variables: Vec<&str> = HostSettings::SUBJECT.variables.iter().map(|row| row.name).collect();
        assert_eq!(names, variables);
        for ((name, help), variable) in options.iter().zip(HostSettings::SUBJECT.variables) {
            assert!(help.contains(&format!("[env: {name}]")), "{help}");
            if let settings::Presence::Defaulted(default) = variable.presence {
                assert!(help.ends_with(&format!("[default: {default}]")), "{help}");
            }
        }
    }

    #[test]
    fn an_option_takes_precedence_over_its_variable() {
        let env = [
            ("DATA_DIR", "/d"),
            ("LISTEN", "10.0.0.5:80"),
            ("S3_LISTEN", "10.0.0.5:81"),
            ("PUBLIC_URL", "https://files.example"),
            ("S3_URL", "https://storage.example"),
            ("AUTH", "jwt"),
            ("DEFINITIONS", "test"),
        ];
        let shown = |options: &LocalOptions| {
            let LocalOptions { data_dir, listen, s3_listen, public_url, s3_url, auth, definitions, .. } =
                options;
            let url = |url: &Option<PublicUrl>| url.as_ref().map(ToString::to_string).unwrap_or_default();
            let (public_url, s3_url, data_dir) = (url(public_url), url(s3_url), data_dir.display());
            format!("{data_dir} {listen} {s3_listen} {public_url} {s3_url} {auth:?} {definitions:?}")
        };
        assert_eq!(
            shown(&options(&[], &env)),
            "/d 10.0.0.5:80 10.0.0.5:81 https://files.example https://storage.example Jwt TestSet"
        );
        let args = [
            "--data-dir=/e",
            "--listen=127.0.0.1:1",
            "--s3-listen=127.0.0.1:2",
            "--public-url=http://localhost:3",
            "--s3-url=http://localhost:4",
            "--auth=none",
            "--definitions=/defs",
        ];
        assert_eq!(
            shown(&options(&args, &env)),
            "/e 127.0.0.1:1 127.0.0.1:2 http://localhost:3 http://localhost:4 None Directory(\"/defs\")"
        );
        assert_eq!(shown(&options(&[], &[])), "data 127.0.0.1:8000 127.0.0.1:8001   None Auto");
    }
}
