//! "May I upload this? What became of it?" Uploads, files, status, links, health, and their OpenAPI description.
//!
//! Handlers decode, ask the domain, call an adapter and answer; none of them has a policy of its own.

mod config;
mod docs;
mod files;
mod health;
mod link;
mod status;
mod upload_direct;
mod upload_form;
mod view;

use std::sync::Arc;
use std::time::Duration;

use aws::{ScanQueue, Stores};
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware;
use domain::freshness::FreshnessPolicy;
use domain::id::FileId;
use domain::machine::MachinePolicy;
use domain::record::Record;
use domain::upload::UploadPolicy;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::{ApiError, Identity, LinkKey, LoopbackOnly};

pub use config::Config;

/// What the API needs. Built once per process.
#[derive(Clone, Debug)]
pub struct Context {
    pub stores: Stores,
    pub queue: ScanQueue,
    pub identity: Identity,
    pub link_key: LinkKey,
    pub uploads: UploadPolicy,
    pub machine: MachinePolicy,
    pub freshness: FreshnessPolicy,
    pub settings: Settings,
}

/// What differs between deployments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a download link lives.
    pub link_ttl: Duration,
    /// The largest `POST /upload`; a Lambda takes 6 MB of request at most.
    pub max_form_size: u64,
    /// How long after an upload began the sweep first looks for it.
    pub first_look: Duration,
    /// An engine that is silent for longer is reported as down. `None` where engines come and go, as on Lambda.
    pub engine_silence: Option<Duration>,
    pub allowed_origins: Vec<String>,
    pub loopback_only: LoopbackOnly,
}

/// The state that handlers share.
#[derive(Clone, Debug)]
struct App(Arc<Context>);

impl std::ops::Deref for App {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl FromRef<App> for Identity {
    fn from_ref(app: &App) -> Self {
        app.identity.clone()
    }
}

/// The whole HTTP interface of this function.
pub fn router(context: Context) -> axum::Router {
    let (cors, loopback) = (web::cors(&context.settings.allowed_origins), context.settings.loopback_only);
    let link_key = context.link_key.clone();
    let (routes, _) = documented_routes().split_for_parts();
    routes
        .merge(docs::router())
        .fallback(async || ApiError::RouteNotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .with_state(App(Arc::new(context)))
        .layer(middleware::from_fn_with_state(link_key, web::renew_link_key))
        .layer(middleware::from_fn_with_state(loopback, web::loopback_only))
        .layer(cors)
        .layer(middleware::from_fn(web::problems))
}

/// The API's description, OpenAPI 3.1. Committed as `openapi.json`.
pub fn openapi() -> utoipa::openapi::OpenApi {
    documented_routes().split_for_parts().1
}

fn documented_routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(docs::Description::openapi())
        .routes(routes!(upload_direct::create, files::list))
        .routes(routes!(upload_form::upload))
        .routes(routes!(files::show, files::edit, files::delete))
        .routes(routes!(status::show))
        .routes(routes!(link::create))
        .routes(routes!(health::show))
        // Bodies that are not JSON are limited where they are read.
        .layer(DefaultBodyLimit::disable())
}

impl App {
    /// The caller's record. A foreign file, an unknown one and a malformed id are the same 404.
    async fn record_of(&self, caller: &web::Caller, file_id: &str) -> Result<Record, ApiError> {
        let file = FileId::parse(file_id).map_err(|_| ApiError::FileNotFound)?;
        let record = self.stores.ledger.load(file).await?.ok_or(ApiError::FileNotFound)?;
        if record.owner == caller.0 { Ok(record) } else { Err(ApiError::FileNotFound) }
    }
}
