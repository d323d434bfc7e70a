//! The API: uploads, files, status, links, health, and their OpenAPI description.
//!
//! A handler decodes the request, lets the domain decide, calls an adapter and answers; it has no policy of
//! its own.

mod admin;
mod compat;
mod complete;
mod config;
mod create_upload;
mod docs;
mod files;
mod health;
mod limit;
mod link;
mod on_demand;
mod rescan;
mod room;
mod scan;
mod scan_s3;
mod status;
mod streaming;
mod upload_direct;
mod upload_form;
mod upload_parts;

use std::sync::Arc;
use std::time::Duration;

use aws::{Backlog, DeadLetters, Ledger, Stores};
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware;
use domain::freshness::FreshnessPolicy;
use domain::id::FileId;
use domain::machine::{Event, MachinePolicy};
use domain::password::SealedPassword;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::upload::{Upload, UploadPolicy};
use domain::usage::Quotas;
use lifecycle::{Transitions, UploadCreator};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{ApiError, Identity, LinkKey, LoopbackOnly, TokenSigner};

pub use config::{ApiDependencies, ApiDeployment, ApiSettings};
pub use room::{Disk, DiskSpace};

/// What the API needs. Built once per process.
#[derive(Clone, Debug)]
pub struct ApiContext {
    pub stores: Stores,
    pub dead_letters: Option<DeadLetters>,
    pub identity: Identity,
    pub link_key: LinkKey,
    pub uploads: UploadPolicy,
    pub quotas: Quotas,
    pub machine: MachinePolicy,
    pub freshness: FreshnessPolicy,
    pub settings: ApiOptions,
}

/// What differs between deployments.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// How long a download link is valid.
    pub link_ttl: Duration,
    /// The largest `POST /upload`, in bytes; Lambda accepts requests of at most 6 MB.
    pub max_form_size: u64,
    /// The largest body of `POST /scan`, in bytes.
    pub max_scan_body: u64,
    /// The buckets that `POST /scan/s3` may read.
    pub read_buckets: Vec<String>,
    /// The largest sample that operators may download, in bytes; `None` if they may download none.
    pub max_sample_size: Option<u64>,
    /// How long `POST /scan` waits for its verdict; shorter than [`UploadPolicy::ON_DEMAND_TTL`].
    pub longest_scan_wait: Duration,
    /// How long after the creation of an upload the sweep first looks for its object.
    pub first_sweep_in: Duration,
    /// How often a long poll reads the ledger when this process announces no change. Changes by other
    /// processes show after this time at the latest.
    pub poll_interval: Duration,
    /// An engine without a heartbeat for longer is reported as down. `None` if engines start and stop on
    /// demand, as on Lambda.
    pub engine_silence: Option<Duration>,
    pub allowed_origins: Vec<String>,
    pub loopback_only: LoopbackOnly,
    /// Statistics of the process; only in local mode.
    pub probe: Option<StatsSource>,
    /// `None` if neither storage nor scans use a disk of this machine.
    pub room: Option<Disk>,
}

/// Reads the statistics of a process in which more than the API runs.
#[derive(Clone)]
pub struct StatsSource(pub Arc<dyn Fn() -> StatsFuture + Send + Sync>);

/// The result of a [`StatsSource`].
pub type StatsFuture = std::pin::Pin<Box<dyn Future<Output = RuntimeStats> + Send>>;

/// Statistics of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuntimeStats {
    pub n_workers: u64,
    /// The age of the oldest message in the scan queue.
    pub oldest_age: Option<Duration>,
    /// How often the engine was started.
    pub n_engine_starts: u64,
    pub memory: MemoryUse,
    /// When new virus definitions are looked for; `None` if the process does not update them.
    pub next_update: Option<Timestamp>,
}

/// The memory of the service and of the machine; `None` for what cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Resident memory of the service's process.
    pub service_bytes: Option<u64>,
    /// Resident memory of the engine's process; `None` also while it does not run.
    pub engine_bytes: Option<u64>,
    /// What the machine can still give to processes.
    pub available_bytes: Option<u64>,
    pub total_bytes: Option<u64>,
}

impl std::fmt::Debug for StatsSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StatsSource")
    }
}

/// The state that handlers share.
#[derive(Clone, Debug)]
struct App(Arc<ApiContext>);

impl std::ops::Deref for App {
    type Target = ApiContext;

    fn deref(&self) -> &ApiContext {
        &self.0
    }
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.identity.clone()
    }
}

impl FromRef<App> for Ledger {
    fn from_ref(app: &App) -> Self {
        app.stores.ledger.clone()
    }
}

/// The whole HTTP interface of this function.
pub fn router(context: ApiContext) -> axum::Router {
    let (cors, loopback) =
        (web::cors(&context.settings.allowed_origins), context.settings.loopback_only.clone());
    let link_key = context.link_key.clone();
    let (mut routes, _) = documented_routes().split_for_parts();
    if context.settings.probe.is_some() {
        routes = routes.route("/metrics", axum::routing::get(admin::metrics::show));
    }
    routes
        .merge(routes_by_token())
        .merge(docs::router())
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(App(Arc::new(context)))
        .layer(middleware::from_fn_with_state(link_key, web::renew_link_key))
        .layer(middleware::from_fn_with_state(loopback, web::loopback_only))
        .layer(middleware::from_fn(web::problems))
        // The outermost layer: pages of other origins must be able to read errors, too.
        .layer(cors)
}

