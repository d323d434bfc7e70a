//! The engine's program and how it is run.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use domain::freshness::Definitions;
use domain::id::Sha256;
use rustix::process::geteuid;
use tokio::process::Command;

/// A program that speaks clamd's protocol. Both have the same configuration and the same verdicts.
#[derive(Clone, Debug)]
pub enum EngineProgram {
    /// ClamAV's daemon, found on the search path or absolute. It loads its definitions at every start.
    Clamd(PathBuf),
    /// `airlock-engine` (clamav-layer/engine). It starts from a snapshot of an engine that has loaded them,
    /// if one matches.
    AirlockEngine(PathBuf),
}

/// A snapshot to start from. The engine reports on its stderr if it does not match, and does not use it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Snapshot {
    /// It may be of the definitions in the engine's directory, of others, or missing: the engine finds out.
    Kept(PathBuf),
    /// A manifest vouches for its contents. It may still be arriving, and the definitions may be missing.
    Vouched {
        path: PathBuf,
        /// Its size when it is complete.
        size_bytes: u64,
        /// The digest of the table of contents, which has the digests of everything else.
        contents: Sha256,
        definitions: Definitions,
    },
}

/// Where and under which wrapper a program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// A program and its arguments that run it; may be empty.
    pub(crate) launcher: &'a [String],
    pub(crate) directory: &'a Path,
}

/// The layer's root on Lambda. Its programs run with its own C library.
const LAYER: &str = "/opt";
/// Where the layer has libc's modules for iconv (clamav-layer/build.py). Its libc looks in Debian's directory
/// by itself, which Lambda does not have.
const LAYER_CONVERSIONS: &str = "/opt/lib/clamav/gconv";

impl EngineProgram {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Clamd(path) | Self::AirlockEngine(path) => path,
        }
    }

    /// Returns the command that starts it as a service.
    pub(crate) fn serving(&self, conf: &Path, snapshot: Option<&Snapshot>, place: Place<'_>) -> Command {
        let mut command = self.command(place);
        if matches!(self, Self::AirlockEngine(_)) {
            command.arg("serve");
        }
        command.arg(configured(conf));
        if let (Self::AirlockEngine(_), Some(snapshot)) = (self, snapshot) {
            command.args(snapshot.arguments());
        }
        command
    }

    /// Spawns it with its stderr piped. It reads hostile bytes, so it gets no credentials and no secrets.
    pub(crate) fn command(&self, place: Place<'_>) -> Command {
        let mut words = place.launcher.iter().map(Into::into).collect::<Vec<OsString>>();
        words.push(self.path().into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(place.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(conversions) = self.conversions() {
            command.env("GCONV_PATH", conversions);
        }
        command
    }

    /// The directory of the libc modules that convert text for ClamAV, if it is not where libc looks by
    /// itself.
    pub(crate) fn conversions(&self) -> Option<&'static Path> {
        self.path().starts_with(LAYER).then_some(Path::new(LAYER_CONVERSIONS))
    }
}

impl Snapshot {
    /// Returns the definitions that `program` has in memory when it starts from this, whatever its directory
    /// has.
    pub(crate) fn vouched_for(&self, program: &EngineProgram) -> Option<&Definitions> {
        match (program, self) {
            (EngineProgram::AirlockEngine(_), Self::Vouched { definitions, .. }) => Some(definitions),
            _ => None,
        }
    }

    fn arguments(&self) -> Vec<String> {
        match self {
            // A missing snapshot is no reason for a warning.
            Self::Kept(path) if !path.is_file() => vec![],
            Self::Kept(path) => vec![format!("--snapshot={}", path.display())],
            Self::Vouched { path, size_bytes, contents, .. } => vec![
                format!("--snapshot={}", path.display()),
                format!("--size={size_bytes}"),
                format!("--contents={contents}"),
            ],
        }
    }
}

pub(crate) fn configured(conf: &Path) -> String {
    format!("--config-file={}", conf.display())
}

/// Makes `path` an empty directory that only this user can read, unless it is one.
pub(crate) fn empty_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    match is_empty_directory(path) {
        Ok(true) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(false) | Err(_) => match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => std::fs::remove_file(path)?,
            removed => removed?,
        },
    }
    std::fs::DirBuilder::new().recursive(true).mode(PRIVATE).create(path)
}

/// The mode of a directory that only its user can read.
const PRIVATE: u32 = 0o700;

fn is_empty_directory(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let there = std::fs::symlink_metadata(path)?;
    let is_private = there.is_dir() && there.mode() & 0o7777 == PRIVATE && there.uid() == geteuid().as_raw();
    Ok(is_private && std::fs::read_dir(path)?.next().is_none())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn whatever_is_at_a_path_becomes_an_empty_private_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t");
        let precious = directory.path().join("precious");
        std::fs::create_dir(&precious).unwrap();
        std::fs::write(precious.join("file"), b"").unwrap();
        let make = |mode| {
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let before: [&dyn Fn(); 6] = [
            &|| {},
            &|| make(0o700),
            &|| make(0o777),
            &|| {
                make(0o700);
                std::fs::write(path.join("left"), b"").unwrap();
            },
            &|| std::fs::write(&path, b"a file").unwrap(),
            &|| symlink(&precious, &path).unwrap(),
        ];
        for (at, prepare) in before.into_iter().enumerate() {
            prepare();
            empty_directory(&path).unwrap();
            let there = std::fs::symlink_metadata(&path).unwrap();
            assert!(there.is_dir() && there.permissions().mode() & 0o7777 == 0o700, "{at}");
            assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "{at}");
            std::fs::remove_dir(&path).unwrap();
        }
        assert!(precious.join("file").try_exists().unwrap(), "a link's target is left alone");
    }

    #[test]
    fn only_the_layers_programs_are_told_where_the_layers_conversions_are() {
        let told = |program: EngineProgram| {
            let command = program.command(Place { launcher: &[], directory: Path::new("/tmp") });
            let told = command.as_std().get_envs().find(|(name, _)| *name == "GCONV_PATH");
            told.map(|(_, value)| value.unwrap().to_owned())
        };
        let layer = Some(OsString::from(LAYER_CONVERSIONS));
        assert_eq!(told(EngineProgram::Clamd("/opt/bin/clamd".into())), layer);
        assert_eq!(told(EngineProgram::AirlockEngine("/opt/bin/airlock-engine".into())), layer);
        assert_eq!(told(EngineProgram::Clamd("/usr/sbin/clamd".into())), None);
    }
}
