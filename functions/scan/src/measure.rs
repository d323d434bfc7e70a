//! Emits the metrics of each verdict for CloudWatch.

use aws::metrics::{MetricEvent, bytes, count, emit, seconds};
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsMessage};
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::verdict::Verdict;

use crate::Context;

/// When the message was sent, by SQS's own clock.
pub(crate) fn sent_at(message: &SqsMessage) -> Option<Timestamp> {
    message.attributes.get("SentTimestamp")?.parse().ok().map(Timestamp::from_millis)
}

/// Counts the messages that will be delivered again: Lambda's own `Errors` does not.
pub(crate) fn failed_attempts(response: &SqsBatchResponse, now: Timestamp) {
    let n_failed = response.batch_item_failures.len() as u64;
    if n_failed > 0 {
        let metrics = [count("ScanAttemptFailed", n_failed)];
        emit(&MetricEvent { service: "scan", dimensions: &[], metrics: &metrics, at: now });
    }
}

/// Emits the metrics of one verdict, where metrics are on.
pub(crate) fn verdict(context: &Context, record: &Record, sent_at: Option<Timestamp>, now: Timestamp) {
    let Some(judgement) = record.judgement().filter(|_| context.is_measured) else { return };
    let mut metrics = vec![
        count("FilesJudged", 1),
        bytes("BytesScanned", record.size_bytes().unwrap_or(0)),
        seconds("ScanDuration", judgement.duration),
    ];
    // From the message to the start of the scan.
    let waited = sent_at.map(|sent_at| (now - judgement.duration).since(sent_at));
    metrics.extend(waited.map(|waited| seconds("QueueWait", waited)));
    if let Some(engine) = &judgement.engine {
        metrics.push(seconds("DefinitionsAgeAtScan", now.since(engine.definitions.built_at)));
    }
    let dimensions = [("verdict", record.status().as_str())];
    emit(&MetricEvent { service: "scan", dimensions: &dimensions, metrics: &metrics, at: now });
    let reason = match &judgement.verdict {
        Verdict::Unscannable { reason } => reason.code(),
        Verdict::Error { reason } => reason.code(),
        Verdict::Clean(_) | Verdict::Infected { .. } => return,
    };
    let refused = [count("Refusals", 1)];
    emit(&MetricEvent { service: "scan", dimensions: &[("reason", reason)], metrics: &refused, at: now });
}
