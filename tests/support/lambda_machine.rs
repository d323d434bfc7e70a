//! A machine like Lambda's for each process of a function (`tests/lambda_vm`).

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command as StdCommand;
use std::sync::atomic::{AtomicU32, Ordering};

use clamd::{ClamdConf, EngineLimits};
use domain::freshness::DefinitionsKind;
use tempfile::TempDir;
use tokio::process::Command;

/// This machine's architecture, as AWS names it.
pub(crate) const NATIVE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };

/// A machine that is started for each process of a function. It reaches this machine's loopback addresses.
pub(crate) struct LambdaMachine {
    arch: &'static str,
    directory: TempDir,
    n_starts: AtomicU32,
}

impl LambdaMachine {
    /// A machine for `x86_64` or `arm64`, with Debian's kernel `5.10` or `6.1`, and the layer and the
    /// functions that were built for it.
    pub(crate) fn build(arch: &'static str, kernel: &str) -> Self {
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
        let functions =
            target.join(if arch == NATIVE { "lambda".to_owned() } else { format!("lambda-{arch}") });
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let layer = crate::layer::built(arch);
        let mut command = StdCommand::new(script());
        command.args(["build", arch, kernel]).args([&layer, &functions]).arg(directory.path());
        succeed(&mut command);
        Self { arch, directory, n_starts: AtomicU32::new(0) }
    }

    /// Has the layer's engine make a snapshot of the definitions in a directory, with the limits of a
    /// scanner. Returns the snapshot's path and the engine's build.
    pub(crate) fn snapshot(&self, definitions: &Path, limits: EngineLimits) -> (PathBuf, String) {
        let work = self.directory_for("snapshot");
        let given = work.join("given/definitions");
        std::fs::create_dir_all(&given).unwrap();
        for entry in std::fs::read_dir(definitions).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, given.join(path.file_name().unwrap())).unwrap();
        }
        let found = clamd::definitions::read(definitions).unwrap();
        let conf = ClamdConf {
            socket: "/tmp/engine.sock".into(),
            temporary_directory: "/tmp/tmp".into(),
            database_directory: "/given/definitions".into(),
            limits,
            official_database_only: found.kind == DefinitionsKind::Official,
        };
        std::fs::write(work.join("given/clamd.conf"), conf.render()).unwrap();
        let mut command = StdCommand::new(script());
        succeed(command.args(["snapshot", self.arch]).args([self.directory.path(), &work]));
        let build = std::fs::read_to_string(work.join("build")).unwrap();
        (work.join("snapshot"), build.trim().to_owned())
    }

    /// The command that becomes the machine in which the function `name` runs.
    pub(super) fn command(&self, name: &str, env: impl Iterator<Item = (String, String)>) -> Command {
        let work = self.directory_for(name);
        std::fs::create_dir(work.join("given")).unwrap();
        let mut lines = String::new();
        for (name, value) in env {
            writeln!(lines, "{name}={value}").unwrap();
        }
        std::fs::write(work.join("given/environment"), lines).unwrap();
        let mut command = Command::new(script());
        command.args(["start", self.arch]).args([self.directory.path(), &work]).arg(name);
        command
    }

    fn directory_for(&self, name: &str) -> PathBuf {
        let n = self.n_starts.fetch_add(1, Ordering::Relaxed);
        let work = self.directory.path().join(format!("{name}-{n}"));
        std::fs::create_dir(&work).unwrap();
        work
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lambda_vm/function")
}

fn succeed(command: &mut StdCommand) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
