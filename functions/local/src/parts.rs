//! How is each part of the service made from the settings?

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use api::{Disk, RuntimeStats, StatsSource};
use aws::env::{EngineChoice, Env};
use aws::{DeadLetters, Stores};
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use clamd::{DaemonConfig, Engine, EngineProgram};
use domain::machine::MachinePolicy;
use standin::queue::Queue;
use tokio::net::TcpListener;
use web::{ApiError, Identity, IdentityConfig, LinkKey, LoopbackOnly, TokenSigner, Verifier};

use crate::data_dir::{DataDir, Secrets};
use crate::page;
use crate::settings::{Auth, Settings};

/// Without tokens, everybody who can connect is the owner of every file.
pub(crate) fn refuse_open_service(settings: &Settings) -> anyhow::Result<()> {
    if settings.auth == Auth::Nobody && !settings.listen.ip().is_loopback() {
        bail!("`--listen {}` is not a loopback address: it needs `--auth jwt`", settings.listen);
    }
    Ok(())
}

pub(crate) async fn bind(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.with_context(|| {
        format!("cannot listen on {address}; is another service there? choose another with {option}")
    })
}

pub(crate) fn url_of(listener: &TcpListener) -> anyhow::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

/// The page's origin, by address and by name.
pub(crate) fn page_origins(listener: &TcpListener) -> anyhow::Result<Vec<String>> {
    let address = listener.local_addr()?;
    Ok(vec![format!("http://{address}"), format!("http://localhost:{}", address.port())])
}

/// The API's answer to a connection too many.
pub(crate) fn busy() -> Router {
    let refuse = async || ApiError::TooManyConnections;
    Router::new().fallback(refuse).layer(from_fn(web::problems))
}

/// The engine's program. The snapshot engine where it is installed, clamd where it is not, if nothing else is said.
fn program(settings: &Settings, env: &Env) -> anyhow::Result<EngineProgram> {
    let chosen = env.engine()?;
    if chosen == Some(EngineChoice::Clamd) {
        return Ok(EngineProgram::Clamd("clamd".into()));
    }
    let found =
        settings.tuning.airlock_engine.clone().or_else(|| find_beside_or_on_path("airlock-engine", env));
    match (found, chosen) {
        (Some(path), _) => Ok(EngineProgram::AirlockEngine(path)),
        (None, None) => Ok(EngineProgram::Clamd("clamd".into())),
        (None, Some(_)) => {
            bail!(
                "`ENGINE` is `snapshot`, and there is no `airlock-engine` on the search path: `tools/engine build` makes it"
            )
        }
    }
}

fn find_beside_or_on_path(name: &str, env: &Env) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    let path = env.get("PATH").map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    let places = beside.into_iter().chain(path.unwrap_or_default());
    places.map(|place| place.join(name)).find(|path| path.is_file())
}

/// The engine with our configuration, on a socket that only we can reach, which ends when this process does.
pub(crate) fn engine(
    settings: &Settings,
    env: &Env,
    data_dir: &DataDir,
    definitions: PathBuf,
    max_file_size: u64,
    scan_timeout: Duration,
) -> anyhow::Result<Engine> {
    let run_directory = data_dir.path.join("run");
    std::fs::create_dir_all(&run_directory)?;
    let longest = run_directory.join("clamd.sock");
    if longest.as_os_str().len() > 107 {
        bail!("the data directory's path is too long for a Unix socket: `{}`", longest.display());
    }
    let launcher = ["setpriv", "--pdeathsig", "KILL", "--no-new-privs", "--"];
    let config = DaemonConfig {
        program: program(settings, env)?,
        launcher: launcher.map(ToOwned::to_owned).to_vec(),
        run_directory,
        definitions_directory: definitions,
        limits: scan::Config::limits(max_file_size, scan_timeout),
        start_timeout: Duration::from_mins(2),
    };
    Ok(Engine::new(config, settings.tuning.transport))
}

/// What the HTTP functions are made from.
pub(crate) struct Functions<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) env: &'a Env,
    pub(crate) secrets: &'a Secrets,
    pub(crate) stores: &'a Stores,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) machine: MachinePolicy,
    pub(crate) probe: StatsSource,
    pub(crate) disk: Disk,
}

impl Functions<'_> {
    /// The page, the API and the download function at one address.
    pub(crate) fn router(&self, config: api::Config, s3_url: &str) -> anyhow::Result<Router> {
        let (identity, loopback_only) = match self.settings.auth {
            Auth::Nobody => {
                let allowed_origins = config.allowed_origins.clone().into();
                (Identity::Local, LoopbackOnly::Yes { allowed_origins })
            }
            Auth::Jwt => {
                let verifier = Verifier::new(IdentityConfig::from_env(self.env)?)?;
                (Identity::Jwt(verifier.into()), LoopbackOnly::No)
            }
        };
        let secret = self.env.get("SECRET_KEY").unwrap_or(&self.secrets.secret_key);
        let signer = TokenSigner::new(secret.as_bytes()).context("`SECRET_KEY`")?;
        let download = download::Context {
            stores: self.stores.clone(),
            link_key: LinkKey::fixed(signer.clone()),
            allowed_origins: config.allowed_origins.clone(),
            loopback_only: loopback_only.clone(),
        };
        let api = api::Context {
            stores: self.stores.clone(),
            dead_letters: Some(self.dead_letters.clone()),
            identity: identity.clone(),
            link_key: LinkKey::fixed(signer),
            settings: api::Settings {
                link_ttl: config.link_ttl,
                max_form_size: config.uploads.max_file_size,
                first_sweep_in: self.machine.sweep_retry,
                engine_silence: Some(Duration::from_mins(2)),
                allowed_origins: config.allowed_origins.clone(),
                loopback_only: loopback_only.clone(),
                probe: Some(self.probe.clone()),
                room: Some(self.disk.clone()),
            },
            uploads: config.uploads,
            quotas: self.env.quotas()?,
            machine: self.machine,
            freshness: self.env.freshness()?,
        };
        let live = live::Context {
            stores: self.stores.clone(),
            identity,
            allowed_origins: config.allowed_origins,
            loopback_only: loopback_only.clone(),
            settings: live::Settings {
                // Every change goes through this process, which says so at once.
                poll_interval: Duration::from_secs(1),
                longest_stream: Duration::from_hours(1),
                n_workers: u64::try_from(self.settings.tuning.delivery.n_workers).unwrap_or(1),
            },
        };
        let functions = api::router(api).merge(download::router(download)).merge(live::router(live));
        let pages = page::router(s3_url)
            .layer(from_fn_with_state(loopback_only, web::loopback_only))
            .layer(from_fn(web::problems));
        Ok(functions.merge(pages))
    }
}

/// What the monitor cannot learn from the stores.
pub(crate) fn probe(queue: &Queue, engine: &Arc<Engine>, n_workers: usize) -> StatsSource {
    let (queue, engine) = (queue.clone(), Arc::clone(engine));
    StatsSource(Arc::new(move || {
        let (queue, engine) = (queue.clone(), Arc::clone(&engine));
        Box::pin(async move {
            let backlog = queue.backlog().await;
            RuntimeStats {
                n_workers: u64::try_from(n_workers).unwrap_or(u64::MAX),
                oldest_age: backlog.ok().and_then(|backlog| backlog.oldest_age),
                n_engine_starts: engine.n_starts(),
            }
        })
    }))
}
