//! Converts records to the API's JSON: the original service's field names, and further fields of this
//! service.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::freshness::DefinitionsKind;
use domain::record::{Record, Status};
use domain::timestamp::Timestamp;
use domain::verdict::{Judgement, Unscannable, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// A file's metadata and status.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileInfo {
    #[schema(format = "uuid", example = "123e4567-e89b-42d3-a456-426614174000")]
    file_id: String,
    #[schema(example = "example.pdf")]
    filename: String,
    /// Bytes: as declared before the upload arrives, as measured afterwards.
    #[schema(example = 1_024_000)]
    file_size: Option<u64>,
    #[schema(example = "application/pdf")]
    content_type: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    upload_timestamp: String,
    scan_status: StatusName,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_result: Option<ScanResult>,
    /// The same bytes are being scanned again; the status stands meanwhile.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rescanning: bool,
    /// Why an operator released the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "false positive, confirmed by the vendor")]
    release_reason: Option<String>,
    /// Why an operator revoked the release that the file had.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "the vendor withdrew its confirmation")]
    release_revoked_reason: Option<String>,
    #[schema(example = 0)]
    download_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    max_downloads: Option<u32>,
    #[schema(example = json!({ "case": "4711" }))]
    tags: BTreeMap<String, String>,
    /// When the file expires and is deleted.
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    expires_at: String,
}

/// The status of a file. Only `clean` and `released` files can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusName {
    /// The upload has not arrived, or the scan has not started.
    Pending,
    Scanning,
    Clean,
    Infected,
    /// The engine reported a finding, and an operator released the file with a reason.
    Released,
    /// The file could not be checked as a whole; `scan_result.reason` says why.
    Unscannable,
    /// Checking the file failed repeatedly.
    Error,
    Expired,
    Deleted,
}

impl From<Status> for StatusName {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Scanning => Self::Scanning,
            Status::Clean => Self::Clean,
            Status::Infected => Self::Infected,
            Status::Released => Self::Released,
            Status::Unscannable => Self::Unscannable,
            Status::Error => Self::Error,
            Status::Expired => Self::Expired,
            Status::Deleted => Self::Deleted,
        }
    }
}

/// A verdict, with the engine and definitions that it is based on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScanResult {
    status: StatusName,
    /// Seconds.
    #[schema(example = 2.5)]
    scan_duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ClamAV 1.4.6")]
    engine_version: Option<String>,
    /// The programs that unpacked the file for the engine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["7-Zip 26.02", "libarchive 3.6.2"]))]
    openers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definitions: Option<DefinitionsInfo>,
    /// The SHA-256 of the bytes that were judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f")]
    sha256: Option<String>,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    scanned_at: String,
    /// The name of the malware that was found in an infected file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Win.Test.EICAR_HDB-1")]
    signature: Option<String>,
    /// Why the file is `unscannable` or in `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "encrypted")]
    reason: Option<&'static str>,
    /// The reason as a sentence for the person who uploaded the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'static str>,
    /// The file could only be opened with the password that was uploaded with it. The password is not kept: a
    /// rescan does not change this verdict unless the engine finds malware without the password.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    used_password: bool,
    /// When a rescan last left the verdict unchanged, because it had no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    rescan_without_password_at: Option<String>,
}

/// The virus definitions of a scan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DefinitionsInfo {
    #[schema(example = "27900")]
    pub version: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub built_at: Option<String>,
    pub kind: DefinitionsKindName,
    #[schema(example = 3_600_000)]
    pub signatures: u64,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionsKindName {
    Official,
    /// Definitions of a few harmless samples: for trying the service out, not for protection.
    TestSet,
}

impl From<&domain::freshness::Definitions> for DefinitionsInfo {
    fn from(definitions: &domain::freshness::Definitions) -> Self {
        let (kind, built_at) = match definitions.kind {
            DefinitionsKind::Official => {
                (DefinitionsKindName::Official, Some(definitions.built_at.to_string()))
            }
            DefinitionsKind::TestSet => (DefinitionsKindName::TestSet, None),
        };
        Self { version: definitions.version.clone(), built_at, kind, signatures: definitions.n_signatures }
    }
}

impl From<&Record> for FileInfo {
    fn from(record: &Record) -> Self {
        Self {
            file_id: record.file_id.to_string(),
            filename: record.filename.to_string(),
            file_size: record.size_bytes(),
            content_type: record.content_type.to_string(),
            upload_timestamp: record.created_at.to_string(),
            scan_status: record.status().into(),
            scan_result: record.judgement().map(|judgement| ScanResult {
                rescan_without_password_at: record
                    .post_verdict()
                    .and_then(|post_verdict| post_verdict.unopened_at)
                    .map(|at| at.to_string()),
                ..ScanResult::of(record.status(), judgement)
            }),
            rescanning: record.post_verdict().is_some_and(|post_verdict| post_verdict.rescan.is_on()),
            release_reason: record
                .post_verdict()
                .filter(|_| record.status() == Status::Released)
                .and_then(|post_verdict| Some(post_verdict.release.as_ref()?.reason.clone())),
            release_revoked_reason: record
                .post_verdict()
                .and_then(|post_verdict| Some(post_verdict.revocation.as_ref()?.reason.clone())),
            download_count: record.download_count,
            max_downloads: record.max_downloads,
            tags: record.tags.clone(),
            expires_at: record.expires_at.to_string(),
        }
    }
}

