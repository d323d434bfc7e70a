//! The bytes on disk: one file per object version or part, complete and flushed before a row names it.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};
use tokio::io::AsyncWriteExt as _;

use super::rows::internal;
use crate::clock::random_id;
use crate::room::Room;

/// How often to check for space while a body arrives: its size may be unknown, and other bodies arrive
/// concurrently.
const LOOK_EVERY_BYTES: u64 = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    named: PathBuf,
    staged: PathBuf,
    /// `None` if the disk's size is the only limit.
    pub(super) room: Option<Room>,
}

/// Bytes that arrived whole and are not yet named by a row. Dropping this removes them.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Checksum,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Blobs {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let blobs = Self { named: directory.join("blobs"), staged: directory.join("tmp"), room: None };
        match std::fs::remove_dir_all(&blobs.staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&blobs.staged)?;
        std::fs::create_dir_all(&blobs.named)?;
        Ok(blobs)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.named.join(name.get(..2).unwrap_or("__")).join(name)
    }

    pub(super) fn remove(&self, name: &str) {
        // If this fails, the next start removes the file.
        let _ = std::fs::remove_file(self.path(name));
    }

    /// Refuses `n_bytes` if there is no space for them.
    fn check_room(&self, n_bytes: u64) -> S3Result<()> {
        if self.room.as_ref().is_none_or(|room| room.has(n_bytes)) {
            return Ok(());
        }
        Err(s3_error!(ServiceUnavailable, "There is no room for this at present. Please try again later."))
    }

    /// Streams a body to disk, hashing on the way, and flushes it.
    pub(super) async fn stage(
        &self,
        body: Option<StreamingBlob>,
        declared_size: Option<u64>,
        mut checksums: ChecksumHasher,
    ) -> S3Result<Staged> {
        self.check_room(declared_size.unwrap_or(0))?;
        let path = self.staged.join(random_id());
        let mut staged = Staged { path, size: 0, md5: [0; 16], checksums: Checksum::default() };
        let file = tokio::fs::File::create(&staged.path).await.map_err(internal)?;
        let mut file = tokio::io::BufWriter::with_capacity(1 << 20, file);
        let mut md5 = Md5::new();
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk =
                    chunk.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
                let n_looks = staged.size / LOOK_EVERY_BYTES;
                staged.size += chunk.len() as u64;
                if staged.size / LOOK_EVERY_BYTES > n_looks {
                    self.check_room(0)?;
                }
                md5.update(&chunk);
                checksums.update(&chunk);
                file.write_all(&chunk).await.map_err(internal)?;
            }
        }
        if declared_size.is_some_and(|announced| announced != staged.size) {
            return Err(s3_error!(IncompleteBody));
        }
        file.flush().await.map_err(internal)?;
        file.get_ref().sync_all().await.map_err(internal)?;
        staged.md5 = md5.finalize();
        staged.checksums = checksums.finalize();
        Ok(staged)
    }

    /// Joins parts into one file and flushes it. Blocking.
    pub(super) fn join(&self, parts: &[String]) -> S3Result<Staged> {
        let sizes = parts.iter().map(|part| Ok(std::fs::metadata(self.path(part))?.len()));
        self.check_room(sizes.sum::<io::Result<u64>>().map_err(internal)?)?;
        let path = self.staged.join(random_id());
        let mut staged = Staged { path, size: 0, md5: [0; 16], checksums: Checksum::default() };
        let mut whole = File::create(&staged.path).map_err(internal)?;
        for part in parts {
            let mut part = File::open(self.path(part)).map_err(internal)?;
            staged.size += io::copy(&mut part, &mut whole).map_err(internal)?;
        }
        whole.sync_all().map_err(internal)?;
        Ok(staged)
    }

    /// Moves staged bytes to their final name, and makes the name durable. A row must name them next.
    pub(super) fn keep(&self, staged: &Staged) -> S3Result<String> {
        let name = random_id();
        let path = self.path(&name);
        let directory = path.parent().unwrap_or(&self.named);
        std::fs::create_dir_all(directory).map_err(internal)?;
        std::fs::rename(&staged.path, &path).map_err(internal)?;
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(internal)?;
        Ok(name)
    }

    /// Removes files that no row names: bytes whose row was never committed, or was deleted.
    pub(super) fn remove_unnamed(&self, named: &HashSet<String>) -> io::Result<()> {
        for directory in std::fs::read_dir(&self.named)? {
            for file in std::fs::read_dir(directory?.path())? {
                let file = file?;
                if !named.contains(&*file.file_name().to_string_lossy()) {
                    std::fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }
}
