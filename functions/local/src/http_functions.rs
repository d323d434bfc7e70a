//! The page, the API, the download and the live function at one address.

use std::time::Duration;

use anyhow::Context as _;
use api::ApiDependencies;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::{Extension, Router};
use web::{ApiError, LinkKey, TokenSigner};

use crate::backend::Backend;
use crate::disk;
use crate::page;
use crate::plan::Plan;
use crate::premises::Premises;
use crate::scanning::Scanning;
use crate::storage::Storage;

/// The engine sends a heartbeat every 15 seconds.
const ENGINE_SILENCE: Duration = Duration::from_mins(2);

/// This process makes nearly all changes itself, and announces them.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Everything that is served at `--listen`.
pub(crate) fn router(
    plan: &Plan,
    premises: &Premises,
    backend: &Backend,
    scanning: &Scanning,
) -> anyhow::Result<Router> {
    let link_key = link_key(plan, premises)?;
    let settings = &plan.functions;
    let (stores, loopback_only) = (&backend.stores, &plan.loopback_only);
    let next_update = premises.definitions.next_update.clone();
    let probe = scanning.probe(&backend.queues.scans, plan.n_scan_workers, next_update);
    let dependencies = ApiDependencies {
        stores: stores.clone(),
        dead_letters: Some(backend.dead_letters.clone()),
        identity: plan.identity.clone(),
        link_key: link_key.clone(),
        loopback_only: loopback_only.clone(),
        max_form_size: u64::MAX,
        max_sample_size: u64::MAX,
        longest_scan_wait: plan.options.tuning.longest_scan_wait,
        poll_interval: POLL_INTERVAL,
        engine_silence: Some(ENGINE_SILENCE),
        probe: Some(probe),
        room: Some(disk::for_api(backend.room.clone(), plan.storage == Storage::Directory)),
    };
    let api = api::ApiContext::new(settings.api.clone(), dependencies);
    let download = download::DownloadContext::new(
        settings.api.origins.clone(),
        stores.clone(),
        link_key,
        loopback_only.clone(),
    );
    let live = live::LiveContext::new(
        settings.live.clone(),
        stores.clone(),
        plan.identity.clone(),
        loopback_only.clone(),
    );
    let mut api = api::router(api);
    if let Some(url) = plan.options.public_url.clone() {
        // For the absolute URLs in answers to upload clients.
        api = api.layer(Extension(url));
    }
    let functions = api.merge(download::router(download)).merge(live::router(live));
    let pages = page::router(&premises.addresses.s3_public_url)
        .layer(from_fn_with_state(loopback_only.clone(), web::loopback_only))
        .layer(from_fn(web::problems));
    Ok(functions.merge(pages))
}

/// The operator's key, or else that of the data directory.
fn link_key(plan: &Plan, premises: &Premises) -> anyhow::Result<LinkKey> {
    let chosen = plan.functions.api.links.secret_key.as_ref().map(settings::SecretText::exposed);
    let secret = chosen.unwrap_or(&premises.secrets.secret_key);
    let signer = TokenSigner::new(secret.as_bytes()).context("`SECRET_KEY`")?;
    Ok(LinkKey::fixed(signer))
}

/// The API's answer to a connection too many.
pub(crate) fn busy() -> Router {
    let refuse = async || ApiError::TooManyConnections;
    Router::new().fallback(refuse).layer(from_fn(web::problems))
}
