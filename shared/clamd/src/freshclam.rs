//! Fetches official definitions with freshclam, which patches the existing ones and obeys the mirrors' rules.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// The parameters of freshclam.
#[derive(Clone, Debug)]
pub struct Freshclam {
    /// freshclam's binary, found on the search path or absolute.
    pub program: PathBuf,
    /// The directory of the databases; freshclam patches the files that it finds there. Its own state,
    /// `freshclam.dat`, is there as well: its id, and until when a mirror told it not to ask.
    pub directory: PathBuf,
    pub mirror: Mirror,
    pub databases: Databases,
    /// The certificate authorities of mirrors, if not the system's own file.
    pub certificates: Option<PathBuf>,
    /// `https_proxy` and its like, as freshclam reads them. It sees no other variable of ours.
    pub proxy: Vec<(String, String)>,
}

/// The source of the databases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mirror {
    /// ClamAV's own mirrors, with the current version numbers from its DNS.
    Official,
    /// A private mirror, by its URL. It has no DNS records, so freshclam requests the files' headers.
    Private(String),
}

/// The databases that are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Databases {
    /// main, daily and bytecode.
    Official,
    /// Only these.
    Only(Vec<String>),
}

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateOutcome {
    /// The databases are those of the mirror.
    Current,
    /// A mirror answered 403 or 429 earlier; it was not asked again, and the databases may be old.
    CoolingDown,
}

/// The run failed. The databases are the previous ones, or whole newer ones.
#[derive(Debug, Error)]
pub enum FreshclamError {
    #[error("freshclam's configuration cannot be written to `{0}`")]
    Conf(PathBuf, #[source] io::Error),
    #[error("`{0}` cannot be run; is ClamAV installed?")]
    Spawn(PathBuf, #[source] io::Error),
    #[error("freshclam could not update the definitions ({0})")]
    Failed(std::process::ExitStatus),
    #[error("freshclam did not finish within {0:?} and was stopped")]
    TimedOut(Duration),
}

/// freshclam's state, beside the databases.
pub const STATE_FILE: &str = "freshclam.dat";

impl Freshclam {
    /// Updates the databases once, and passes each line of freshclam's output to `heard`.
    pub async fn run(
        &self,
        limit: Duration,
        mut heard: impl FnMut(&str),
    ) -> Result<UpdateOutcome, FreshclamError> {
        let conf = self.directory.with_extension("conf");
        let written =
            std::fs::create_dir_all(&self.directory).and_then(|()| std::fs::write(&conf, self.conf()));
        written.map_err(|error| FreshclamError::Conf(conf.clone(), error))?;
        let spawned = self.command(&conf).spawn();
        let mut child = spawned.map_err(|error| FreshclamError::Spawn(self.program.clone(), error))?;
        let lines = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let mut outcome = UpdateOutcome::Current;
        let finished = tokio::time::timeout(limit, async {
            if let Some(mut lines) = lines {
                while let Ok(Some(line)) = lines.next_line().await {
                    // freshclam then exits with success, as if there had been nothing to fetch.
                    if line.contains("on cool-down until") {
                        outcome = UpdateOutcome::CoolingDown;
                    }
                    heard(&line);
                }
            }
            child.wait().await
        });
        match finished.await {
            Ok(Ok(status)) if status.success() => Ok(outcome),
            Ok(Ok(status)) => Err(FreshclamError::Failed(status)),
            Ok(Err(error)) => Err(FreshclamError::Spawn(self.program.clone(), error)),
            Err(_) => Err(FreshclamError::TimedOut(limit)),
        }
    }

    fn command(&self, conf: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--config-file={}", conf.display()))
            .arg("--stdout")
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(self.proxy.iter().cloned())
            .envs(self.certificates.iter().map(|path| ("CURL_CA_BUNDLE", path)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if self.mirror != Mirror::Official {
            command.arg("--no-dns");
        }
        command
    }

    fn conf(&self) -> String {
        let mut conf = format!(
            "DatabaseDirectory {}\nForeground yes\nMaxAttempts 1\nConnectTimeout 10\nReceiveTimeout 60\n\
             TestDatabases no\n",
            self.directory.display()
        );
        // Writing to a String cannot fail.
        let _ = match &self.mirror {
            Mirror::Official => writeln!(conf, "DatabaseMirror database.clamav.net"),
            Mirror::Private(url) => writeln!(conf, "DatabaseMirror {url}"),
        };
        if let Databases::Only(names) = &self.databases {
            for name in Self::OFFICIAL {
                if !names.iter().any(|wanted| wanted == name) {
                    let _ = writeln!(conf, "ExcludeDatabase {name}");
                }
            }
            for name in names.iter().filter(|name| !Self::OFFICIAL.contains(&name.as_str())) {
                let _ = writeln!(conf, "ExtraDatabase {name}");
            }
        }
        // As root, freshclam would drop to a user who cannot write here.
        if rustix::process::geteuid().is_root() {
            conf.push_str("DatabaseOwner root\n");
        }
        conf
    }

    const OFFICIAL: [&str; 3] = ["main", "daily", "bytecode"];
}
