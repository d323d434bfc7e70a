//! DynamoDB on SQLite (dynoxide), with the table that `template.yaml` describes.

use std::path::Path;
use std::time::Duration;

use dynoxide::Database;
use serde_json::json;
use tokio::net::TcpListener;

use crate::database::StandinError;

/// The embedded DynamoDB. Signatures are not verified: bind it to loopback only.
#[derive(Clone)]
pub struct DynamoDb(Database);

impl std::fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DynamoDb")
    }
}

impl DynamoDb {
    /// Opens or makes the database, and its table when it is new.
    pub fn open(path: &Path, table: &str) -> Result<Self, StandinError> {
        let failed = |error: &dyn std::fmt::Display| StandinError::DynamoDb(error.to_string());
        let database = Database::new(&path.to_string_lossy()).map_err(|error| failed(&error))?;
        let is_new = database.get_table_metadata(table).map_err(|error| failed(&error))?.is_none();
        if is_new {
            let request = serde_json::from_value(table_definition(table)).map_err(|error| failed(&error))?;
            database.create_table(request).map_err(|error| failed(&error))?;
            let ttl = json!({ "TableName": table, "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true } });
            let request = serde_json::from_value(ttl).map_err(|error| failed(&error))?;
            database.update_time_to_live(request).map_err(|error| failed(&error))?;
        }
        Ok(Self(database))
    }

    /// Serves the wire protocol until the task is dropped.
    pub async fn serve(self, listener: TcpListener) {
        dynoxide::server::serve_on(listener, self.0).await;
    }

    /// Removes items whose time to live is over, now and then, as DynamoDB does.
    pub async fn expire_items(self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let database = self.0.clone();
            match tokio::task::spawn_blocking(move || database.sweep_ttl()).await {
                Ok(Ok(n_removed)) => tracing::debug!(ttl.removed = n_removed, "expired items removed"),
                Ok(Err(error)) => tracing::warn!(%error, "expired items could not be removed"),
                Err(_) => return,
            }
        }
    }
}

fn table_definition(table: &str) -> serde_json::Value {
    let index = |name: &str, hash: &str, range: &str| {
        json!({
            "IndexName": name,
            "KeySchema": [{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }],
            "Projection": { "ProjectionType": "ALL" },
        })
    };
    json!({
        "TableName": table,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "by_owner", "AttributeType": "S" },
            { "AttributeName": "created_at", "AttributeType": "N" },
            { "AttributeName": "attention", "AttributeType": "S" },
            { "AttributeName": "due_at", "AttributeType": "N" },
        ],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        "GlobalSecondaryIndexes": [
            index("by_owner", "by_owner", "created_at"),
            index("attention", "attention", "due_at"),
        ],
    })
}
