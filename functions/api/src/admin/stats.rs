//! `GET /stats`: statistics of the queue, the engine and the last 24 hours.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use domain::id::{FileId, OwnerId};
use domain::record::Status;
use domain::statistics::{Histogram, HourStatistics, SizeClass, hour};
use domain::timestamp::Timestamp;
use domain::usage::Quotas;
use serde::Serialize;
use utoipa::ToSchema;
use web::view::DefinitionsInfo;
use web::{Admin, ApiError, Refused};

use crate::{App, MemoryUse};

/// Statistics of the service, now and in the last 24 hours.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub(crate) at: String,
    pub(crate) queue: QueueStats,
    pub(crate) dead_letters: Option<u64>,
    pub(crate) engine: Option<EngineStats>,
    /// Of the machine with the service; `null` on AWS.
    pub(crate) memory: Option<MemoryStats>,
    /// Of the machine with the service, if it stores objects or scans files on its own disk.
    pub(crate) disk: Option<DiskStats>,
    /// The limits of each user; `null` for no limit.
    pub(crate) quotas: QuotaLimits,
    /// Whether operators may download samples.
    pub(crate) gives_samples: bool,
    /// Verdicts of the last 24 hours.
    pub(crate) files_by_status: BTreeMap<&'static str, u64>,
    pub(crate) bytes_scanned: u64,
    /// Seconds from the first byte read to the verdict, by file size.
    pub(crate) scan_seconds: Vec<ScanSeconds>,
    /// Oldest first.
    pub(crate) hours: Vec<HourStats>,
    /// Files that became `infected`, `unscannable` or `error` in the last 24 hours; newest first, at most
    /// 20.
    pub(crate) recent_failures: Vec<FailureInfo>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QueueStats {
    pub(crate) waiting: u64,
    pub(crate) in_flight: u64,
    /// Age of the oldest scan request; `null` on AWS, where CloudWatch has it.
    pub(crate) oldest_seconds: Option<u64>,
    /// Maximum number of concurrent scans; `null` on AWS.
    pub(crate) workers: Option<u64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EngineStats {
    #[schema(example = "ClamAV 1.4.6")]
    pub(crate) version: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub(crate) last_seen: String,
    pub(crate) definitions: DefinitionsInfo,
    pub(crate) definitions_age_hours: Option<u64>,
    /// When the service looks for new definitions next; `null` on AWS, and if the operator updates them.
    #[schema(format = DateTime, example = "2026-12-01T12:30:00Z")]
    pub(crate) next_update: Option<String>,
    /// Engine starts after the first; `null` on AWS.
    pub(crate) restarts: Option<u64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ScanSeconds {
    #[schema(example = "up_to_1_mb")]
    pub(crate) size: &'static str,
    pub(crate) count: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) p99: Option<f64>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct HourStats {
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub(crate) from: String,
    pub(crate) files_by_status: BTreeMap<&'static str, u64>,
    pub(crate) bytes_scanned: u64,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FailureInfo {
    pub(crate) file_id: String,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    pub(crate) at: String,
    #[schema(example = "unscannable")]
    pub(crate) status: &'static str,
    /// The name of the finding, or why there is no other verdict.
    #[schema(example = "encrypted")]
    pub(crate) reason: String,
    /// Absent if the file no longer exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filename: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<String>,
    /// The digest of the bytes that were judged, which a release names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Whether the file belongs to the operator who asks.
    pub(crate) is_own: bool,
}

/// Bytes of memory; `null` for what the service cannot read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MemoryStats {
    /// Resident memory of the service's process.
    pub(crate) service: Option<u64>,
    /// Resident memory of the engine's process, with the virus definitions.
    pub(crate) engine: Option<u64>,
    /// What the machine can still give to processes.
    pub(crate) available: Option<u64>,
    pub(crate) total: Option<u64>,
}

impl From<MemoryUse> for MemoryStats {
    fn from(read: MemoryUse) -> Self {
        let MemoryUse { service_bytes, engine_bytes, available_bytes, total_bytes } = read;
        Self { service: service_bytes, engine: engine_bytes, available: available_bytes, total: total_bytes }
    }
}

/// Bytes of disk space.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DiskStats {
    pub(crate) free: u64,
    /// What scans may need. If less is free, files wait for their scan.
    pub(crate) needed: u64,
}

/// The limits of each user.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QuotaLimits {
    pub(crate) pending_uploads: Option<u64>,
    pub(crate) files: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) scan_seconds_per_day: Option<u64>,
}

impl From<Quotas> for QuotaLimits {
    fn from(limits: Quotas) -> Self {
        let Quotas { pending, objects, bytes, scan_seconds } = limits;
        Self { pending_uploads: pending, files: objects, bytes, scan_seconds_per_day: scan_seconds }
    }
}

const N_HOURS: u8 = 24;
const MAX_FAILURES: usize = 20;

/// Show statistics of the service
#[utoipa::path(get, path = "/stats", operation_id = "getStatistics",
    tag = "operators",
    responses(
        (status = 200, description = "Queue, engine, and the last 24 hours", body = Stats),
        Refused,
    ))]