/// The API's description in OpenAPI 3.1. Committed as `openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented_routes().split_for_parts().1
}

fn documented_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::Description::openapi())
        .routes(routes!(upload_direct::create, files::list))
        .routes(routes!(upload_form::upload))
        .routes(routes!(scan::scan))
        .routes(routes!(scan_s3::scan))
        .routes(routes!(compat::clamav_rest::scan_files))
        .routes(routes!(compat::clamav_rest::scan_forms))
        .routes(routes!(files::show, files::edit, files::delete))
        .routes(routes!(status::show))
        .routes(routes!(link::create))
        .routes(routes!(link::revoke))
        .routes(routes!(rescan::rescan))
        .routes(routes!(complete::complete))
        .routes(routes!(upload_parts::list, upload_parts::presign))
        .routes(routes!(compat::upload_token::create))
        .routes(routes!(compat::better_upload::sign))
        .routes(routes!(compat::active_storage::create))
        .nest("/uppy", uppy_routes())
        .routes(routes!(admin::release::release))
        .routes(routes!(admin::releases::list))
        .routes(routes!(admin::releases::revoke))
        .routes(routes!(admin::samples::download))
        .routes(routes!(admin::samples::list))
        .routes(routes!(admin::stats::show))
        .routes(routes!(admin::dead_letters::list))
        .routes(routes!(admin::dead_letters::redrive))
        .routes(routes!(admin::webhooks::list))
        .routes(routes!(admin::webhooks::enable))
        .routes(routes!(admin::webhooks::replay))
        .routes(routes!(health::show))
        // Handlers limit the bodies that they read.
        .layer(DefaultBodyLimit::disable())
}

/// Uppy's routes, below `/uppy` for clients that send a token in a header, and below `/uppy/t/{token}` for
/// those that cannot.
fn uppy_routes() -> OpenApiRouter<App> {
    use compat::{companion, sign_request};
    OpenApiRouter::new()
        .routes(routes!(companion::params))
        .routes(routes!(companion::begin))
        .routes(routes!(companion::list, companion::abort))
        .routes(routes!(companion::sign_parts))
        .routes(routes!(companion::sign_part))
        .routes(routes!(companion::join))
        .routes(routes!(sign_request::presign))
        // The first of them is a GET that creates an upload.
        .layer(middleware::map_response(compat::no_store))
}

/// The routes with a token in the path. The OpenAPI description omits them, because it would repeat the
/// others.
fn routes_by_token() -> axum::Router<App> {
    use compat::s3_parts;
    let (uppy, _) = uppy_routes().split_for_parts();
    let multipart = axum::routing::get(s3_parts::list).post(s3_parts::begin_or_join).delete(s3_parts::abort);
    axum::Router::new().nest("/uppy/t/{token}", uppy).route("/multipart/{token}", multipart)
}

impl App {
    fn transitions(&self) -> Transitions<'_> {
        Transitions { stores: &self.stores, policy: &self.machine }
    }

    fn creator(&self) -> UploadCreator<'_> {
        UploadCreator {
            stores: &self.stores,
            uploads: &self.uploads,
            quotas: &self.quotas,
            first_sweep_in: self.settings.first_sweep_in,
        }
    }

    /// The upload's password, encrypted for the scan function.
    fn sealed_password(&self, upload: &Upload, file: FileId) -> Result<Option<SealedPassword>, ApiError> {
        let Some(password) = &upload.password else { return Ok(None) };
        let key = self.stores.passwords.as_ref().ok_or(ApiError::PasswordsNotAccepted)?;
        key.seal(password, file).map(Some).map_err(|_| ApiError::Internal)
    }

    /// Refuses an upload of at most `n_bytes` if the disk lacks the space. Does nothing if storage is not on
    /// a disk of this machine.
    fn check_room(&self, n_bytes: u64) -> Result<(), ApiError> {
        self.settings.room.as_ref().map_or(Ok(()), |disk| disk.space().check(n_bytes))
    }

    /// Applies an event that a caller requested. If its effects fail, the sweep retries them.
    async fn apply(&self, file: FileId, event: &Event) -> Result<Record, ApiError> {
        let now = aws::clock::now();
        let transitions = self.transitions();
        let applied = transitions.apply(file, event, now).await?.ok_or(ApiError::FileNotFound)?;
        if let Err(error) = transitions.run_effects(&applied, now).await {
            tracing::warn!(file.id = %file, error = aws::log::chain(&error), "effects are left to the sweep");
        }
        Ok(applied.record)
    }

    async fn backlog(&self) -> Result<Backlog, ApiError> {
        let queue = self.stores.queues.scans.as_ref().ok_or(ApiError::Internal)?;
        Ok(queue.backlog().await?)
    }

    /// Reads a token that we have signed. If this fails and the key was rotated meanwhile, tries the newest
    /// key.
    async fn read_signed<T>(
        &self,
        read: impl Fn(&TokenSigner, Timestamp) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let now = aws::clock::now();
        match read(&self.link_key.signer, now) {
            Err(_) if self.link_key.renew_now(now).await => read(&self.link_key.signer, now),
            result => result,
        }
    }
}
