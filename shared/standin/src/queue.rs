//! A queue with SQS's guarantees on SQLite: durable, at least once, visibility timeout, maximum receives,
//! dead letters.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, Transaction, params};
use tokio::sync::Notify;

use crate::clock::{now_millis, random_id};
use crate::database::{Database, StandinError};

/// After this the queue is read again, because its times are those of a clock that may be set.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// A queue and its dead-letter queue.
#[derive(Clone, Debug)]
pub struct Queue {
    database: Database,
    arrived: Arc<Notify>,
}

/// A message that was received and not yet acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub message_id: String,
    pub body: String,
    /// From 1.
    pub n_received: u32,
    row: i64,
    pub(crate) receipt: String,
}

/// The backlog of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    pub n_waiting: u64,
    pub n_in_flight: u64,
    /// The age of the oldest message.
    pub oldest_age: Option<Duration>,
}

/// A message that was received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadMessage {
    pub message_id: String,
    pub body: String,
    pub n_received: u32,
}

impl Queue {
    /// Opens or creates a queue in a file of its own; messages in flight are redelivered.
    pub async fn open(path: &Path) -> Result<Self, StandinError> {
        let queue = Self::new(Database::open(path)?);
        queue.rearm().await?;
        Ok(queue)
    }

    pub(crate) fn new(database: Database) -> Self {
        Self { database, arrived: Arc::new(Notify::new()) }
    }

    /// Makes every message in flight visible again: its receiver was a process that has ended.
    pub(crate) async fn rearm(&self) -> Result<(), StandinError> {
        self.database
            .transact(|tx| {
                tx.execute(
                    "UPDATE messages SET visible_at = 0, receipt = NULL WHERE receipt IS NOT NULL",
                    [],
                )?;
                Ok(())
            })
            .await
    }

    /// Stores a message; it is durable when this returns.
    pub async fn send(&self, body: String) -> Result<String, StandinError> {
        Ok(self.send_all(vec![body]).await?.remove(0))
    }

    /// Stores messages atomically, and returns their ids; they are durable when this returns.
    pub(crate) async fn send_all(&self, bodies: Vec<String>) -> Result<Vec<String>, StandinError> {
        let queue = self.clone();
        // A task of its own: receivers are woken even if the sender gives up.
        let sent = tokio::spawn(async move {
            let insert_all = move |tx: &Transaction<'_>| bodies.iter().map(|body| insert(tx, body)).collect();
            let message_ids = queue.database.transact(insert_all).await?;
            queue.wake();
            Ok(message_ids)
        });
        sent.await.unwrap_or(Err(StandinError::Cancelled))
    }

    /// Receives the oldest visible message and hides it for `visibility`. After `max_receives` receives a
    /// message becomes a dead letter instead.
    pub async fn receive(
        &self,
        visibility: Duration,
        max_receives: u32,
    ) -> Result<Option<Received>, StandinError> {
        let visibility = i64::try_from(visibility.as_millis()).unwrap_or(i64::MAX);
        // A receive that is lost in a power cut is made again: the next start redelivers what was in flight.
        self.database
            .transact_unflushed(move |tx| {
                bury(tx, max_receives)?;
                let receipt = random_id();
                let received = tx
                    .prepare_cached(
                        "UPDATE messages SET n_received = n_received + 1, visible_at = ?1, receipt = ?2
                         WHERE id = (SELECT id FROM messages WHERE visible_at <= ?3
                                     ORDER BY visible_at, id LIMIT 1)
                         RETURNING id, message_id, body, n_received",
                    )?
                    .query_row(
                        params![now_millis().saturating_add(visibility), receipt, now_millis()],
                        |row| {
                            Ok(Received {
                                row: row.get(0)?,
                                message_id: row.get(1)?,
                                body: row.get(2)?,
                                n_received: row.get(3)?,
                                receipt: receipt.clone(),
                            })
                        },
                    )
                    .optional()?;
                Ok(received)
            })
            .await
    }

