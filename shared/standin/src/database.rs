//! One SQLite file for objects and messages, so that an object and its event are committed together.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use thiserror::Error;

use crate::database_thread::{Answer, Committed, DatabaseThread};

/// A failure of the stand-ins' own storage.
#[derive(Debug, Error)]
pub enum StandinError {
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    #[error("`{0}` failed")]
    Io(PathBuf, #[source] io::Error),
    #[error("DynamoDB's stand-in failed: {0}")]
    DynamoDb(String),
    #[error("a database task was cancelled")]
    Cancelled,
}

/// A connection on a thread of its own. What [`transact`](Self::transact) returned survives a power cut.
#[derive(Clone, Debug)]
pub(crate) struct Database(DatabaseThread<Connection>);

/// More than the statements of this crate.
const N_PREPARED: usize = 64;

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, version TEXT NOT NULL UNIQUE,
  is_marker INTEGER NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, blob TEXT, meta TEXT NOT NULL,
  tags TEXT NOT NULL, modified_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_key ON objects (key, seq);
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, key TEXT NOT NULL, meta TEXT NOT NULL, started_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
  upload TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, number INTEGER NOT NULL,
  size INTEGER NOT NULL, md5 BLOB NOT NULL, blob TEXT NOT NULL, sha256 TEXT, PRIMARY KEY (upload, number));
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL, body TEXT NOT NULL,
  sent_at INTEGER NOT NULL, n_received INTEGER NOT NULL DEFAULT 0, visible_at INTEGER NOT NULL, receipt TEXT);
CREATE INDEX IF NOT EXISTS messages_by_visibility ON messages (visible_at, id);
CREATE TABLE IF NOT EXISTS dead_letters (
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL, body TEXT NOT NULL, n_received INTEGER NOT NULL,
  died_at INTEGER NOT NULL);
";

impl Database {
    pub(crate) fn open(path: &Path) -> Result<Self, StandinError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        // Data directories of earlier releases have parts without checksums.
        let sql = "SELECT count(*) FROM pragma_table_info('parts') WHERE name = 'sha256'";
        if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
            connection.execute_batch("ALTER TABLE parts ADD COLUMN sha256 TEXT")?;
        }
        connection.set_prepared_statement_cache_capacity(N_PREPARED);
        Ok(Self(DatabaseThread::start(connection, path)?))
    }

    /// Runs one immediate transaction, which is committed if `work` succeeds, and is durable when this
    /// returns. `work` may return an error of its own.
    pub(crate) async fn transact<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StandinError> + Send + 'static,
    {
        // A refusal waits for the disk as well: it may tell of a commit that is not durable yet.
        self.0.request(Answer::Durable, |connection| run(connection, work)).await?
    }

    /// The same without waiting for the disk, for a change that may be lost in a power cut, though not when
    /// the process is killed.
    pub(crate) async fn transact_unflushed<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StandinError> + Send + 'static,
    {
        self.0.request(Answer::Immediate, |connection| run(connection, work)).await?
    }

    /// Lets every flush from now on fail, as after an error of the disk.
    #[cfg(test)]
    pub(crate) async fn fail_flushes(&self) {
        self.0.fail_flushes().await;
    }
}

/// Returns the result with whether anything was committed.
fn run<T, E: From<StandinError>>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> (Committed, Result<T, E>) {
    let n_changes = connection.total_changes();
    let done = commit(connection, work);
    let has_changed = connection.total_changes() != n_changes;
    (if has_changed { Committed::Yes } else { Committed::No }, done)
}

fn commit<T, E: From<StandinError>>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let sqlite = |error| E::from(StandinError::Sqlite(error));
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    let done = work(&transaction)?;
    transaction.commit().map_err(sqlite)?;
    Ok(done)
}
