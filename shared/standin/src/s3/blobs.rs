//! The bytes on disk: one file per object version or part, complete and flushed before a row names it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::leftovers::FileTime;
use super::rows::internal;
use super::writer::{StagedPath, Writer};
use crate::clock::random_id;
use crate::room::Room;

/// How often to check for space while a body arrives: its size may be unknown, and other bodies arrive
/// concurrently.
const LOOK_EVERY_BYTES: u64 = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Blobs {
    pub(super) named: PathBuf,
    staged: PathBuf,
    /// When this was opened, by the file system's clock: files that are older were there before.
    pub(super) opened_at: FileTime,
    /// `None` if the disk's size is the only limit.
    pub(super) room: Option<Room>,
}

/// Bytes that arrived whole and are not yet named by a row. Dropping this removes them.
#[derive(Debug)]
pub(super) struct Staged {
    path: StagedPath,
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksums: Checksum,
}

impl Blobs {
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        let (named, staged) = (directory.join("blobs"), directory.join("tmp"));
        match std::fs::remove_dir_all(&staged) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&staged)?;
        std::fs::create_dir_all(&named)?;
        let opened_at = FileTime::of(&std::fs::metadata(&staged)?);
        Ok(Self { named, staged, opened_at, room: None })
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
        let mut writer = Writer::new(self.staged.join(random_id()));
        let (mut md5, mut size) = (Md5::new(), 0);
        if let Some(mut body) = body {
            while let Some(chunk) = body.next().await {
                let chunk =
                    chunk.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
                let n_looks = size / LOOK_EVERY_BYTES;
                size += chunk.len() as u64;
                if size / LOOK_EVERY_BYTES > n_looks {
                    self.check_room(0)?;
                }
                md5.update(&chunk);
                checksums.update(&chunk);
                writer.write(chunk).await.map_err(internal)?;
            }
        }
        if declared_size.is_some_and(|announced| announced != size) {
            return Err(s3_error!(IncompleteBody));
        }
        let path = writer.finish().await.map_err(internal)?;
        Ok(Staged { path, size, md5: md5.finalize(), checksums: checksums.finalize() })
    }

    /// Joins parts into one file and flushes it. Blocking.
    pub(super) fn join(&self, parts: &[String]) -> S3Result<Staged> {
        let sizes = parts.iter().map(|part| Ok(std::fs::metadata(self.path(part))?.len()));
        self.check_room(sizes.sum::<io::Result<u64>>().map_err(internal)?)?;
        let path = StagedPath::new(self.staged.join(random_id()));
        let mut staged = Staged { path, size: 0, md5: [0; 16], checksums: Checksum::default() };
        let mut whole = File::create(staged.path.as_path()).map_err(internal)?;
        for part in parts {
            let mut part = File::open(self.path(part)).map_err(internal)?;
            staged.size += io::copy(&mut part, &mut whole).map_err(internal)?;
        }
        whole.sync_all().map_err(internal)?;
        Ok(staged)
    }

    /// Moves staged bytes to their final name, and makes the name durable. A row must name them next.
    pub(super) async fn keep(&self, staged: &mut Staged) -> S3Result<String> {
        let (blobs, mut path) = (self.clone(), std::mem::take(&mut staged.path));
        let kept = tokio::task::spawn_blocking(move || blobs.name(&mut path)).await;
        kept.map_err(internal)?.map_err(internal)
    }

    /// Blocking.
    fn name(&self, staged: &mut StagedPath) -> io::Result<String> {
        let name = random_id();
        let path = self.path(&name);
        let directory = path.parent().unwrap_or(&self.named);
        match std::fs::rename(staged.as_path(), &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(directory)?;
                File::open(&self.named)?.sync_all()?;
                std::fs::rename(staged.as_path(), &path)?;
            }
            moved => moved?,
        }
        staged.forget();
        if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(name)
    }
}