    /// Removes a message. A receipt that has been superseded does nothing, as with SQS. After a power cut the
    /// message may be delivered again, as after any lost acknowledgement.
    pub async fn acknowledge(&self, received: &Received) -> Result<(), StandinError> {
        let (row, receipt) = (received.row, received.receipt.clone());
        self.database
            .transact_unflushed(move |tx| {
                let sql = "DELETE FROM messages WHERE id = ? AND receipt = ?";
                tx.prepare_cached(sql)?.execute(params![row, receipt])?;
                Ok(())
            })
            .await
    }

    /// The same, for the message that was received with `receipt`.
    pub(crate) async fn delete(&self, receipt: String) -> Result<(), StandinError> {
        self.database
            .transact_unflushed(move |tx| {
                tx.prepare_cached("DELETE FROM messages WHERE receipt = ?")?.execute([receipt])?;
                Ok(())
            })
            .await
    }

    /// Makes a message visible again after `delay`, without waiting for its visibility timeout. A receipt
    /// that has been superseded, or used here before, does nothing.
    pub async fn release(&self, received: &Received, delay: Duration) -> Result<(), StandinError> {
        self.change_visibility(received.receipt.clone(), delay).await
    }

    /// The same, for the message that was received with `receipt`.
    pub(crate) async fn change_visibility(
        &self,
        receipt: String,
        delay: Duration,
    ) -> Result<(), StandinError> {
        let visible_at = now_millis().saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        self.database
            .transact_unflushed(move |tx| {
                tx.execute(
                    "UPDATE messages SET visible_at = ?, receipt = NULL WHERE receipt = ?",
                    params![visible_at, receipt],
                )?;
                Ok(())
            })
            .await
    }

    /// Returns the number of messages, in flight or not.
    pub async fn depth(&self) -> Result<u64, StandinError> {
        let backlog = self.backlog().await?;
        Ok(backlog.n_waiting + backlog.n_in_flight)
    }

    /// Returns the numbers of messages and the age of the oldest.
    pub async fn backlog(&self) -> Result<QueueDepth, StandinError> {
        self.database
            .transact_unflushed(|tx| {
                let counted = tx.query_row(
                    "SELECT COUNT(*) FILTER (WHERE receipt IS NULL), COUNT(receipt), MIN(sent_at)
                     FROM messages",
                    [],
                    |row| {
                        let oldest: Option<i64> = row.get(2)?;
                        let age_ms = oldest.map(|sent_at| now_millis().saturating_sub(sent_at));
                        let age_ms = age_ms.and_then(|age| age.try_into().ok());
                        let oldest_age = age_ms.map(Duration::from_millis);
                        Ok(QueueDepth { n_waiting: row.get(0)?, n_in_flight: row.get(1)?, oldest_age })
                    },
                )?;
                Ok(counted)
            })
            .await
    }

    /// Removes a dead letter; returns whether it existed.
    pub async fn delete_dead_letter(&self, message_id: String) -> Result<bool, StandinError> {
        self.database
            .transact(move |tx| {
                Ok(tx.execute("DELETE FROM dead_letters WHERE message_id = ?", params![message_id])? > 0)
            })
            .await
    }

