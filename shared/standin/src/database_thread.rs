//! One thread for each database, which does its requests in turn and makes their commits durable in groups.
//!
//! SQLite with `synchronous=FULL` flushes its write-ahead log within each commit. With `NORMAL` it appends to
//! the log and flushes it before a checkpoint only; here the thread flushes the log once for all requests
//! that it finds waiting, and answers them after that. What has been answered is as durable as with `FULL`:
//! that holds for reads as well, which may have seen commits that were not flushed yet.
//!
//! A database serves one request at a time anyway. Threads that take turns at it are woken and put to sleep
//! for each request, which costs more than most requests.

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::database::StandinError;

/// The thread of one database, which is a `D`. Clones share it; it ends with the last of them.
#[derive(Debug)]
pub(crate) struct DatabaseThread<D>(Arc<Shared<D>>);

#[derive(Debug)]
struct Shared<D> {
    /// `None` when the thread is to end.
    jobs: Option<Sender<Job<D>>>,
    thread: Option<JoinHandle<()>>,
}

/// When the answer to a request may be given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// When the disk has what the request committed, and what it may have seen.
    Durable,
    /// Immediately: what the request changes may be lost in a power cut, though not when the process is
    /// killed.
    Immediate,
}

/// Whether a request committed anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Committed {
    Yes,
    No,
}

struct Job<D> {
    when: Answer,
    work: Work<D>,
}

/// Does the request, and returns how to answer it.
type Work<D> = Box<dyn FnOnce(&mut D, &mut Log) -> Reply + Send>;

/// Sends the answer: the request's result, or the error of the flush after it.
type Reply = Box<dyn FnOnce(Result<(), StandinError>) + Send>;

/// Requests that are done between two flushes, at most: the first one waits for the last.
const MAX_GROUP: usize = 64;

impl<D: Send + 'static> DatabaseThread<D> {
    /// Starts the thread for `database`, whose file is at `path`, in WAL mode and with `synchronous=NORMAL`.
    pub(crate) fn start(database: D, path: &Path) -> Result<Self, StandinError> {
        Self::over(database, Log::of(path)?)
    }

    fn over(database: D, log: Log) -> Result<Self, StandinError> {
        let path = log.path.clone();
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("database".to_owned());
        let thread = thread.spawn(move || serve(database, log, &receiver));
        let thread = thread.map_err(|error| StandinError::Io(path, error))?;
        Ok(Self(Arc::new(Shared { jobs: Some(sender), thread: Some(thread) })))
    }

    /// Does `work` and returns its result, when `when` says. Work whose caller gives up is done nonetheless.
    /// [`StandinError::Cancelled`] if it panicked.
    pub(crate) async fn request<T: Send + 'static>(
        &self,
        when: Answer,
        work: impl FnOnce(&mut D) -> (Committed, T) + Send + 'static,
    ) -> Result<T, StandinError> {
        self.do_job(when, move |database, log| {
            let (committed, done) = work(database);
            log.is_flushed &= committed == Committed::No;
            done
        })
        .await
    }

    /// Lets every flush from now on fail, as after an error of the disk.
    #[cfg(test)]
    pub(crate) async fn fail_flushes(&self) {
        self.do_job(Answer::Immediate, |_, log| log.has_failed = true).await.unwrap();
    }

    /// How often the log was flushed.
    #[cfg(test)]
    pub(crate) async fn n_flushes(&self) -> u64 {
        self.do_job(Answer::Immediate, |_, log| log.n_flushes).await.unwrap()
    }

    async fn do_job<T: Send + 'static>(
        &self,
        when: Answer,
        work: impl FnOnce(&mut D, &mut Log) -> T + Send + 'static,
    ) -> Result<T, StandinError> {
        let (sender, receiver) = oneshot::channel();
        let work = Box::new(move |database: &mut D, log: &mut Log| {
            let done = work(database, log);
            let reply: Reply = Box::new(move |flushed| {
                // The caller may have given up.
                let _ = sender.send(flushed.map(|()| done));
            });
            reply
        });
        if let Some(jobs) = &self.0.jobs {
            // If the thread has ended, so has the channel of the answer.
            let _ = jobs.send(Job { when, work });
        }
        receiver.await.unwrap_or(Err(StandinError::Cancelled))
    }
}

impl<D> Clone for DatabaseThread<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> Drop for Shared<D> {
    /// Waits for the requests that were made, and until the database is closed: the next one may be opened on
    /// the same file.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Does requests until no further one can be made.
fn serve<D>(mut database: D, mut log: Log, jobs: &Receiver<Job<D>>) {
    let mut answers: Vec<Reply> = vec![];
    while let Ok(first) = jobs.recv() {
        for Job { when, work } in std::iter::once(first).chain(jobs.try_iter()).take(MAX_GROUP) {
            // What panics is not answered: its caller sees the end of the channel.
            match catch_unwind(AssertUnwindSafe(|| work(&mut database, &mut log))) {
                Ok(reply) if when == Answer::Immediate => reply(Ok(())),
                Ok(reply) => answers.push(reply),
                // It may have committed something before.
                Err(_) => log.is_flushed = false,
            }
        }
        for reply in answers.drain(..) {
            reply(log.flush());
        }
    }
}

/// The write-ahead log of a database.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    /// Whether the disk has every commit.
    is_flushed: bool,
    /// A flush failed. The kernel reports that once and may have dropped the pages, so that a later success
    /// proves nothing: no commit is durable any longer.
    has_failed: bool,
    #[cfg(test)]
    n_flushes: u64,
}

impl Log {
    /// Of the open database at `path`. While it is open SQLite neither removes nor replaces its log. SQLite
    /// holds no lock on the log, so that a second descriptor does no harm.
    fn of(path: &Path) -> Result<Self, StandinError> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let failed = |error| StandinError::Io(log.clone(), error);
        let file = File::open(&log).map_err(failed)?;
        let directory = log.parent().unwrap_or(Path::new("."));
        // The name of a new log must survive as well, and what was committed before this.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        Ok(Self {
            path: log,
            file,
            is_flushed: true,
            has_failed: false,
            #[cfg(test)]
            n_flushes: 0,
        })
    }

    /// Makes every commit so far durable. After an error, nothing is durable any longer.
    fn flush(&mut self) -> Result<(), StandinError> {
        if self.has_failed {
            let error = io::Error::other("an earlier flush failed; the service must be restarted");
            return Err(StandinError::Io(self.path.clone(), error));
        }
        if !self.is_flushed {
            let flushed = self.file.sync_data();
            self.is_flushed = flushed.is_ok();
            self.has_failed = flushed.is_err();
            #[cfg(test)]
            {
                self.n_flushes += 1;
            }
            flushed.map_err(|error| StandinError::Io(self.path.clone(), error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
