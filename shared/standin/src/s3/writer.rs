//! Writes a body to a file of its own while the next bytes arrive. A body of up to a megabyte costs one task.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

/// The bytes in memory before they are written. As many again may be on their way to the disk.
const BUFFER_BYTES: usize = 1 << 20;

/// The name of a file that no row names. Dropping this removes the file.
#[derive(Debug, Default)]
pub(super) struct StagedPath(Option<PathBuf>);

impl StagedPath {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(Some(path))
    }

    pub(super) fn as_path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Keeps the file, which has another name by now.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

impl Drop for StagedPath {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A file that is being written. A task owns it together with its name, so that an upload that is cancelled
/// removes it after the task's end.
struct Unfinished {
    path: StagedPath,
    file: Option<File>,
}

/// The file and the bytes that are not passed on yet.
pub(super) struct Writer {
    writing: Option<JoinHandle<io::Result<Unfinished>>>,
    idle: Option<Unfinished>,
    chunks: Vec<Bytes>,
    n_bytes: usize,
}

impl Writer {
    /// Makes the file with the first write.
    pub(super) fn new(path: PathBuf) -> Self {
        let idle = Unfinished { path: StagedPath::new(path), file: None };
        Self { writing: None, idle: Some(idle), chunks: vec![], n_bytes: 0 }
    }

    /// Takes bytes, and waits for the disk if it is slower than the client.
    pub(super) async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.n_bytes += chunk.len();
        self.chunks.push(chunk);
        if self.n_bytes < BUFFER_BYTES {
            return Ok(());
        }
        self.n_bytes = 0;
        let (unfinished, chunks) = (self.take().await?, std::mem::take(&mut self.chunks));
        self.writing = Some(spawn_blocking(move || unfinished.append(&chunks)));
        Ok(())
    }

    /// Writes the rest and flushes the file.
    pub(super) async fn finish(mut self) -> io::Result<StagedPath> {
        let (unfinished, chunks) = (self.take().await?, std::mem::take(&mut self.chunks));
        let flushed = spawn_blocking(move || {
            let written = unfinished.append(&chunks)?;
            if let Some(file) = &written.file {
                file.sync_data()?;
            }
            Ok(written.path)
        });
        flushed.await.map_err(io::Error::other)?
    }

    async fn take(&mut self) -> io::Result<Unfinished> {
        match self.writing.take() {
            Some(writing) => writing.await.map_err(io::Error::other)?,
            None => self.idle.take().ok_or_else(|| io::Error::other("an earlier write failed")),
        }
    }
}

impl Unfinished {
    /// Blocking.
    fn append(mut self, chunks: &[Bytes]) -> io::Result<Self> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => File::create_new(self.path.as_path())?,
        };
        for chunk in chunks {
            file.write_all(chunk)?;
        }
        self.file = Some(file);
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_size_is_written_and_an_abandoned_file_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        for n_bytes in [0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, 3 * BUFFER_BYTES + 7] {
            let bytes: Vec<u8> = (0..=250).cycle().take(n_bytes).collect();
            let mut writer = Writer::new(directory.path().join("a"));
            for chunk in bytes.chunks(100_000) {
                writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
            }
            let path = writer.finish().await.unwrap();
            assert_eq!(std::fs::read(path.as_path()).unwrap(), bytes);
            drop(path);
            let mut abandoned = Writer::new(directory.path().join("a"));
            abandoned.write(bytes.into()).await.unwrap();
            let writing = abandoned.writing.take();
            drop(abandoned);
            if let Some(writing) = writing {
                drop(writing.await.unwrap().unwrap());
            }
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{n_bytes}");
        }
    }
}
