//! The plan of a backfill: one SQLite file with every version to send, which survives a kill at any moment.
//!
//! A page of a listing and the place where the next one begins are committed together, and so is what the
//! queue took. After a kill, at most the versions that the queue had just taken are sent again, which the
//! scan function ignores: a version is one file, however often it is named.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws::{ContentsMark, StoredVersion};
use domain::timestamp::Timestamp;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;
use super::state::State;

/// What the plan is for. A plan is resumed only for the same job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    /// The bucket and the key of an inventory's manifest, instead of a listing.
    pub(crate) inventory: Option<(String, String)>,
    pub(crate) since: Option<Timestamp>,
    pub(crate) is_latest_only: bool,
}

/// How much of the source is in the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Collected {
    Nothing,
    /// The listing, up to this version.
    UpTo(ContentsMark),
    /// So many of the inventory's files.
    Files(usize),
    Everything,
}

/// What a part of the source holds.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) planned: Vec<StoredVersion>,
    pub(crate) left_out: BTreeMap<LeftOut, Share>,
}

/// How many versions, and the key of one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) n: u64,
    pub(crate) example: Option<String>,
}

impl Found {
    pub(crate) fn leave_out(&mut self, why: LeftOut, key: &str) {
        let share = self.left_out.entry(why).or_default();
        share.n += 1;
        share.example.get_or_insert_with(|| key.to_owned());
    }
}

/// A version in the plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) id: i64,
    pub(crate) version: StoredVersion,
    pub(crate) state: State,
}

/// The numbers of versions to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToSend {
    pub(crate) n_versions: u64,
    /// Of those that are not larger than the service's limit.
    pub(crate) n_bytes: u64,
    pub(crate) n_too_large: u64,
    /// The times of the oldest and of the newest.
    pub(crate) between: Option<(Timestamp, Timestamp)>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    db: Connection,
}

/// "airl": another program's database is not touched.
const APPLICATION_ID: i64 = 0x6169_726c;
const SCHEMA: &str = "
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE left_out (why TEXT PRIMARY KEY, n INTEGER NOT NULL, example TEXT) WITHOUT ROWID;
    CREATE TABLE versions (id INTEGER PRIMARY KEY, key TEXT NOT NULL, version_id TEXT NOT NULL,
        etag TEXT NOT NULL, size INTEGER NOT NULL, modified_at INTEGER NOT NULL, state TEXT NOT NULL);";
/// Made when all versions are there, by a sort on disk; then a version leaves it when it is sent.
const ORDER: &str = "CREATE INDEX to_send ON versions (modified_at DESC, id) WHERE state = 'unsent'";
const COLUMNS: &str = "id, key, version_id, etag, size, modified_at, state";

