//! DynamoDB on SQLite (dynoxide), with the table that `template.yaml` describes.

mod turns;
mod wire;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use dynoxide::Database;
use serde_json::json;

use self::turns::Turns;
use crate::database::StandinError;

/// The embedded DynamoDB.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    turns: Turns,
}

impl std::fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DynamoDb")
    }
}

impl DynamoDb {
    /// Opens or creates the database, and its table if it is new.
    pub fn open(path: &Path, table: &str) -> Result<Self, StandinError> {
        let failed = |error: &dyn std::fmt::Display| StandinError::DynamoDb(error.to_string());
        let database = Database::new(&path.to_string_lossy()).map_err(|error| failed(&error))?;
        let is_new = database.get_table_metadata(table).map_err(|error| failed(&error))?.is_none();
        if is_new {
            let request = serde_json::from_value(table_definition(table)).map_err(|error| failed(&error))?;
            database.create_table(request).map_err(|error| failed(&error))?;
            let ttl = json!({
                "TableName": table,
                "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true },
            });
            let request = serde_json::from_value(ttl).map_err(|error| failed(&error))?;
            database.update_time_to_live(request).map_err(|error| failed(&error))?;
        }
        add_missing_indexes(&database, table)?;
        let turns = Turns::of(&database, path)?;
        Ok(Self { database, turns })
    }

    /// The wire protocol. Signatures are not verified: for [`InProcess`](crate::InProcess), never for a port.
    pub fn router(&self) -> Router {
        wire::router(self.clone())
    }

    /// Removes expired items from time to time, as DynamoDB does.
    pub async fn expire_items(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let database = self.database.clone();
            match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
                Ok(Ok(n_removed)) => tracing::debug!(ttl.removed = n_removed, "expired items removed"),
                Ok(Err(error)) => tracing::warn!(%error, "expired items could not be removed"),
                Err(_) => return,
            }
        }
    }
}

/// A database of an earlier release may have fewer indexes.
fn add_missing_indexes(database: &Database, table: &str) -> Result<(), StandinError> {
    let failed = |error: &dyn std::fmt::Display| StandinError::DynamoDb(error.to_string());
    // Not `describe_table`, which counts the items: with a million records that takes many seconds.
    let metadata = database.get_table_metadata(table).map_err(|error| failed(&error))?;
    let indexes = metadata.and_then(|metadata| metadata.gsi_definitions).unwrap_or_default();
    let existing: Vec<serde_json::Value> = serde_json::from_str(&indexes).unwrap_or_default();
    for (name, hash, range) in INDEXES {
        if existing.iter().any(|index| index["IndexName"] == name) {
            continue;
        }
        let update = json!({
            "TableName": table,
            "AttributeDefinitions": [attribute(hash, "S"), attribute(range, "N")],
            "GlobalSecondaryIndexUpdates": [{ "Create": index(name, hash, range) }],
        });
        let update = serde_json::from_value(update).map_err(|error| failed(&error))?;
        database.update_table(update).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Name, hash key and range key; as in `template.yaml`.
const INDEXES: [(&str, &str, &str); 3] = [
    ("by_owner", "by_owner", "created_at"),
    ("attention", "attention", "due_at"),
    ("feed", "feed", "changed_at"),
];

fn index(name: &str, hash: &str, range: &str) -> serde_json::Value {
    json!({
        "IndexName": name,
        "KeySchema": [
            { "AttributeName": hash, "KeyType": "HASH" },
            { "AttributeName": range, "KeyType": "RANGE" },
        ],
        "Projection": { "ProjectionType": "ALL" },
    })
}

fn attribute(name: &str, kind: &str) -> serde_json::Value {
    json!({ "AttributeName": name, "AttributeType": kind })
}

fn table_definition(table: &str) -> serde_json::Value {
    let keys = INDEXES.iter().flat_map(|(_, hash, range)| [attribute(hash, "S"), attribute(range, "N")]);
    json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": std::iter::once(attribute("pk", "S")).chain(keys).collect::<Vec<_>>(),
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": INDEXES.map(|(name, hash, range)| index(name, hash, range)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_an_earlier_release_gets_the_newer_indexes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("d.db");
        let mut old = table_definition("files");
        old["GlobalSecondaryIndexes"].as_array_mut().unwrap().pop();
        old["AttributeDefinitions"].as_array_mut().unwrap().truncate(5);
        let database = Database::new(&path.to_string_lossy()).unwrap();
        database.create_table(serde_json::from_value(old).unwrap()).unwrap();
        let item = json!({ "TableName": "files", "Item": {
            "pk": { "S": "file#1" }, "feed": { "S": "o" }, "changed_at": { "N": "5" } } });
        database.put_item(serde_json::from_value(item).unwrap()).unwrap();
        drop(database);
        for _ in 0..2 {
            let opened = DynamoDb::open(&path, "files").unwrap();
            let query = json!({
                "TableName": "files", "IndexName": "feed", "KeyConditionExpression": "feed = :o",
                "ExpressionAttributeValues": { ":o": { "S": "o" } } });
            let found = opened.database.query(serde_json::from_value(query).unwrap()).unwrap();
            assert_eq!(serde_json::to_value(&found).unwrap()["Count"], 1);
        }
    }
}
