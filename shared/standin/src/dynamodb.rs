//! DynamoDB on SQLite (dynoxide), with the table that `template.yaml` describes.

mod meter;
mod migration;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use dynoxide::Database;
use serde_json::json;
use tokio::time::{Instant, interval_at};

use self::meter::Meter;
use crate::database::StandinError;
use crate::database_thread::DatabaseThread;

/// The embedded DynamoDB.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    meter: Meter,
    thread: DatabaseThread<Database>,
}

impl std::fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DynamoDb")
    }
}

impl DynamoDb {
    /// Opens or creates the database, and its table if it is new. The table of an earlier release gets the
    /// attributes and indexes of this one.
    pub fn open(path: &Path, table: &str) -> Result<Self, StandinError> {
        let database = Database::new(&path.to_string_lossy()).map_err(failed)?;
        if database.get_table_metadata(table).map_err(failed)?.is_none() {
            database.create_table(request(table_definition(table))?).map_err(failed)?;
            let ttl = json!({
                "TableName": table,
                "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true },
            });
            database.update_time_to_live(request(ttl)?).map_err(failed)?;
        } else {
            migration::migrate(&database, table)?;
        }
        // The only way to `synchronous=NORMAL` here; it sets nothing else that is not SQLite's default. From
        // here on the thread flushes the log.
        database.disable_bulk_loading().map_err(failed)?;
        let thread = DatabaseThread::start(database.clone(), path)?;
        Ok(Self { database, meter: Meter::default(), thread })
    }

    /// How many write units the requests have consumed since the database was opened, as DynamoDB bills
    /// them: the table's and the indexes', transactions double. By kind of item: what its key begins with.
    pub fn write_units(&self) -> BTreeMap<String, u64> {
        self.meter.write_units()
    }

    /// The wire protocol. Signatures are not verified: for [`InProcess`](crate::InProcess), never for a port.
    pub fn router(&self) -> Router {
        wire::router(self.clone())
    }

    /// Removes expired items from time to time, as DynamoDB does.
    pub async fn expire_items(self, first: Duration, every: Duration) {
        let mut times = interval_at(Instant::now() + first, every);
        loop {
            times.tick().await;
            let database = self.database.clone();
            match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
                Ok(Ok(n_removed)) => tracing::debug!(ttl.removed = n_removed, "expired items removed"),
                Ok(Err(error)) => tracing::warn!(%error, "expired items could not be removed"),
                Err(_) => return,
            }
        }
    }
}

/// Name, hash key and range key; as in `template.yaml`.
const INDEXES: [(&str, &str, &str); 4] = [
    ("by_owner", "owner", "listed_at"),
    ("feed", "owner", "changed_at"),
    ("due", "due", "due_at"),
    ("rescan", "rescan", "rescan_at"),
];

fn failed(error: impl std::fmt::Display) -> StandinError {
    StandinError::DynamoDb(error.to_string())
}

fn request<T: serde::de::DeserializeOwned>(body: serde_json::Value) -> Result<T, StandinError> {
    serde_json::from_value(body).map_err(failed)
}

fn index(name: &str, hash: &str, range: &str) -> serde_json::Value {
    json!({
        "IndexName": name,
        "KeySchema": [
            { "AttributeName": hash, "KeyType": "HASH" },
            { "AttributeName": range, "KeyType": "RANGE" },
        ],
        "Projection": { "ProjectionType": "KEYS_ONLY" },
    })
}

fn attribute(name: &str, kind: &str) -> serde_json::Value {
    json!({ "AttributeName": name, "AttributeType": kind })
}

/// The attributes that are keys; an attribute may be the key of several indexes.
fn attributes() -> Vec<serde_json::Value> {
    let ranges = INDEXES.map(|(_, _, range)| attribute(range, "N"));
    let keys = ["pk", "owner", "due", "rescan"].map(|name| attribute(name, "S"));
    keys.into_iter().chain(ranges).collect()
}

fn table_definition(table: &str) -> serde_json::Value {
    json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes(),
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": INDEXES.map(|(name, hash, range)| index(name, hash, range)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_the_same_indexes() {
        let template = include_str!("../../../template.yaml");
        for (name, hash, range) in INDEXES {
            let (_, index) = template.split_once(&format!("- IndexName: {name}\n")).expect(name);
            let lines: Vec<&str> = index.lines().map(str::trim).take(2).collect();
            let key = |name: &str, kind: &str| format!("{{ AttributeName: {name}, KeyType: {kind} }}");
            let keys = format!("KeySchema: [{}, {}]", key(hash, "HASH"), key(range, "RANGE"));
            assert_eq!(lines, [keys.as_str(), "Projection: { ProjectionType: KEYS_ONLY }"], "{name}");
        }
        assert_eq!(template.matches("- IndexName: ").count(), INDEXES.len());
    }
}
