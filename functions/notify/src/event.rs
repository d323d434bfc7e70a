//! Builds the JSON of events: GuardDuty's "Object Scan Result" with our own fields beside it, so that rules
//! and programs for GuardDuty can read it.

use domain::history::{EventId, EventKind, HistoryEntry, OutboxPayload};
use domain::id::BucketName;
use domain::record::{Record, Status};
use domain::tag::guardduty_result;
use domain::verdict::Verdict;
use serde_json::{Value, json};
use settings::EventProfile;

/// One event to publish.
pub(crate) struct EventPayload<'a> {
    record: &'a Record,
    entry: &'a HistoryEntry,
    notice: &'a OutboxPayload,
    bucket: &'a str,
}

impl<'a> EventPayload<'a> {
    pub(crate) fn of(
        record: &'a Record,
        entry: &'a HistoryEntry,
        notice: &'a OutboxPayload,
        bucket: &'a str,
    ) -> Self {
        Self { record, entry, notice, bucket }
    }

    /// EventBridge's `detail-type`.
    pub(crate) fn detail_type(&self, profile: EventProfile) -> &'static str {
        detail_type(self.entry.kind, profile)
    }

    /// EventBridge's `detail`.
    pub(crate) fn detail(&self) -> String {
        self.data().to_string()
    }

    /// A webhook's body: Standard Webhooks' `type`, `timestamp` and `data`.
    pub(crate) fn webhook_body(&self) -> String {
        json!({
            "type": self.entry.kind.name(),
            "timestamp": self.entry.at.to_string(),
            "data": self.data(),
        })
        .to_string()
    }

    fn data(&self) -> Value {
        let (record, entry, notice) = (self.record, self.entry, self.notice);
        let version = notice.version.as_ref();
        let judgement = notice.judgement.as_ref();
        let engine = judgement.and_then(|judgement| judgement.engine.as_ref());
        let mut data = json!({
            "schemaVersion": "1.0",
            "scanStatus": self.scan_status(),
            "resourceType": "S3_OBJECT",
            "s3ObjectDetails": {
                "bucketName": record.object_key().bucket().map_or(self.bucket, BucketName::as_str),
                "objectKey": record.object_key().to_string(),
                "eTag": version.map(|version| version.etag.as_str()),
                "versionId": version.map(|version| version.version_id.as_str()),
                "s3Throttled": false,
            },
            "scanResultDetails": self.scan_result(),
            "airlock": {
                "eventId": EventId { file: record.file_id, seq: entry.seq }.to_string(),
                "eventType": entry.kind.name(),
                "occurredAt": entry.at.to_string(),
                "fileId": record.file_id.to_string(),
                "owner": record.owner.as_str(),
                "filename": record.filename.to_string(),
                "status": entry.status.as_str(),
                "previousStatus": notice.before.as_str(),
                "sizeBytes": version.map(|version| version.size_bytes),
                "sha256": judgement.and_then(|judgement| judgement.sha256).map(|digest| digest.to_string()),
                "scannedAt": judgement.map(|judgement| judgement.judged_at.to_string()),
                "scanSeconds": judgement.map(|judgement| judgement.duration.as_secs_f64()),
                "engineVersion": engine.map(|engine| engine.version.as_str()),
                "definitionsVersion": engine.map(|engine| engine.definitions.version.as_str()),
                "definitionsBuiltAt": engine.map(|engine| engine.definitions.built_at.to_string()),
            },
        });
        if entry.kind == EventKind::VerdictChanged {
            // No download has succeeded since the verdict changed, so the count is from before.
            data["airlock"]["downloadsBefore"] = record.download_count.into();
        }
        data
    }

    fn scan_status(&self) -> &'static str {
        match self.entry.status {
            Status::Clean | Status::Infected | Status::Released => "COMPLETED",
            Status::Unscannable => "SKIPPED",
            Status::Error => "FAILED",
            Status::Pending | Status::Scanning => "IN_PROGRESS",
            Status::Expired | Status::Deleted => "ENDED",
        }
    }

    fn scan_result(&self) -> Value {
        let Some(judgement) = &self.notice.judgement else { return Value::Null };
        let (threats, reasons) = match &judgement.verdict {
            Verdict::Clean(_) => (Value::Null, json!([])),
            Verdict::Infected { signature } => (json!([{ "name": signature }]), json!([])),
            Verdict::Unscannable { reason } => (Value::Null, json!([reason.code().to_uppercase()])),
            Verdict::Error { reason } => (Value::Null, json!([reason.code().to_uppercase()])),
        };
        json!({
            "scanResultStatus": guardduty_result(self.entry.status),
            "threats": threats,
            "statusReasons": reasons,
        })
    }
}

/// GuardDuty has a `detail-type` for results only.
fn detail_type(kind: EventKind, profile: EventProfile) -> &'static str {
    match (kind, profile) {
        (EventKind::ScanCompleted | EventKind::VerdictChanged, EventProfile::GuardDuty) => {
            "GuardDuty Malware Protection Object Scan Result"
        }
        (EventKind::ScanCompleted | EventKind::VerdictChanged, EventProfile::Airlock) => {
            "Airlock Object Scan Result"
        }
        (EventKind::ScanStarted, _) => "Airlock Object Scan Started",
        (EventKind::Deleted, _) => "Airlock File Deleted",
        (EventKind::Expired, _) => "Airlock File Expired",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_changes_the_detail_type_of_results_alone() {
        let results = [EventKind::ScanCompleted, EventKind::VerdictChanged];
        for kind in results {
            assert_eq!(detail_type(kind, EventProfile::Airlock), "Airlock Object Scan Result");
            let guardduty = detail_type(kind, EventProfile::GuardDuty);
            assert_eq!(guardduty, "GuardDuty Malware Protection Object Scan Result");
        }
        for kind in [EventKind::ScanStarted, EventKind::Deleted, EventKind::Expired] {
            let airlock = detail_type(kind, EventProfile::Airlock);
            assert_eq!(detail_type(kind, EventProfile::GuardDuty), airlock);
        }
    }
}
