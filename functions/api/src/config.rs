//! The API's settings, and how it connects to AWS.

use std::time::Duration;

use aws::{DeadLetters, Sdk, Stores};
use domain::freshness::FreshnessPolicy;
use domain::machine::MachinePolicy;
use domain::upload::UploadPolicy;
use domain::usage::Quotas;
use settings::{
    ConfigError, DeadLetterSettings, DeploymentSettings, Environment, FreshnessSettings, IdentitySettings,
    LinkSettings, OriginSettings, PasswordSettings, QuotaSettings, SampleSettings, StoreSettings,
    UploadSettings, machine_policy,
};
use web::{Identity, LinkKey, LoopbackOnly, Verifier};

use crate::{ApiContext, ApiOptions, Disk, StatsSource};

/// The settings of the API, on AWS and on one machine.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    pub uploads: UploadPolicy,
    pub links: LinkSettings,
    pub origins: OriginSettings,
    pub quotas: Quotas,
    pub machine: MachinePolicy,
    pub freshness: FreshnessPolicy,
    /// The largest body of `POST /scan`, in bytes.
    pub max_scan_body: u64,
    /// The buckets that `POST /scan/s3` may read.
    pub read_buckets: Vec<String>,
    /// Whether operators may download samples.
    pub gives_samples: bool,
}

/// What the process provides for the API.
#[derive(Clone, Debug)]
pub struct ApiDependencies {
    pub stores: Stores,
    pub dead_letters: Option<DeadLetters>,
    pub identity: Identity,
    pub link_key: LinkKey,
    pub loopback_only: LoopbackOnly,
    /// The largest `POST /upload` that the process accepts, in bytes. The maximum file size is a limit as
    /// well.
    pub max_form_size: u64,
    /// The largest sample that the process can send, in bytes.
    pub max_sample_size: u64,
    /// How long `POST /scan` waits for its verdict.
    pub longest_scan_wait: Duration,
    /// See [`ApiOptions::poll_interval`](crate::ApiOptions::poll_interval).
    pub poll_interval: Duration,
    /// How long an engine may send no heartbeat; `None` if engines start and stop on demand.
    pub engine_silence: Option<Duration>,
    /// Statistics of the process; `None` if only the API runs in it.
    pub probe: Option<StatsSource>,
    /// The disk that scans need; `None` if they run on another machine.
    pub room: Option<Disk>,
}

/// The settings of the API function on AWS.
#[derive(Clone, Debug)]
pub struct ApiDeployment {
    settings: ApiSettings,
    stores: StoreSettings,
    dead_letters: DeadLetterSettings,
    passwords: PasswordSettings,
    identity: IdentitySettings,
}

/// Scans run in another function. Short enough that a person notices no delay, long enough to keep the load
/// on the ledger low.
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// Lambda accepts requests of 6 MB in base64: 4.5 MB of form, of which a little is not the file.
const MAX_LAMBDA_FORM: u64 = 4_400_000;
/// Lambda's answers have the same limit as its requests; an archive adds less than a kilobyte.
const MAX_LAMBDA_SAMPLE: u64 = 4_400_000;
/// API Gateway waits for 30 seconds, and the function for 29, storing and removing the bytes included.
const LONGEST_LAMBDA_SCAN_WAIT: Duration = Duration::from_secs(24);

impl ApiSettings {
    /// `machine` is the policy that all functions of the deployment share.
    pub fn read(env: &Environment, machine: MachinePolicy) -> Result<Self, ConfigError> {
        let uploads = UploadSettings::read(env)?;
        Ok(Self {
            max_scan_body: uploads.max_scan_body,
            read_buckets: uploads.read_buckets.clone(),
            uploads: uploads.policy(),
            gives_samples: SampleSettings::read(env)?.may_download,
            links: LinkSettings::read(env)?,
            origins: OriginSettings::read(env)?,
            quotas: QuotaSettings::read(env)?.quotas(),
            machine,
            freshness: FreshnessSettings::read(env)?.policy(),
        })
    }
}

impl ApiDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[&DeploymentSettings::SUBJECT, &DeadLetterSettings::SUBJECT])?;
        let stores = StoreSettings::read(env)?;
        stores.require_scan_queue()?;
        let machine = machine_policy(env, stores.publishes(), MachinePolicy::default())?;
        Ok(Self {
            settings: ApiSettings::read(env, machine)?,
            stores,
            dead_letters: DeadLetterSettings::read(env)?,
            passwords: PasswordSettings::read(env)?,
            identity: IdentitySettings::read(env)?,
        })
    }
}

impl ApiContext {
    pub fn new(settings: ApiSettings, dependencies: ApiDependencies) -> Self {
        let ApiSettings { uploads, links, origins, quotas, machine, freshness, .. } = settings;
        let max_form_size = dependencies.max_form_size.min(uploads.max_file_size);
        Self {
            stores: dependencies.stores,
            dead_letters: dependencies.dead_letters,
            identity: dependencies.identity,
            link_key: dependencies.link_key,
            settings: ApiOptions {
                link_ttl: links.link_ttl,
                max_form_size,
                max_scan_body: settings.max_scan_body.min(max_form_size),
                read_buckets: settings.read_buckets,
                max_sample_size: settings.gives_samples.then_some(dependencies.max_sample_size),
                longest_scan_wait: dependencies.longest_scan_wait,
                first_sweep_in: machine.sweep_retry,
                poll_interval: dependencies.poll_interval,
                engine_silence: dependencies.engine_silence,
                allowed_origins: origins.allowed_origins,
                loopback_only: dependencies.loopback_only,
                probe: dependencies.probe,
                room: dependencies.room,
            },
            uploads,
            quotas,
            machine,
            freshness,
        }
    }

    /// Connects to AWS. Anything wrong fails the init phase.
    pub async fn connect(deployment: ApiDeployment) -> anyhow::Result<Self> {
        let ApiDeployment { settings, stores, dead_letters, passwords, identity } = deployment;
        let sdk = Sdk::from_environment().await;
        let stores = Stores::connect(&stores, &sdk).with_password_key(&passwords, &sdk).await?;
        let scans = stores.queues.scans.as_ref();
        let dead_letters = scans.zip(dead_letters.url).map(|(queue, url)| queue.dead_letters(url));
        let dependencies = ApiDependencies {
            stores,
            dead_letters,
            identity: Identity::Jwt(Verifier::new(identity)?.into()),
            link_key: LinkKey::connect(&settings.links, &sdk, aws::clock::now()).await?,
            loopback_only: LoopbackOnly::No,
            max_form_size: MAX_LAMBDA_FORM,
            max_sample_size: MAX_LAMBDA_SAMPLE,
            longest_scan_wait: LONGEST_LAMBDA_SCAN_WAIT,
            poll_interval: POLL_INTERVAL,
            engine_silence: None,
            probe: None,
            room: None,
        };
        Ok(Self::new(settings, dependencies))
    }
}