impl Plan {
    /// Opens the plan of this job, or begins one. Errors: the file is the plan of another job, is used by
    /// another process, or is none.
    pub(crate) fn open(path: &Path, job: &Job) -> anyhow::Result<Self> {
        let name = path.display();
        Self::try_open(path, job).map_err(|error| {
            match error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
                Some(ErrorCode::DatabaseBusy) => {
                    anyhow::anyhow!("another backfill works on the plan `{name}`")
                }
                Some(ErrorCode::NotADatabase) => anyhow::anyhow!("`{name}` is not the plan of a backfill"),
                _ => error.context(format!("the plan `{name}` cannot be used")),
            }
        })
    }

    fn try_open(path: &Path, job: &Job) -> anyhow::Result<Self> {
        let mut db = Connection::open(path)?;
        db.busy_timeout(Duration::from_millis(200))?;
        // One process at a time. A commit that is lost in a power cut is only sent again.
        db.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        )?;
        let begun = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let number = |name| begun.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let is_new = number("schema_version")? == 0;
        if is_new {
            begun.execute_batch(SCHEMA)?;
            begun.pragma_update(None, "application_id", APPLICATION_ID)?;
            begun.pragma_update(None, "user_version", 1)?;
        } else if (number("application_id")?, number("user_version")?) != (APPLICATION_ID, 1) {
            bail!("it is not the plan of a backfill, or of another release of airlock");
        }
        begun.commit()?;
        let plan = Self { db };
        match plan.fact::<Job>("job")? {
            None => plan.state_fact("job", job)?,
            Some(other) if other == *job => {}
            Some(Job { bucket, prefix, .. }) => bail!(
                "it is for another job: s3://{bucket}/{prefix}, or with other options; \
                 name another file with --plan, or remove this one"
            ),
        }
        Ok(plan)
    }

    fn fact<T: for<'de> Deserialize<'de>>(&self, name: &str) -> anyhow::Result<Option<T>> {
        let sql = "SELECT value FROM facts WHERE name = ?";
        let value: Option<String> = self.db.query_row(sql, [name], |row| row.get(0)).optional()?;
        value.map(|value| serde_json::from_str(&value)).transpose().context("the plan is damaged")
    }

    fn state_fact(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let sql = "INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)";
        self.db.execute(sql, params![name, serde_json::to_string(value)?])?;
        Ok(())
    }

    pub(crate) fn collected(&self) -> anyhow::Result<Collected> {
        Ok(self.fact("collected")?.unwrap_or(Collected::Nothing))
    }

    /// Begins to add a part of the source. Nothing of it counts before [`Plan::finish_part`]; a part that
    /// was begun before and not finished is dropped.
    pub(crate) fn begin_part(&self) -> anyhow::Result<()> {
        if !self.db.is_autocommit() {
            self.db.execute_batch("ROLLBACK")?;
        }
        Ok(self.db.execute_batch("BEGIN")?)
    }

    /// Adds what was found. Call it between [`Plan::begin_part`] and [`Plan::finish_part`].
    pub(crate) fn add(&self, found: &Found) -> anyhow::Result<()> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO versions (key, version_id, etag, size, modified_at, state)
             VALUES (?, ?, ?, ?, ?, 'unsent')",
        )?;
        for version in &found.planned {
            let StoredVersion { key, version_id, etag, size_bytes, modified_at, .. } = version;
            insert.execute(params![key, version_id, etag, size_bytes, modified_at.as_millis()])?;
        }
        for (why, share) in &found.left_out {
            let sql = "INSERT INTO left_out (why, n, example) VALUES (?1, ?2, ?3)
                       ON CONFLICT (why) DO UPDATE SET n = n + ?2, example = coalesce(example, ?3)";
            self.db.prepare_cached(sql)?.execute(params![why.as_str(), share.n, share.example])?;
        }
        Ok(())
    }

    /// Commits the part. After [`Collected::Everything`] the plan is in order, and complete.
    pub(crate) fn finish_part(&self, collected: &Collected) -> anyhow::Result<()> {
        if *collected == Collected::Everything {
            self.db.execute_batch(ORDER)?;
        }
        self.state_fact("collected", collected)?;
        Ok(self.db.execute_batch("COMMIT")?)
    }

    /// Returns at most `limit` versions that are to be sent, the newest first.
    pub(crate) fn unsent(&self, limit: usize) -> anyhow::Result<Vec<Planned>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM versions WHERE state = 'unsent' ORDER BY modified_at DESC, id LIMIT ?"
        );
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([i64::try_from(limit)?], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns at most `limit` versions that were sent, after the one with the id `after`.
    pub(crate) fn sent(&self, after: i64, limit: i64) -> anyhow::Result<Vec<Planned>> {
        let sql =
            format!("SELECT {COLUMNS} FROM versions WHERE id > ? AND state <> 'unsent' ORDER BY id LIMIT ?");
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([after, limit], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Commits the new states of some versions.
    pub(crate) fn keep(&mut self, states: impl IntoIterator<Item = (i64, State)>) -> anyhow::Result<()> {
        let kept = self.db.transaction()?;
        {
            let mut update = kept.prepare_cached("UPDATE versions SET state = ? WHERE id = ?")?;
            for (id, state) in states {
                update.execute(params![state.as_str(), id])?;
            }
        }
        Ok(kept.commit()?)
    }

    /// Counts the versions to send.
    pub(crate) fn to_send(&self, max_file_size: u64) -> anyhow::Result<ToSend> {
        let sql = "SELECT count(*), coalesce(sum(size) FILTER (WHERE size <= ?1), 0),
                          count(*) FILTER (WHERE size > ?1), min(modified_at), max(modified_at)
                   FROM versions WHERE state = 'unsent'";
        let read = |row: &Row<'_>| {
            let (oldest, newest): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            let between = oldest.zip(newest);
            Ok(ToSend {
                n_versions: row.get(0)?,
                n_bytes: row.get(1)?,
                n_too_large: row.get(2)?,
                between: between
                    .map(|(oldest, newest)| (Timestamp::from_millis(oldest), Timestamp::from_millis(newest))),
            })
        };
        Ok(self.db.query_row(sql, [max_file_size], read)?)
    }

    /// Counts all versions in the plan by their state.
    pub(crate) fn by_state(&self) -> anyhow::Result<BTreeMap<State, u64>> {
        let mut statement = self.db.prepare("SELECT state, count(*) FROM versions GROUP BY state")?;
        let rows = statement.query_map([], |row| Ok((state(row, 0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What the plan leaves out, and why.
    pub(crate) fn left_out(&self) -> anyhow::Result<BTreeMap<LeftOut, Share>> {
        let mut statement = self.db.prepare("SELECT why, n, example FROM left_out")?;
        let rows = statement.query_map([], |row| {
            let why: String = row.get(0)?;
            let share = Share { n: row.get(1)?, example: row.get(2)? };
            Ok(LeftOut::parse(&why).map(|why| (why, share)))
        })?;
        let left_out: Result<Vec<_>, _> = rows.collect();
        Ok(left_out?.into_iter().flatten().collect())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Planned> {
    let version = StoredVersion {
        key: row.get(1)?,
        version_id: row.get(2)?,
        etag: row.get(3)?,
        size_bytes: row.get(4)?,
        modified_at: Timestamp::from_millis(row.get(5)?),
        is_latest: false,
        is_archived: false,
    };
    Ok(Planned { id: row.get(0)?, version, state: state(row, 6)? })
}

fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<State> {
    let text: String = row.get(column)?;
    State::parse(&text).ok_or_else(|| {
        let why = format!("`{text}` is not a state of a version").into();
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why)
    })
}

#[cfg(test)]
mod tests;
