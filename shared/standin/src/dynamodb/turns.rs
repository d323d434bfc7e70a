//! Lets one request at a time use the database, and answers when what it wrote or read is durable.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dynoxide::{Database, DynoxideError};

use crate::database::StandinError;
use crate::group_commit::GroupCommit;

/// The order of requests. The database serves one at a time anyway; so it is known which commits each saw.
#[derive(Clone)]
pub(super) struct Turns {
    turn: Arc<Mutex<()>>,
    commits: GroupCommit,
}

/// Whether a request may change an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    Read,
    Write,
}

impl Turns {
    /// For the open database at `path`. From here on it leaves the flushes to [`GroupCommit`].
    pub(super) fn of(database: &Database, path: &Path) -> Result<Self, StandinError> {
        // The only way to `synchronous=NORMAL` here; it sets nothing else that is not SQLite's default.
        let normal = database.disable_bulk_loading();
        normal.map_err(|error| StandinError::DynamoDb(error.to_string()))?;
        Ok(Self { turn: Arc::default(), commits: GroupCommit::of(path)? })
    }

    /// Runs one request on a thread that may block.
    pub(super) async fn take<T: Send + 'static>(
        &self,
        kind: RequestKind,
        work: impl FnOnce() -> dynoxide::Result<T> + Send + 'static,
    ) -> dynoxide::Result<T> {
        let failed = |error: &dyn std::fmt::Display| DynoxideError::InternalServerError(error.to_string());
        let Self { turn, commits } = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            let done = work();
            if kind == RequestKind::Write && done.is_ok() {
                commits.committed();
            }
            (done, commits.n_committed())
        });
        let (done, n_seen) = task.await.map_err(|error| failed(&error))?;
        // A refusal waits as well: it may tell of a commit that is not durable yet.
        self.commits.flushed(n_seen).await.map_err(|error| failed(&error))?;
        done
    }
}
