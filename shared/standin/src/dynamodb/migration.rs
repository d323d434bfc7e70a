//! Gives the table of an earlier release the attributes and indexes of this one.
//!
//! Idempotent: a migration that was interrupted is completed by the next start.

use dynoxide::Database;
use serde_json::{Value, json};

use super::{INDEXES, attributes, failed, index, request};
use crate::database::StandinError;

/// The index of earlier releases that `due` replaces; the last thing that a migration removes.
const ATTENTION: &str = "attention";
/// How the keys of operators' releases begin.
const RELEASE: &str = "release#";
/// Items per request.
const PAGE: usize = 100;

/// Blocking.
pub(super) fn migrate(database: &Database, table: &str) -> Result<(), StandinError> {
    let existing = existing_indexes(database, table)?;
    if existing.iter().any(|existing| existing["IndexName"] == ATTENTION) {
        rewrite_items(database, table)?;
    }
    for (name, hash, range) in INDEXES {
        let wanted = index(name, hash, range);
        let found = existing.iter().find(|existing| existing["IndexName"] == name);
        if found.is_some_and(|found| is_same(found, &wanted)) {
            continue;
        }
        if found.is_some() {
            change_index(database, table, &json!({ "Delete": { "IndexName": name } }))?;
        }
        change_index(database, table, &json!({ "Create": wanted }))?;
    }
    for former in existing {
        let name = &former["IndexName"];
        if !INDEXES.iter().any(|(kept, ..)| name == kept) {
            change_index(database, table, &json!({ "Delete": { "IndexName": name } }))?;
        }
    }
    Ok(())
}

fn existing_indexes(database: &Database, table: &str) -> Result<Vec<Value>, StandinError> {
    // Not `describe_table`, which counts the items: with a million records that takes many seconds.
    let metadata = database.get_table_metadata(table).map_err(failed)?;
    let indexes = metadata.and_then(|metadata| metadata.gsi_definitions);
    indexes.map_or_else(|| Ok(vec![]), |indexes| serde_json::from_str(&indexes).map_err(failed))
}

fn is_same(found: &Value, wanted: &Value) -> bool {
    found["KeySchema"] == wanted["KeySchema"]
        && found["Projection"]["ProjectionType"] == wanted["Projection"]["ProjectionType"]
}

fn change_index(database: &Database, table: &str, change: &Value) -> Result<(), StandinError> {
    let update = json!({
        "TableName": table,
        "AttributeDefinitions": attributes(),
        "GlobalSecondaryIndexUpdates": [change],
    });
    database.update_table(request(update)?).map(drop).map_err(failed)
}

/// Renames the attributes of all items that have those of an earlier release.
fn rewrite_items(database: &Database, table: &str) -> Result<(), StandinError> {
    let mut start = Value::Null;
    loop {
        let page = database.scan(request(json!({
            "TableName": table,
            "Limit": PAGE,
            "ExclusiveStartKey": start,
            "FilterExpression":
                "attribute_exists(attention) OR attribute_exists(by_owner) OR begins_with(pk, :release)",
            "ExpressionAttributeValues": { ":release": { "S": RELEASE } },
        }))?);
        let page = serde_json::to_value(page.map_err(failed)?).map_err(failed)?;
        for item in page["Items"].as_array().into_iter().flatten() {
            for update in [Some(renaming(table, item)), in_set_of_released(table, item)].into_iter().flatten()
            {
                database.update_item(request(update)?).map_err(failed)?;
            }
        }
        start = page["LastEvaluatedKey"].clone();
        if start.is_null() {
            return Ok(());
        }
    }
}

/// The update that puts a released file into the set of those files with its bytes: a revocation changes the
/// files of that set.
fn in_set_of_released(table: &str, item: &Value) -> Option<Value> {
    let release = &item["state"]["M"]["aftermath"]["M"]["release"]["M"];
    let (sha256, file) = (release["sha256"]["S"].as_str()?, item["file_id"]["S"].as_str()?);
    let shard = file.chars().last()?.to_digit(16).filter(|_| item["status"]["S"] == "released")?;
    Some(json!({
        "TableName": table,
        "Key": { "pk": { "S": format!("released#{sha256}#{shard:02}") } },
        "UpdateExpression": "ADD files :file",
        "ExpressionAttributeValues": { ":file": { "SS": [file] } },
    }))
}

