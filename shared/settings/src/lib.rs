//! Every setting that Airlock reads from its environment: typed, documented, and validated once, at start.
//!
//! Settings are grouped by subject ([`UploadSettings`], [`EventSettings`], ...). Each variable is declared
//! once: its parser, its field's documentation and its row in `docs/settings.md` come from that declaration.
//! A function composes the subjects it needs into its own settings value.
//!
//! Invariant: only this crate reads the environment. Other crates get a value through its subject.
//! Invariant: no error, `Debug` or `Display` output holds the value of a secret.

mod declare;
mod definitions;
mod engine;
mod environment;
mod error;
mod events;
mod host;
mod identity;
mod incoming;
mod links;
mod live;
mod logging;
mod parse;
mod passwords;
mod protected;
mod public_url;
mod quotas;
mod secret;
mod storage;
pub mod tables;
mod uploads;
mod verdicts;

pub use declare::{Presence, Subject, Variable};
pub use definitions::{
    DefinitionBucketSettings, DefinitionTrustSettings, FreshnessSettings, PublisherSettings,
};
pub use engine::{EngineChoice, EngineSettings, LayerSettings, WorkerSettings};
pub use environment::Environment;
pub use error::ConfigError;
pub use events::{EventProfile, EventSettings};
pub use host::{Auth, HostSettings};
pub use identity::{IdentityKeys, IdentitySettings, TokenSettings};
pub use incoming::{IncomingSettings, rules as incoming_rules};
pub use links::{LinkSettings, OriginSettings};
pub use live::LiveStreamSettings;
pub use logging::{LambdaSettings, LogSettings};
pub use passwords::PasswordSettings;
pub use protected::{ProtectedSettings, buckets as protected_buckets};
pub use public_url::{PublicUrl, PublicUrlError};
pub use quotas::QuotaSettings;
pub use secret::SecretText;
pub use storage::{
    AWS, BucketSettings, CLIENT, DeadLetterSettings, DeploymentSettings, StorageKind, StorageSettings,
    StoreSettings,
};
pub use uploads::UploadSettings;
pub use verdicts::{RescanSettings, SampleSettings, TagSettings, VerdictSettings, machine_policy};

/// All subjects, in the order of the documentation.
pub const SUBJECTS: [&Subject; 30] = [
    &HostSettings::SUBJECT,
    &StorageSettings::SUBJECT,
    &BucketSettings::SUBJECT,
    &AWS,
    &UploadSettings::SUBJECT,
    &LinkSettings::SUBJECT,
    &OriginSettings::SUBJECT,
    &TokenSettings::SUBJECT,
    &EngineSettings::SUBJECT,
    &WorkerSettings::SUBJECT,
    &FreshnessSettings::SUBJECT,
    &VerdictSettings::SUBJECT,
    &SampleSettings::SUBJECT,
    &RescanSettings::SUBJECT,
    &TagSettings::SUBJECT,
    &QuotaSettings::SUBJECT,
    &IncomingSettings::SUBJECT,
    &ProtectedSettings::SUBJECT,
    &EventSettings::SUBJECT,
    &LiveStreamSettings::SUBJECT,
    &PasswordSettings::SUBJECT,
    &LogSettings::SUBJECT,
    &CLIENT,
    &LayerSettings::SUBJECT,
    &LambdaSettings::SUBJECT,
    &DeploymentSettings::SUBJECT,
    &DeadLetterSettings::SUBJECT,
    &DefinitionBucketSettings::SUBJECT,
    &DefinitionTrustSettings::SUBJECT,
    &PublisherSettings::SUBJECT,
];
