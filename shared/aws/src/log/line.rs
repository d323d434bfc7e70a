//! Formats each event as one line of JSON: the keys of Powertools' loggers, and the event's own fields.

use std::fmt::Debug;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value};
use settings::LambdaSettings;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::clock;

/// Longer texts are truncated: they are mistakes, and CloudWatch charges by the byte.
const MAX_TEXT_BYTES: usize = 2000;

/// Writes each event as one line of JSON.
pub(super) struct Lines<W> {
    /// The fields of every line, which describe the function.
    constant: Map<String, Value>,
    /// True until the first invocation has ended.
    is_cold: AtomicBool,
    writer: W,
}

/// The invocation of a span, from the fields of the runtime's own span.
#[derive(Default)]
struct Invocation {
    request_id: Option<String>,
    trace_id: Option<String>,
}

impl<W: Fn() -> O, O: Write> Lines<W> {
    pub(super) fn new(service: &'static str, lambda: &LambdaSettings, writer: W) -> Self {
        let mut constant = Map::new();
        constant.insert("service".to_owned(), service.into());
        for (key, value) in [
            ("function_name", &lambda.function_name),
            ("function_memory_size", &lambda.memory_size),
            ("function_version", &lambda.version),
        ] {
            if let Some(value) = value {
                constant.insert(key.to_owned(), value.clone().into());
            }
        }
        Self { constant, is_cold: AtomicBool::new(true), writer }
    }
}

impl<S, W, O> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut invocation = Invocation::default();
        attributes.record(&mut invocation);
        if let (Some(span), Some(_)) = (context.span(id), &invocation.request_id) {
            span.extensions_mut().insert(invocation);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let is_invocation =
            context.span(&id).is_some_and(|span| span.extensions().get::<Invocation>().is_some());
        if is_invocation {
            self.is_cold.store(false, Ordering::Relaxed);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = self.constant.clone();
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        line.append(&mut fields.0);
        line.insert("level".to_owned(), metadata.level().as_str().into());
        let place = (metadata.module_path().unwrap_or_default(), metadata.line().unwrap_or(0));
        line.insert("location".to_owned(), format!("{}:{}", place.0, place.1).into());
        line.insert("timestamp".to_owned(), clock::now().to_string().into());
        line.insert("cold_start".to_owned(), self.is_cold.load(Ordering::Relaxed).into());
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(invocation) = span.extensions().get::<Invocation>() {
                line.insert("function_request_id".to_owned(), invocation.request_id.clone().into());
                if let Some(trace_id) = &invocation.trace_id {
                    line.insert("xray_trace_id".to_owned(), trace_id.clone().into());
                }
            }
        }
        let mut text = Value::Object(line).to_string();
        text.push('\n');
        // One write, so that lines do not mix. A failure to write to the log cannot be logged.
        let _ = (self.writer)().write_all(text.as_bytes());
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, bounded(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.insert(field, bounded(&format!("{value:?}")));
    }
}

fn bounded(text: &str) -> &str {
    let end = text.len().min(MAX_TEXT_BYTES);
    let end = (0..=end).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

impl Visit for Invocation {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "requestId" => self.request_id = Some(value.to_owned()),
            // Only the root: the fields that follow it differ between services.
            "xrayTraceId" => {
                let root = value.split(';').find_map(|part| part.strip_prefix("Root="));
                self.trace_id = Some(root.unwrap_or(value).to_owned());
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, format!("{value:?}").trim_matches('"'));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_keys_that_queries_look_for() {
        let lambda = LambdaSettings {
            function_name: Some("airlock-scan".to_owned()),
            memory_size: Some("3008".to_owned()),
            version: None,
        };
        let written = Shared::default();
        let sink = written.clone();
        let subscriber =
            tracing_subscriber::registry().with(Lines::new("scan", &lambda, move || sink.clone()));
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..2 {
                let span = tracing::info_span!(
                    "Lambda runtime invoke",
                    requestId = "r-1",
                    xrayTraceId =
                        "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
                );
                span.in_scope(|| {
                    tracing::info!(file.id = %"f-1", n = 5, evil = "a\n{\"level\":\"x\"}", "scanned");
                    tracing::debug!(long = "\u{e4}".repeat(5000), "long");
                });
            }
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 4, "no field's content starts another line: {text}");
        let first = &lines[0];
        for (key, value) in [
            ("level", "INFO"),
            ("message", "scanned"),
            ("service", "scan"),
            ("function_name", "airlock-scan"),
            ("function_memory_size", "3008"),
            ("function_request_id", "r-1"),
            ("xray_trace_id", "1-5759e988-bd862e3fe1be46a994272793"),
            ("file.id", "f-1"),
        ] {
            assert_eq!(first[key], value, "{key}");
        }
        assert!(first["location"].as_str().unwrap().starts_with("aws::log::line"), "{first}");
        let timestamp = first["timestamp"].as_str().unwrap();
        assert!(domain::timestamp::Timestamp::parse_rfc3339(timestamp).is_some(), "{timestamp}");
        assert_eq!(lines[1]["long"].as_str().unwrap().len(), MAX_TEXT_BYTES);
        let cold: Vec<&Value> = lines.iter().map(|line| &line["cold_start"]).collect();
        assert_eq!(cold, [true, true, false, false]);
    }
}
