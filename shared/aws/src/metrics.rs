//! Writes metrics to stdout in CloudWatch's embedded metric format, one JSON object per line and event (AWS,
//! "Embedded metric format").

use std::borrow::Cow;
use std::time::Duration;

use domain::timestamp::Timestamp;
use metrique::emf::Emf;
use metrique::writer::format::Format as _;
use metrique::writer::unit::{AsBytes, AsCount, AsSeconds};
use metrique::writer::{Entry, EntryWriter};

use crate::clock;

/// The namespace that the alarms and the dashboard read.
const NAMESPACE: &str = "Airlock";

/// One measurement.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    name: &'static str,
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Value {
    Count(u64),
    Bytes(u64),
    Time(Duration),
}

pub fn count(name: &'static str, value: u64) -> Metric {
    Metric { name, value: Value::Count(value) }
}

pub fn bytes(name: &'static str, value: u64) -> Metric {
    Metric { name, value: Value::Bytes(value) }
}

pub fn seconds(name: &'static str, value: Duration) -> Metric {
    Metric { name, value: Value::Time(value) }
}

/// The metrics of one event of one part of the service.
#[derive(Clone, Copy, Debug)]
pub struct MetricEvent<'a> {
    pub service: &'static str,
    /// The dimensions beside the service: they have few values and are never ids.
    pub dimensions: &'a [(&'static str, &'a str)],
    pub metrics: &'a [Metric],
    pub at: Timestamp,
}

/// Writes the metrics of one event. Only Lambda functions call it, because local mode has no reader for
/// metrics.
pub fn emit(event: &MetricEvent<'_>) {
    // A failure to write to stdout cannot be reported there.
    let _ = write(event, &mut std::io::stdout().lock());
}

fn write(
    event: &MetricEvent<'_>,
    output: &mut impl std::io::Write,
) -> Result<(), metrique::writer::stream::IoStreamError> {
    let mut names = vec!["service".to_owned()];
    names.extend(event.dimensions.iter().map(|(name, _)| (*name).to_owned()));
    Emf::all_validations(NAMESPACE.to_owned(), vec![names]).format(event, output)
}

impl Entry for MetricEvent<'_> {
    fn write<'a>(&'a self, writer: &mut impl EntryWriter<'a>) {
        writer.timestamp(clock::system_time(self.at));
        writer.value("service", self.service);
        for (name, value) in self.dimensions {
            writer.value(Cow::Borrowed(*name), *value);
        }
        for metric in self.metrics {
            match metric.value {
                Value::Count(value) => writer.value(metric.name, &AsCount::from(value)),
                Value::Bytes(value) => writer.value(metric.name, &AsBytes::from(value)),
                Value::Time(value) => writer.value(metric.name, &AsSeconds::from(value)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_names_what_it_holds() {
        let metrics = [count("Failed", 1), seconds("Age", Duration::from_millis(1500)), bytes("Size", 7)];
        let event = MetricEvent {
            service: "definitions",
            dimensions: &[("verdict", "clean")],
            metrics: &metrics,
            at: Timestamp::from_secs(5),
        };
        let mut line = Vec::new();
        write(&event, &mut line).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let expected = json!({
            "_aws": { "Timestamp": 5000, "CloudWatchMetrics": [{
                "Namespace": "Airlock", "Dimensions": [["service", "verdict"]],
                "Metrics": [
                    { "Name": "Failed", "Unit": "Count" },
                    { "Name": "Age", "Unit": "Seconds" },
                    { "Name": "Size", "Unit": "Bytes" },
                ],
            }] },
            "service": "definitions", "verdict": "clean", "Failed": 1, "Age": 1.5, "Size": 7,
        });
        assert_eq!(document, expected);
        assert_eq!(String::from_utf8(line).unwrap().lines().count(), 1);
    }
}
