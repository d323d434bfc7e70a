//! Installs a set on this machine: fetched beside the one in use, checked file by file, then renamed into
//! place.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use aws::{DefinitionBucket, StoreError};
use domain::id::Sha256;
use sha2::{Digest as _, Sha256 as Hasher};
use thiserror::Error;

use crate::manifest::{DatabaseName, Manifest, SetFile};

/// Why a set could not be installed. The installed one stays.
#[derive(Debug, Error)]
pub enum InstallError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{0}` cannot be written")]
    Directory(PathBuf, #[source] io::Error),
    #[error("`{0}` is not the file that the manifest names")]
    OtherContent(DatabaseName),
}

/// Returns where [`install()`] puts a set.
pub fn directory_of(manifest: &Manifest, root: &Path) -> PathBuf {
    root.join(manifest.serial.to_string())
}

/// Puts the files of `manifest`, and no others, into a new directory below `root`, and returns it. Files that
/// `before` has already are linked from there, if they still match the manifest. Idempotent; callers
/// serialize calls for one `root`.
pub async fn install(
    bucket: &DefinitionBucket,
    manifest: &Manifest,
    root: &Path,
    before: Option<&Path>,
) -> Result<PathBuf, InstallError> {
    let directory = directory_of(manifest, root);
    install_files(bucket, &manifest.files, &directory, before).await?;
    Ok(directory)
}

/// The same for any `files`, with a given `directory`.
pub(crate) async fn install_files(
    bucket: &DefinitionBucket,
    files: &[SetFile],
    directory: &Path,
    before: Option<&Path>,
) -> Result<(), InstallError> {
    let unfinished = directory.with_file_name("unfinished");
    let failed = |path: &Path, error| InstallError::Directory(path.to_owned(), error);
    for left_over in [directory, unfinished.as_path()] {
        if left_over.try_exists().map_err(|error| failed(left_over, error))? {
            std::fs::remove_dir_all(left_over).map_err(|error| failed(left_over, error))?;
        }
    }
    std::fs::create_dir_all(&unfinished).map_err(|error| failed(&unfinished, error))?;
    for file in files {
        let path = unfinished.join(file.name.as_str());
        let is_linked = match before.map(|before| before.join(file.name.as_str())) {
            Some(source) => is_content(file, &source).await && std::fs::hard_link(source, &path).is_ok(),
            None => false,
        };
        if !is_linked {
            bucket.fetch_file(file.sha256, file.size_bytes, &path).await?;
        }
        if !is_content(file, &path).await {
            let _ = std::fs::remove_dir_all(&unfinished);
            return Err(InstallError::OtherContent(file.name.clone()));
        }
    }
    std::fs::rename(&unfinished, directory).map_err(|error| failed(directory, error))
}

/// Returns whether the file at `path` matches the manifest.
async fn is_content(file: &SetFile, path: &Path) -> bool {
    let path = path.to_owned();
    let measured = tokio::task::spawn_blocking(move || measure(&path)).await;
    measured.is_ok_and(|measured| measured.is_ok_and(|it| it == (file.size_bytes, file.sha256)))
}

/// Returns the size and digest of a file.
pub(crate) fn measure(path: &Path) -> io::Result<(u64, Sha256)> {
    let (mut file, mut hasher, mut n_bytes) = (File::open(path)?, Hasher::new(), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((n_bytes, Sha256::from_bytes(hasher.finalize().into()))),
            n_read => {
                hasher.update(&buffer[..n_read]);
                n_bytes += n_read as u64;
            }
        }
    }
}
