//! The verdict that is kept with a file: as its extended attribute, or else in a file beside it.
//!
//! It is a note for programs of the same user, not a proof: who may write the file may write its verdict.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, XattrFlags, fsetxattr, lgetxattr, lremovexattr};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use crate::failure;

const ATTRIBUTE: &str = "user.airlock.verdict";
/// More than any verdict needs; ext4 keeps at most a block.
const MAX_BYTES: usize = 4096;

/// A verdict on bytes of this size, modified at this time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The service's `scan_status`.
    pub(super) verdict: String,
    /// The finding's name, or why the file could not be checked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) reason: Option<String>,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) sha256: String,
    /// The engine's release.
    pub(super) engine: String,
    pub(super) judged_at: String,
}

impl Mark {
    /// Whether the verdict is about the file as it is, by this release of the engine.
    pub(super) fn fits(&self, fingerprint: &Fingerprint, release: &str) -> bool {
        self.size == fingerprint.size_bytes && self.mtime_ns == fingerprint.mtime_ns && self.engine == release
    }
}

/// The verdict that is kept with the file, which may be about earlier bytes; `None` if there is none.
pub(super) fn read(path: &Path) -> Option<Mark> {
    let mut buffer = [0; MAX_BYTES];
    let attribute = lgetxattr(path, ATTRIBUTE, &mut buffer[..]).ok();
    let attribute = attribute.and_then(|length| serde_json::from_slice(buffer.get(..length)?).ok());
    attribute.or_else(|| read_sidecar(&sidecar(path)))
}

/// Keeps the verdict with the file that is open as `file`. The error is that of the file beside it, if that
/// cannot be written either.
pub(super) fn write(file: &File, path: &Path, mark: &Mark) -> anyhow::Result<()> {
    let text = serde_json::to_vec(mark)?;
    match fsetxattr(file, ATTRIBUTE, &text, XattrFlags::empty()) {
        Ok(()) => Ok(()),
        // Not on this file system, not enough room in it, or not with these rights.
        Err(Errno::NOTSUP | Errno::NOSPC | Errno::TOOBIG | Errno::PERM | Errno::ACCESS | Errno::ROFS) => {
            // Of two verdicts, the attribute would count.
            let _ = lremovexattr(path, ATTRIBUTE);
            let sidecar = sidecar(path);
            replace(&sidecar, &text).map_err(|error| failure::of_path("write", &sidecar, &error))
        }
        Err(error) => Err(failure::of_path("keep the verdict with", path, &error.into())),
    }
}

/// Whether the file of this size is a verdict that is kept beside another file. Anything else with such a
/// name is a file like others.
pub(super) fn is_sidecar(path: &Path, size_bytes: u64) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".")
        && name.ends_with(b".airlock.json")
        && usize::try_from(size_bytes).is_ok_and(|size| size <= MAX_BYTES)
        && read_sidecar(path).is_some()
}

/// Only this user's own regular file is believed: a program that adds files to the directory could add
/// verdicts too.
fn read_sidecar(path: &Path) -> Option<Mark> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).ok()?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if !metadata.is_file() || !is_ours {
        return None;
    }
    let mut text = vec![];
    file.take(MAX_BYTES as u64).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes a new file and puts it in the place of whatever is there, which is not followed.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".airlock.").tempfile_in(directory)?;
    file.write_all(text)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path)?;
    Ok(())
}

fn sidecar(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".airlock.json");
    path.with_file_name(name)
}

#[cfg(test)]
pub(super) mod tests {
    use rustix::fs::{CWD, FileType, Mode};

    use super::*;

    pub(in crate::watch) fn mark() -> Mark {
        Mark {
            verdict: "clean".to_owned(),
            reason: None,
            size: 4,
            mtime_ns: 5,
            sha256: "00".to_owned(),
            engine: "ClamAV 1.4.6".to_owned(),
            judged_at: "2026-12-01T10:30:00Z".to_owned(),
        }
    }

    #[test]
    fn a_verdict_is_about_these_bytes_and_this_release() {
        let fingerprint = Fingerprint { device: 1, inode: 2, size_bytes: 4, mtime_ns: 5, ctime_ns: 6 };
        assert!(mark().fits(&fingerprint, "ClamAV 1.4.6"));
        assert!(!mark().fits(&fingerprint, "ClamAV 1.4.7"));
        assert!(!mark().fits(&Fingerprint { size_bytes: 3, ..fingerprint }, "ClamAV 1.4.6"));
        assert!(!mark().fits(&Fingerprint { mtime_ns: 6, ..fingerprint }, "ClamAV 1.4.6"));
    }

    #[test]
    fn a_verdict_is_read_from_beside_the_file_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.txt");
        std::fs::write(&path, "good").unwrap();
        assert_eq!(read(&path), None);
        let sidecar = directory.path().join(".a.txt.airlock.json");
        std::fs::write(&sidecar, serde_json::to_string(&mark()).unwrap()).unwrap();
        assert_eq!(read(&path), Some(mark()));
        assert!(is_sidecar(&sidecar, 200) && !is_sidecar(&path, 4));
        // Others' verdicts, and what only looks like a file, are not believed.
        std::fs::set_permissions(&sidecar, Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(&path), None);
        std::fs::remove_file(&sidecar).unwrap();
        rustix::fs::mknodat(CWD, &sidecar, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert_eq!(read(&path), None, "a pipe is not waited for");
        std::fs::remove_file(&sidecar).unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &sidecar).unwrap();
        replace(&sidecar, &serde_json::to_vec(&mark()).unwrap()).unwrap();
        assert!(!directory.path().join("elsewhere").try_exists().unwrap(), "the link is not followed");
        assert_eq!(read(&path), Some(mark()));
        let written = Mark { verdict: "infected".to_owned(), ..mark() };
        write(&File::open(&path).unwrap(), &path, &written).unwrap();
        assert_eq!(read(&path), Some(written));
    }
}
