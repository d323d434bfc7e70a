//! `GET /health`: reports whether files can be uploaded, scanned and downloaded.

use axum::extract::State;
use axum::http::StatusCode;
use domain::freshness::{Freshness, freshness};
use domain::upload::UploadPolicy;
use serde::Serialize;
use utoipa::ToSchema;

use web::Refused;
use web::view::DefinitionsInfo;

use crate::{App, DiskSpace};

/// The health of the service and of each of its parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    status: HealthStatus,
    engine: EngineHealth,
    storage: PartStatus,
    ledger: PartStatus,
    queue: QueueHealth,
    /// Only if the service keeps objects or scans files on its own disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<DiskHealth>,
    uploads: UploadLimits,
}

/// Whether the disk has enough space for scans and uploads.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DiskHealth {
    status: DiskStatus,
    /// Bytes.
    #[schema(example = 52_000_000_000u64)]
    free: u64,
    /// Bytes that scans may need. If less is free, files wait for their scan, and uploads are refused with
    /// `storage_full`.
    #[schema(example = 1_115_684_864)]
    needed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DiskStatus {
    Ok,
    Full,
}

impl From<DiskSpace> for DiskHealth {
    fn from(space: DiskSpace) -> Self {
        let DiskSpace { free_bytes: free, needed_bytes: needed, .. } = space;
        let is_full = free < needed;
        let detail = is_full.then(|| {
            let megabytes = |n_bytes: u64| format!("{}.{} MB", n_bytes / 1_000_000, n_bytes / 100_000 % 10);
            let (free, needed) = (megabytes(free), megabytes(needed));
            format!("{free} of disk space are free; scans need {needed}. Files wait until there is more.")
        });
        Self { status: if is_full { DiskStatus::Full } else { DiskStatus::Ok }, free, needed, detail }
    }
}

/// The limits for uploads, so that a client can show them beforehand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UploadLimits {
    /// Bytes; never more than the engine can scan as a whole.
    #[schema(example = 104_857_600)]
    max_file_size: u64,
    /// File name extensions that are accepted; absent if all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["docx", "pdf", "png"]))]
    accepted_extensions: Option<Vec<String>>,
}

impl UploadLimits {
    fn of(policy: &UploadPolicy) -> Self {
        let accepted = policy.allowed_extensions.listed();
        Self {
            max_file_size: policy.max_file_size,
            accepted_extensions: accepted.map(|extensions| extensions.map(ToOwned::to_owned).collect()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    Ok,
    /// All parts work, and clean files can be downloaded, but new files must wait.
    Degraded,
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PartStatus {
    Ok,
    Down,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EngineHealth {
    status: PartStatus,
    #[schema(example = "ClamAV 1.4.6")]
    version: Option<String>,
    /// The programs that unpack files for the engine. A file that only a missing program could unpack is
    /// `unscannable`.
    #[schema(example = json!(["7-Zip 26.02", "libarchive 3.6.2"]))]
    openers: Vec<String>,
    #[schema(format = DateTime, example = "2026-12-01T10:30:00Z")]
    last_seen: Option<String>,
    definitions: Option<DefinitionsInfo>,
    /// The age of the definitions in hours; `null` for the test set.
    definitions_age_hours: Option<u64>,
    definitions_freshness: Option<FreshnessName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FreshnessName {
    Fresh,
    /// More than a day old.
    Ageing,
    /// Too old: files become `unscannable`.
    Stale,
    /// The test set, which is for trying the service out and gives no protection.
    TestSet,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QueueHealth {
    status: PartStatus,
    /// Approximate number of waiting scans.
    waiting: Option<u64>,
}

/// Check the health of the service
#[utoipa::path(get, path = "/health", operation_id = "getHealth",
    tag = "service", security(()),
    responses(
        (status = 200, description = "All parts work", body = Health),
        (status = 503, description = "A part is down, or the disk is full", body = Health),
        Refused,
    ))]
pub(crate) async fn show(State(app): State<App>) -> (StatusCode, axum::Json<Health>) {
    let (engine, storage, queue) =
        tokio::join!(app.stores.ledger.heartbeat(), app.stores.objects.check(), app.backlog());
    let part = |is_ok: bool| if is_ok { PartStatus::Ok } else { PartStatus::Down };
    let health = Health {
        status: HealthStatus::Ok,
        ledger: part(engine.is_ok()),
        engine: engine_health(&app, engine.ok().flatten().as_ref()),
        storage: part(storage.is_ok()),
        queue: QueueHealth {
            status: part(queue.is_ok()),
            waiting: queue.ok().map(|backlog| backlog.n_waiting),
        },
        disk: app.settings.room.as_ref().map(|room| room.space().into()),
        uploads: UploadLimits::of(&app.uploads),
    };
    let parts = [health.engine.status, health.storage, health.ledger, health.queue.status];
    let is_full = health.disk.as_ref().is_some_and(|disk| disk.status == DiskStatus::Full);
    let (code, status) = if parts.contains(&PartStatus::Down) {
        (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::Unavailable)
    } else if is_full {
        (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::Degraded)
    } else {
        (StatusCode::OK, HealthStatus::Ok)
    };
    (code, axum::Json(Health { status, ..health }))
}

fn engine_health(app: &App, heartbeat: Option<&aws::Heartbeat>) -> EngineHealth {
    let now = aws::clock::now();
    let Some(heartbeat) = heartbeat else {
        return EngineHealth {
            status: PartStatus::Down,
            version: None,
            openers: vec![],
            last_seen: None,
            definitions: None,
            definitions_age_hours: None,
            definitions_freshness: None,
        };
    };
    let definitions = &heartbeat.engine.definitions;
    let freshness = freshness(definitions, app.freshness, now);
    let info = DefinitionsInfo::from(definitions);
    let is_test_set = info.built_at.is_none();
    let is_silent = app.settings.engine_silence.is_some_and(|limit| now.since(heartbeat.at) > limit);
    let is_up = !is_silent && freshness != Freshness::Stale;
    EngineHealth {
        status: if is_up { PartStatus::Ok } else { PartStatus::Down },
        version: Some(heartbeat.engine.version.clone()),
        openers: heartbeat.engine.openers.clone(),
        last_seen: Some(heartbeat.at.to_string()),
        definitions_age_hours: (!is_test_set).then(|| now.since(definitions.built_at).as_secs() / 3600),
        definitions_freshness: Some(match freshness {
            _ if is_test_set => FreshnessName::TestSet,
            Freshness::Fresh => FreshnessName::Fresh,
            Freshness::Ageing => FreshnessName::Ageing,
            Freshness::Stale => FreshnessName::Stale,
        }),
        definitions: Some(info),
    }
}
