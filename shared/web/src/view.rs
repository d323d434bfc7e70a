//! How does a record look from outside? The original service's field names, with ours added.

use std::collections::BTreeMap;

use domain::freshness::DefinitionsKind;
use domain::record::{Record, Status};
use domain::verdict::{Judgement, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// What is known about a file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FileInfo {
    #[schema(example = "123e4567-e89b-42d3-a456-426614174000")]
    file_id: String,
    #[schema(example = "example.pdf")]
    filename: String,
    /// Bytes: as declared while nothing has arrived, as measured afterwards.
    #[schema(example = 1_024_000)]
    file_size: Option<u64>,
    #[schema(example = "application/pdf")]
    content_type: String,
    #[schema(example = "2026-12-01T10:30:00Z")]
    upload_timestamp: String,
    scan_status: StatusName,
    #[serde(skip_serializing_if = "Option::is_none")]
    scan_result: Option<ScanResult>,
    /// Another look at the same bytes is on its way; the status stands meanwhile.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    rescanning: bool,
    /// Why an operator has released what was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    release_reason: Option<String>,
    download_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_downloads: Option<u32>,
    tags: BTreeMap<String, String>,
    /// After this moment the file is gone.
    expires_at: String,
}

/// Where a file is on its way. Only `clean` and `released` can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusName {
    /// Nothing has arrived yet, or the scan has not started.
    Pending,
    Scanning,
    Clean,
    Infected,
    /// Something was found, and an operator has released it with a reason.
    Released,
    /// It could not be checked as a whole; `scan_result.reason` says why.
    Unscannable,
    /// Checking it failed, repeatedly.
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

/// A verdict and what it rests on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScanResult {
    status: StatusName,
    /// Seconds.
    #[schema(example = 2.5)]
    scan_duration: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ClamAV 1.4.6")]
    engine_version: Option<String>,
    /// The programs that took the file apart for the engine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["7-Zip 26.02", "libarchive 3.6.2"]))]
    openers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    definitions: Option<DefinitionsInfo>,
    /// The SHA-256 of the bytes that were judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    scanned_at: String,
    /// What was found in an infected file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Win.Test.EICAR_HDB-1")]
    signature: Option<String>,
    /// Why an unscannable or failed file has no other verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "encrypted")]
    reason: Option<&'static str>,
    /// The reason as a sentence for the person who uploaded the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'static str>,
    /// The file could only be opened with the password that was uploaded with it. It is not kept: a rescan does not change this verdict unless
    /// the engine finds malware in the file as it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    used_password: bool,
    /// When a rescan last left the verdict as it was, because it had no password.
    #[serde(skip_serializing_if = "Option::is_none")]
    rescan_without_password_at: Option<String>,
}

/// Which virus definitions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DefinitionsInfo {
    #[schema(example = "27900")]
    pub version: String,
    pub built_at: Option<String>,
    pub kind: DefinitionsKindName,
    pub signatures: u64,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionsKindName {
    Official,
    /// A handful of harmless samples: for trying the service out, not for protection.
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

/// The status in a sentence.
pub fn message(record: &Record) -> String {
    match record.status() {
        Status::Pending if record.state.version().is_none() => "Waiting for the file to arrive.".to_owned(),
        Status::Pending => "File uploaded. The scan has not started yet.".to_owned(),
        Status::Scanning => "File is being scanned.".to_owned(),
        Status::Clean => "File is clean and safe to download.".to_owned(),
        Status::Infected => "File is infected. Download is blocked.".to_owned(),
        Status::Released => "Something was found, and an operator has released the file.".to_owned(),
        Status::Unscannable | Status::Error => match record.judgement().map(|judgement| &judgement.verdict) {
            Some(Verdict::Unscannable { reason }) => reason.sentence().to_owned(),
            Some(Verdict::Error { reason }) => reason.sentence().to_owned(),
            _ => "We could not check this file.".to_owned(),
        },
        Status::Expired => "File has expired.".to_owned(),
        Status::Deleted => "File has been deleted.".to_owned(),
    }
}

/// The answer to an upload: the original service's fields.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    pub file_id: String,
    pub filename: String,
    pub file_size: Option<u64>,
    pub upload_timestamp: String,
    pub scan_status: StatusName,
    /// Names the scan; there is one per file.
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