impl ScanResult {
    fn of(status: Status, judgement: &Judgement) -> Self {
        let (signature, reason, explanation) = match &judgement.verdict {
            Verdict::Clean(_) => (None, None, None),
            Verdict::Infected { signature } => (Some(signature.clone()), None, None),
            Verdict::Unscannable { reason } => (None, Some(reason.code()), Some(reason.sentence())),
            Verdict::Error { reason } => (None, Some(reason.code()), Some(reason.sentence())),
        };
        Self {
            status: status.into(),
            scan_duration: judgement.duration.as_secs_f64(),
            engine_version: judgement.engine.as_ref().map(|engine| engine.version.clone()),
            openers: judgement.engine.as_ref().map(|engine| engine.openers.clone()).unwrap_or_default(),
            definitions: judgement.engine.as_ref().map(|engine| (&engine.definitions).into()),
            sha256: judgement.sha256.map(|digest| digest.to_string()),
            scanned_at: judgement.judged_at.to_string(),
            signature,
            reason,
            explanation,
            used_password: judgement.needed_password,
            rescan_without_password_at: None,
        }
    }
}

/// The verdict on the bytes of one request, of which nothing is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImmediateVerdict {
    pub scan_status: StatusName,
    /// Bytes.
    #[schema(example = 1_024_000)]
    pub file_size: Option<u64>,
    pub scan_result: ScanResult,
    #[schema(example = "File is clean and safe to download.")]
    pub message: String,
}

impl ImmediateVerdict {
    /// `None` if the record has no verdict.
    pub fn of(record: &Record) -> Option<Self> {
        Some(Self {
            scan_status: record.status().into(),
            file_size: record.size_bytes(),
            scan_result: ScanResult::of(record.status(), record.judgement()?),
            message: message(record),
        })
    }

    /// The verdict on bytes that need not be read to be `unscannable`.
    pub fn unscannable(reason: Unscannable, size_bytes: u64, now: Timestamp) -> Self {
        let judgement = Judgement {
            verdict: Verdict::Unscannable { reason },
            judged_at: now,
            duration: Duration::ZERO,
            sha256: None,
            engine: None,
            needed_password: false,
        };
        Self {
            scan_status: StatusName::Unscannable,
            file_size: Some(size_bytes),
            scan_result: ScanResult::of(Status::Unscannable, &judgement),
            message: reason.sentence().to_owned(),
        }
    }
}

/// Returns the status as a sentence.
pub fn message(record: &Record) -> String {
    match record.status() {
        Status::Pending if record.state.version().is_none() => "Waiting for the file to arrive.".to_owned(),
        Status::Pending => "File uploaded. The scan has not started yet.".to_owned(),
        Status::Scanning => "File is being scanned.".to_owned(),
        Status::Clean if is_of_test_set(record) => {
            "Nothing was found with test definitions, which find only test files.".to_owned()
        }
        Status::Clean => "File is clean and safe to download.".to_owned(),
        Status::Infected => "File is infected. Download is blocked.".to_owned(),
        Status::Released => "The engine reported a finding, and an operator released the file.".to_owned(),
        Status::Unscannable | Status::Error => match record.judgement().map(|judgement| &judgement.verdict) {
            Some(Verdict::Unscannable { reason }) => reason.sentence().to_owned(),
            Some(Verdict::Error { reason }) => reason.sentence().to_owned(),
            _ => "We could not check this file.".to_owned(),
        },
        Status::Expired => "File has expired.".to_owned(),
        Status::Deleted => "File has been deleted.".to_owned(),
    }
}

/// Whether the verdict is worth nothing, because its definitions find only test files.
fn is_of_test_set(record: &Record) -> bool {
    let engine = record.judgement().and_then(|judgement| judgement.engine.as_ref());
    engine.is_some_and(|engine| engine.definitions.kind == DefinitionsKind::TestSet)
}

/// The response to an upload, with the original service's fields.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    #[schema(format = "uuid", example = "123e4567-e89b-42d3-a456-426614174000")]
    pub file_id: String,
    #[schema(example = "example.pdf")]
    pub filename: String,
    #[schema(example = 1_024_000)]
    pub file_size: Option<u64>,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub upload_timestamp: String,
    pub scan_status: StatusName,
    /// Identifies the scan; there is one per file.
    #[schema(example = "scan-123e4567-e89b-42d3-a456-426614174000")]
    pub task_id: String,
}

impl From<&Record> for Accepted {
    fn from(record: &Record) -> Self {
        Self {
            file_id: record.file_id.to_string(),
            filename: record.filename.to_string(),
            file_size: record.size_bytes(),
            upload_timestamp: record.created_at.to_string(),
            scan_status: record.status().into(),
            task_id: format!("scan-{}", record.file_id),
        }
    }
}