pub(crate) async fn show(
    State(app): State<App>,
    Admin(operator): Admin,
) -> Result<axum::Json<Stats>, ApiError> {
    let mut stats = gather(&app, aws::clock::now()).await?;
    for failure in &mut stats.recent_failures {
        describe(&app, &operator, failure).await?;
    }
    Ok(axum::Json(stats))
}

/// Adds what an operator needs to know about the file. It is read now, because the statistics outlive files,
/// and a deleted file leaves no name behind. A file whose status has changed since is shown as it is now.
async fn describe(app: &App, operator: &OwnerId, failure: &mut FailureInfo) -> Result<(), ApiError> {
    let Ok(file) = FileId::parse(&failure.file_id) else { return Ok(()) };
    let Some(record) = app.stores.ledger.load(file).await? else { return Ok(()) };
    failure.status = record.status().as_str();
    if matches!(record.status(), Status::Deleted | Status::Expired) {
        return Ok(());
    }
    failure.filename = Some(record.filename.as_str().to_owned());
    failure.is_own = record.owner == *operator;
    failure.owner = Some(record.owner.to_string());
    failure.sha256 =
        record.judgement().and_then(|judgement| judgement.sha256).map(|digest| digest.to_string());
    Ok(())
}

pub(crate) async fn gather(app: &App, now: Timestamp) -> Result<Stats, ApiError> {
    let ledger = &app.stores.ledger;
    let dead = async {
        match &app.dead_letters {
            Some(queue) => queue.backlog().await.map(|backlog| Some(backlog.n_waiting)),
            None => Ok(None),
        }
    };
    let probe = async {
        match &app.settings.probe {
            Some(probe) => Some((probe.0)().await),
            None => None,
        }
    };
    let (hours, heartbeat, backlog, dead_letters, facts) =
        tokio::join!(ledger.statistics(N_HOURS, now), ledger.heartbeat(), app.backlog(), dead, probe);
    let (hours, heartbeat, backlog) = (hours?, heartbeat?, backlog?);
    let mut total = HourStatistics::default();
    for hour in &hours {
        total.merge(hour.clone());
    }
    let engine = heartbeat.map(|beat| {
        let definitions = DefinitionsInfo::from(&beat.engine.definitions);
        let age = now.since(beat.engine.definitions.built_at).as_secs() / 3600;
        EngineStats {
            version: beat.engine.version,
            last_seen: beat.at.to_string(),
            definitions_age_hours: definitions.built_at.is_some().then_some(age),
            definitions,
            next_update: facts.and_then(|facts| facts.next_update).map(|at| at.to_string()),
            restarts: facts.map(|facts| facts.n_engine_starts.saturating_sub(1)),
        }
    });
    Ok(Stats {
        at: now.to_string(),
        queue: QueueStats {
            waiting: backlog.n_waiting,
            in_flight: backlog.n_in_flight,
            oldest_seconds: facts.map(|facts| facts.oldest_age.unwrap_or_default().as_secs()),
            workers: facts.map(|facts| facts.n_workers),
        },
        dead_letters: dead_letters?,
        engine,
        memory: facts.map(|facts| facts.memory.into()),
        disk: app.settings.room.as_ref().map(|disk| {
            let space = disk.space();
            DiskStats { free: space.free_bytes, needed: space.needed_bytes }
        }),
        quotas: app.quotas.into(),
        gives_samples: app.settings.max_sample_size.is_some(),
        files_by_status: total.by_status.clone(),
        bytes_scanned: total.n_bytes,
        scan_seconds: SizeClass::ALL.into_iter().zip(total.durations).map(scan_seconds).collect(),
        hours: hours_stats(&hours, now),
        recent_failures: recent_failures(total),
    })
}

fn scan_seconds((class, histogram): (SizeClass, Histogram)) -> ScanSeconds {
    let at = |percent| histogram.percentile(percent).map(|duration: Duration| duration.as_secs_f64());
    ScanSeconds { size: class.name(), count: histogram.n(), p50: at(50), p95: at(95), p99: at(99) }
}

fn hours_stats(hours: &[HourStatistics], now: Timestamp) -> Vec<HourStats> {
    let first = hour(now) - i64::from(N_HOURS) + 1;
    let with_start = hours.iter().zip(first..);
    with_start
        .map(|(statistics, hour)| HourStats {
            from: Timestamp::from_secs(hour * 3600).to_string(),
            files_by_status: statistics.by_status.clone(),
            bytes_scanned: statistics.n_bytes,
        })
        .collect()
}

fn recent_failures(mut total: HourStatistics) -> Vec<FailureInfo> {
    total.failures.sort_by_key(|failure| std::cmp::Reverse(failure.at));
    total.failures.truncate(MAX_FAILURES);
    let shown = total.failures.into_iter().map(|failure| FailureInfo {
        file_id: failure.file_id.to_string(),
        at: failure.at.to_string(),
        status: failure.status.as_str(),
        reason: failure.reason,
        filename: None,
        owner: None,
        sha256: None,
        is_own: false,
    });
    shown.collect()
}
