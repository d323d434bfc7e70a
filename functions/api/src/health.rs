//! `GET /health`: can files be uploaded, judged and downloaded right now?

use axum::extract::State;
use axum::http::StatusCode;
use domain::freshness::{Freshness, freshness};
use serde::Serialize;
use utoipa::ToSchema;

use web::view::DefinitionsInfo;

use crate::App;

/// One line per part that files depend on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    status: HealthStatus,
    engine: EngineHealth,
    storage: PartStatus,
    ledger: PartStatus,
    queue: QueueHealth,
    uploads: UploadLimits,
}

/// What is accepted, so that a page can say so beforehand.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UploadLimits {
    /// Bytes; never more than the engine scans whole.
    #[schema(example = 104_857_600)]
    max_file_size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    Ok,
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
    /// The programs that take files apart for the engine. What only one that is missing could open is unscannable.
    #[schema(example = json!(["7-Zip 26.02", "libarchive 3.6.2"]))]
    openers: Vec<String>,
    last_seen: Option<String>,
    definitions: Option<DefinitionsInfo>,
    /// How old the definitions are, in hours; absent for the test set.
    definitions_age_hours: Option<u64>,
    definitions_freshness: Option<FreshnessName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FreshnessName {
    Fresh,
    /// Over a day old.
    Ageing,
    /// Too old to call anything clean.
    Stale,
    /// The test set: for trying the service out, not for protection.
    TestSet,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QueueHealth {
    status: PartStatus,
    /// About how many scans wait.
    waiting: Option<u64>,
}

/// Ask whether the service works
#[utoipa::path(get, path = "/health", tag = "service", security(()),
    responses((status = 200, description = "All parts work", body = Health), (status = 503, description = "A part is down", body = Health)))]
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
        uploads: UploadLimits { max_file_size: app.uploads.max_file_size },
    };
    let parts = [health.engine.status, health.storage, health.ledger, health.queue.status];
    if parts.iter().all(|status| *status == PartStatus::Ok) {
        (StatusCode::OK, axum::Json(health))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, axum::Json(Health { status: HealthStatus::Unavailable, ..health }))
    }
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