/// The update that gives one item its new attributes.
fn renaming(table: &str, item: &Value) -> Value {
    if item["pk"]["S"].as_str().is_some_and(|pk| pk.starts_with(RELEASE)) {
        return json!({
            "TableName": table,
            "Key": { "pk": item["pk"] },
            // All releases are listed by their time.
            "UpdateExpression": "SET due = :listed, due_at = #release.#at",
            "ExpressionAttributeNames": { "#release": "release", "#at": "at" },
            "ExpressionAttributeValues": { ":listed": { "S": "releases" } },
        });
    }
    let mut sets = vec![];
    if item["attention"].is_object() {
        sets.push("due = attention");
    }
    // Files that are listed had this attribute.
    if item["by_owner"].is_object() {
        sets.push("listed_at = created_at");
    }
    json!({
        "TableName": table,
        "Key": { "pk": item["pk"] },
        "UpdateExpression": format!("SET {} REMOVE attention, by_owner, feed", sets.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::DynamoDb;
    use super::*;

    /// A released file, of the shard 7.
    const RELEASED: &str = "6f1e9b1a-92c3-4a55-8a3c-1f2e3d4c5b67";

    /// A table as the release before the migration made it.
    fn old_table(path: &str) -> Database {
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
        let old = [("by_owner", "created_at"), ("attention", "due_at"), ("feed", "changed_at")];
        let indexes = old.map(|(hash, range)| {
            let mut old = index(hash, hash, range);
            old["Projection"] = json!({ "ProjectionType": "ALL" });
            old
        });
        let keys = old.iter().flat_map(|(hash, range)| [key(hash, "S"), key(range, "N")]);
        let table = json!({
            "TableName": "files",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": std::iter::once(key("pk", "S")).chain(keys).collect::<Vec<_>>(),
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
            "GlobalSecondaryIndexes": indexes,
        });
        let database = Database::new(path).unwrap();
        database.create_table(request(table).unwrap()).unwrap();
        for item in [
            json!({ "pk": { "S": "file#1" }, "owner": { "S": "o" }, "by_owner": { "S": "o" },
                "feed": { "S": "o" }, "attention": { "S": "03" }, "due_at": { "N": "7" },
                "created_at": { "N": "5" }, "changed_at": { "N": "6" } }),
            json!({ "pk": { "S": "file#2" }, "owner": { "S": "o" }, "feed": { "S": "o" },
                "created_at": { "N": "5" }, "changed_at": { "N": "8" } }),
            json!({ "pk": { "S": "file#3" }, "file_id": { "S": RELEASED }, "owner": { "S": "p" },
                "by_owner": { "S": "p" }, "created_at": { "N": "5" }, "changed_at": { "N": "6" },
                "status": { "S": "released" }, "state": { "M": { "aftermath": { "M": { "release": { "M": {
                    "sha256": { "S": "0f" } } } } } } } }),
            json!({ "pk": { "S": "release#0f" }, "release": { "M": { "at": { "N": "4" } } } }),
            json!({ "pk": { "S": "delivery#1" }, "attention": { "S": "deliveries" },
                "due_at": { "N": "9" } }),
        ] {
            let put = json!({ "TableName": "files", "Item": item });
            database.put_item(request(put).unwrap()).unwrap();
        }
        database
    }

    fn found(database: &Database, name: &str, hash: &str, value: &str) -> Vec<String> {
        let query = json!({
            "TableName": "files", "IndexName": name, "KeyConditionExpression": "#hash = :value",
            "ExpressionAttributeNames": { "#hash": hash },
            "ExpressionAttributeValues": { ":value": { "S": value } } });
        let page = serde_json::to_value(database.query(request(query).unwrap()).unwrap()).unwrap();
        let items = page["Items"].as_array().unwrap();
        items.iter().map(|item| item["pk"]["S"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_table_of_an_earlier_release_gets_the_new_indexes_and_keeps_its_items() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("d.db");
        drop(old_table(path.to_str().unwrap()));
        for _ in 0..2 {
            let opened = DynamoDb::open(&path, "files").unwrap().database;
            assert_eq!(found(&opened, "by_owner", "owner", "o"), ["file#1"]);
            assert_eq!(found(&opened, "feed", "owner", "o"), ["file#1", "file#2"]);
            assert_eq!(found(&opened, "due", "due", "03"), ["file#1"]);
            assert_eq!(found(&opened, "due", "due", "deliveries"), ["delivery#1"]);
            assert_eq!(found(&opened, "due", "due", "releases"), ["release#0f"]);
            let set = json!({ "TableName": "files", "Key": { "pk": { "S": "released#0f#07" } } });
            let set = opened.get_item(request(set).unwrap()).unwrap();
            assert_eq!(serde_json::to_value(&set).unwrap()["Item"]["files"]["SS"], json!([RELEASED]));
            let names: Vec<_> = existing_indexes(&opened, "files").unwrap();
            assert_eq!(names.len(), INDEXES.len(), "{names:?}");
        }
    }

    #[test]
    fn an_interrupted_migration_is_completed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("d.db");
        let database = old_table(path.to_str().unwrap());
        rewrite_items(&database, "files").unwrap();
        change_index(&database, "files", &json!({ "Delete": { "IndexName": "feed" } })).unwrap();
        migrate(&database, "files").unwrap();
        assert_eq!(found(&database, "feed", "owner", "o").len(), 2);
        assert_eq!(found(&database, "due", "due", "03"), ["file#1"]);
    }
}
