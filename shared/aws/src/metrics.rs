//! What is measured? One line of CloudWatch's embedded metric format per event: a JSON object on stdout (AWS, "Embedded metric format").

use std::time::Duration;

use domain::timestamp::Timestamp;
use serde_json::{Map, Value, json};

/// The namespace that the alarms and the dashboard read.
const NAMESPACE: &str = "Airlock";

/// One measurement.
#[derive(Clone, PartialEq, Debug)]
pub struct Metric {
    name: &'static str,
    unit: &'static str,
    value: Value,
}

pub fn count(name: &'static str, value: u64) -> Metric {
    Metric { name, unit: "Count", value: value.into() }
}

pub fn seconds(name: &'static str, value: Duration) -> Metric {
    Metric { name, unit: "Seconds", value: value.as_secs().into() }
}

/// Writes the metrics of one event of one part of the service. On one machine nobody reads them, so nothing is written there: only
/// functions call this.
pub fn emit(service: &'static str, metrics: &[Metric], now: Timestamp) {
    println!("{}", document(service, metrics, now));
}

fn document(service: &'static str, metrics: &[Metric], now: Timestamp) -> Value {
    let definitions: Vec<Value> =
        metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit })).collect();
    let mut document = Map::new();
    let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["service"]], "Metrics": definitions });
    document
        .insert("_aws".to_owned(), json!({ "Timestamp": now.as_millis(), "CloudWatchMetrics": [directive] }));
    document.insert("service".to_owned(), service.into());
    document.extend(metrics.iter().map(|metric| (metric.name.to_owned(), metric.value.clone())));
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_names_what_it_holds() {
        let metrics = [count("Failed", 1), seconds("Age", Duration::from_mins(1))];
        let document = document("definitions", &metrics, Timestamp::from_secs(5));
        let expected = json!({
            "_aws": { "Timestamp": 5000, "CloudWatchMetrics": [{
                "Namespace": "Airlock", "Dimensions": [["service"]],
                "Metrics": [{ "Name": "Failed", "Unit": "Count" }, { "Name": "Age", "Unit": "Seconds" }],
            }] },
            "service": "definitions", "Failed": 1, "Age": 60,
        });
        assert_eq!(document, expected);
    }
}
