//! The data directory: used by one process at a time, with secrets that only their owner can read.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

/// The directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    pub(crate) path: PathBuf,
    _lock: File,
}

/// Generated on the first start.
#[derive(Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// Signs download links and cursors.
    pub(crate) secret_key: String,
    /// Signs requests to the storage on this machine.
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets([redacted])")
    }
}

impl Secrets {
    /// Encrypts the passwords of files. Derived from the secret key, so that older directories have it too.
    pub(crate) fn password_key(&self) -> String {
        format!("passwords {}", self.secret_key)
    }
}

impl DataDir {
    /// Opens or creates the directory. Errors: another process uses it, or other users can reach it.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("cannot make the data directory `{}`", path.display()))?;
        let path = path.canonicalize().with_context(|| format!("cannot open `{}`", path.display()))?;
        close_to_others(&path)?;
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.with_context(|| format!("cannot open `{}`", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "another airlock is running on `{}`; stop it first, or choose another directory with \
                 --data-dir",
                path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock the data directory"),
        }
    }

    /// The secrets of this directory, generated if there are none. They are written atomically.
    pub(crate) fn secrets(&self) -> anyhow::Result<Secrets> {
        let path = self.path.join("secrets.json");
        if path.try_exists()? {
            let mut text = String::new();
            File::open(&path)?.read_to_string(&mut text)?;
            return serde_json::from_str(&text).with_context(|| format!("`{}` is damaged", path.display()));
        }
        let secrets = Secrets {
            secret_key: random_text() + &random_text(),
            access_key_id: format!("AKIA{}", random_text().to_uppercase()),
            secret_access_key: random_text() + &random_text(),
        };
        let unfinished = path.with_extension("new");
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(serde_json::to_string_pretty(&secrets)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)?;
        File::open(&self.path)?.sync_all()?;
        Ok(secrets)
    }
}

/// Denies other users of the machine the directory, which holds records, objects and the engine's socket.
/// Where this process does not own it, as in a container's volume, group access is tolerated.
fn close_to_others(path: &Path) -> anyhow::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    let for_others = mode & 0o077;
    if for_others == 0 || std::fs::set_permissions(path, Permissions::from_mode(0o700)).is_ok() {
        return Ok(());
    }
    let for_any_user = mode & 0o007;
    if for_any_user != 0 {
        bail!(
            "other users of this machine can reach the data directory `{}` (mode {mode:o}), and only its \
             owner can change that: `chmod 700` it",
            path.display()
        );
    }
    Ok(())
}

/// 122 random bits from the operating system, as text.
fn random_text() -> String {
    aws::clock::random_uuid().simple().to_string()
}