    pub async fn dead_letters(&self) -> Result<Vec<DeadMessage>, StandinError> {
        self.database
            .transact(|tx| {
                let mut statement =
                    tx.prepare("SELECT message_id, body, n_received FROM dead_letters ORDER BY id")?;
                let rows = statement.query_map([], |row| {
                    Ok(DeadMessage { message_id: row.get(0)?, body: row.get(1)?, n_received: row.get(2)? })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Waits until a message may be visible: one that arrives, or one whose delay or visibility timeout ends.
    /// May return too soon.
    pub async fn wait(&self) -> Result<(), StandinError> {
        let read = |row: &rusqlite::Row<'_>| row.get::<_, Option<i64>>(0);
        let next: Option<i64> = self
            .database
            .transact_unflushed::<_, StandinError>(move |tx| {
                let mut statement = tx.prepare_cached("SELECT MIN(visible_at) FROM messages")?;
                Ok(statement.query_row([], read)?)
            })
            .await?;
        let until_next = next.map(|at| at.saturating_sub(now_millis()).try_into().unwrap_or(0));
        let limit = until_next.map_or(LONGEST_WAIT, |millis| LONGEST_WAIT.min(Duration::from_millis(millis)));
        let _ = tokio::time::timeout(limit, self.arrived.notified()).await;
        Ok(())
    }

    pub(crate) fn wake(&self) {
        self.arrived.notify_one();
    }
}

/// Adds a message within the caller's transaction: an object and its event are committed together.
pub(crate) fn insert(tx: &Transaction<'_>, body: &str) -> Result<String, StandinError> {
    let message_id = random_id();
    let sql = "INSERT INTO messages (message_id, body, sent_at, visible_at) VALUES (?, ?, ?, 0)";
    tx.prepare_cached(sql)?.execute(params![message_id, body, now_millis()])?;
    Ok(message_id)
}

fn bury(tx: &Transaction<'_>, max_receives: u32) -> Result<(), StandinError> {
    let now = now_millis();
    let sql = "INSERT INTO dead_letters (id, message_id, body, n_received, died_at)
               SELECT id, message_id, body, n_received, ?1 FROM messages
               WHERE visible_at <= ?1 AND n_received >= ?2";
    let n_dead = tx.prepare_cached(sql)?.execute(params![now, max_receives])?;
    if n_dead > 0 {
        let sql = "DELETE FROM messages WHERE visible_at <= ? AND n_received >= ?";
        tx.execute(sql, params![now, max_receives])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn queue(directory: &std::path::Path) -> Queue {
        Queue::new(Database::open(&directory.join("q.db")).unwrap())
    }

    #[tokio::test]
    async fn a_message_is_delivered_until_it_is_acknowledged() {
        let directory = tempfile::tempdir().unwrap();
        let queue = queue(directory.path());
        queue.send("a".into()).await.unwrap();
        let first = queue.receive(LONG, 5).await.unwrap().unwrap();
        assert_eq!((first.body.as_str(), first.n_received), ("a", 1));
        assert_eq!(queue.receive(LONG, 5).await.unwrap(), None, "it is hidden");
        queue.release(&first, Duration::ZERO).await.unwrap();
        let second = queue.receive(Duration::ZERO, 5).await.unwrap().unwrap();
        assert_eq!(second.n_received, 2);
        queue.acknowledge(&first).await.unwrap();
        assert_eq!(queue.depth().await.unwrap(), 1, "an old receipt acknowledges nothing");
        let third = queue.receive(LONG, 5).await.unwrap().unwrap();
        assert_eq!(third.n_received, 3, "its visibility timed out");
        queue.acknowledge(&third).await.unwrap();
        assert_eq!(queue.depth().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_waiter_is_woken_by_a_message_and_by_the_end_of_a_delay() {
        let directory = tempfile::tempdir().unwrap();
        let queue = queue(directory.path());
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.wait().await }
        });
        queue.send("a".into()).await.unwrap();
        let soon = Duration::from_secs(10);
        tokio::time::timeout(soon, waiting).await.expect("woken").unwrap().unwrap();
        let received = queue.receive(LONG, 5).await.unwrap().unwrap();
        queue.release(&received, Duration::from_millis(50)).await.unwrap();
        let mut n_waits = 0;
        while queue.receive(LONG, 5).await.unwrap().is_none() {
            n_waits += 1;
            tokio::time::timeout(soon, queue.wait()).await.expect("woken").unwrap();
        }
        // One wake-up for the message's own signal and one for the delay; more if the timer is early by a
        // millisecond.
        assert!((1..=5).contains(&n_waits), "{n_waits}");
    }

    #[tokio::test]
    async fn a_message_dies_after_its_last_receive_and_survives_a_restart_before() {
        let directory = tempfile::tempdir().unwrap();
        {
            let queue = queue(directory.path());
            queue.send("poison".into()).await.unwrap();
            queue.receive(LONG, 2).await.unwrap().unwrap();
        }
        let queue = queue(directory.path());
        queue.rearm().await.unwrap();
        assert_eq!(queue.receive(Duration::ZERO, 2).await.unwrap().unwrap().n_received, 2);
        assert_eq!(queue.receive(LONG, 2).await.unwrap(), None);
        let dead = queue.dead_letters().await.unwrap();
        assert_eq!((dead.len(), dead[0].body.as_str(), dead[0].n_received), (1, "poison", 2));
    }
}
