//! Makes commits durable in groups: one flush of a database's write-ahead log serves every commit before it.
//!
//! SQLite with `synchronous=FULL` flushes the log within each commit, while every other request waits for
//! the connection. With `NORMAL` it appends to the log and flushes it before a checkpoint only; the caller
//! then awaits [`GroupCommit::flushed`] before it answers. What has been answered is as durable as with
//! `FULL`: that holds for reads as well, which may have seen commits that are not flushed yet.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::database::StandinError;

/// The flushes of one database file. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct GroupCommit(Arc<Log>);

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: Arc<File>,
    /// The number of commits that the log has, flushed or not. Written under the connection's lock.
    n_committed: AtomicU64,
    /// The task that holds this lock flushes for all that wait for it.
    flushed: Arc<Mutex<Flushed>>,
}

/// How many of the commits are durable.
#[derive(Debug)]
enum Flushed {
    Through(u64),
    /// A flush failed. The kernel reports that once and may have dropped the pages, so that a later success
    /// proves nothing: no commit is durable any longer.
    Failed,
}

impl GroupCommit {
    /// For the database at `path`, which is open, in WAL mode and with `synchronous=NORMAL`. While it is
    /// open SQLite neither removes nor replaces its log. SQLite holds no lock on the log, so that a second
    /// descriptor does no harm.
    pub(crate) fn of(path: &Path) -> Result<Self, StandinError> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let failed = |error| StandinError::Io(log.clone(), error);
        let file = File::open(&log).map_err(failed)?;
        let directory = log.parent().unwrap_or(Path::new("."));
        // The name of a new log must survive as well, and what was committed before this.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Ok(Self(Arc::new(Log {
            path: log,
            file: Arc::new(file),
            n_committed: AtomicU64::new(0),
            flushed: Arc::new(Mutex::new(Flushed::Through(0))),
        })))
    }

    /// Counts a commit. The caller holds the connection's lock.
    pub(crate) fn committed(&self) {
        self.0.n_committed.fetch_add(1, Ordering::SeqCst);
    }

    /// Returns the number of commits so far. Under the connection's lock: those that a read can have seen.
    pub(crate) fn n_committed(&self) -> u64 {
        self.0.n_committed.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(crate) async fn fail(&self) {
        *self.0.flushed.lock().await = Flushed::Failed;
    }

    /// Waits until the first `n` commits are durable. Commits that arrive during a flush share the next one.
    /// A flush whose caller gives up is completed, and its result is kept: a failure is reported once.
    pub(crate) async fn flushed(&self, n: u64) -> Result<(), StandinError> {
        if n == 0 {
            return Ok(());
        }
        let mut flushed = Arc::clone(&self.0.flushed).lock_owned().await;
        match *flushed {
            Flushed::Through(already) if already >= n => return Ok(()),
            Flushed::Through(_) => {}
            Flushed::Failed => {
                let error = io::Error::other("an earlier flush failed; the service must be restarted");
                return Err(StandinError::Io(self.0.path.clone(), error));
            }
        }
        let through = self.n_committed();
        let file = Arc::clone(&self.0.file);
        let done = tokio::task::spawn_blocking(move || {
            let done = file.sync_data();
            *flushed = if done.is_ok() { Flushed::Through(through) } else { Flushed::Failed };
            done
        });
        let done = done.await.unwrap_or_else(|_| Err(io::Error::other("the flush was cancelled")));
        done.map_err(|error| StandinError::Io(self.0.path.clone(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(directory: &Path) -> GroupCommit {
        std::fs::write(directory.join("d.db-wal"), b"").unwrap();
        GroupCommit::of(&directory.join("d.db")).unwrap()
    }

    async fn is_flushed(commits: &GroupCommit, n: u64) -> bool {
        matches!(*commits.0.flushed.lock().await, Flushed::Through(through) if through >= n)
    }

    #[tokio::test]
    async fn one_flush_serves_every_commit_before_it() {
        let directory = tempfile::tempdir().unwrap();
        let commits = log(directory.path());
        for _ in 0..3 {
            commits.committed();
        }
        assert!(!is_flushed(&commits, 1).await);
        commits.flushed(1).await.unwrap();
        assert!(is_flushed(&commits, 3).await, "the other two were in the log");
        commits.committed();
        commits.flushed(3).await.unwrap();
        assert!(!is_flushed(&commits, 4).await, "a read of earlier commits caused no further flush");
    }

    #[tokio::test]
    async fn after_a_failed_flush_nothing_is_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let commits = log(directory.path());
        let (_, writer) = io::pipe().unwrap();
        // A pipe cannot be flushed.
        let broken = Log {
            path: "pipe".into(),
            file: Arc::new(File::from(std::os::fd::OwnedFd::from(writer))),
            n_committed: AtomicU64::new(1),
            flushed: Arc::new(Mutex::new(Flushed::Through(0))),
        };
        let broken = GroupCommit(Arc::new(broken));
        assert!(broken.flushed(1).await.is_err());
        let Err(StandinError::Io(_, again)) = broken.flushed(1).await else {
            panic!("the commit was acknowledged")
        };
        assert!(again.to_string().contains("restarted"), "{again}");
        assert!(commits.flushed(0).await.is_ok());
    }

    #[tokio::test]
    async fn a_flush_whose_caller_gives_up_is_completed() {
        let directory = tempfile::tempdir().unwrap();
        let commits = log(directory.path());
        commits.committed();
        let mut flush = Box::pin(commits.flushed(1));
        let first =
            std::future::poll_fn(|context| std::task::Poll::Ready(flush.as_mut().poll(context))).await;
        assert!(first.is_pending());
        drop(flush);
        assert!(is_flushed(&commits, 1).await, "the lock is free only when the flush is over");
    }
}
