//! Where objects are kept: in the data directory, or in a remote bucket.

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws::{Objects, Sdk};
use domain::machine::MachinePolicy;
use domain::protected::ProtectedBuckets;
use settings::{BucketSettings, ConfigError, Environment, StorageKind, StorageSettings};

use crate::tasks::SweepPace;

/// The bucket of the stand-in.
pub(crate) const LOCAL_BUCKET: &str = "airlock";

/// `STORAGE_TYPE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// `local`: the stand-in, in the data directory.
    Directory,
    /// `s3`: a versioned bucket at AWS or at an S3-compatible store (`AWS_ENDPOINT_URL_S3`). Its events do
    /// not reach this machine, so the sweep looks for uploads.
    Bucket(String),
}

impl Storage {
    pub(crate) fn read(env: &Environment) -> Result<Self, ConfigError> {
        match StorageSettings::read(env)?.kind {
            StorageKind::Local => Ok(Self::Directory),
            StorageKind::S3 => Ok(Self::Bucket(BucketSettings::read(env)?.required()?)),
        }
    }

    pub(crate) fn bucket(&self) -> String {
        match self {
            Self::Directory => LOCAL_BUCKET.to_owned(),
            Self::Bucket(name) => name.clone(),
        }
    }

    /// The buckets of other applications. The data directory has one bucket alone.
    pub(crate) fn protected_buckets(&self, env: &Environment) -> Result<ProtectedBuckets, ConfigError> {
        let protected = settings::protected_buckets(env, &self.bucket())?;
        if *self == Self::Directory && !protected.is_empty() {
            return Err(ConfigError::Unsafe("`PROTECTED_BUCKETS` needs `STORAGE_TYPE=s3`".to_owned()));
        }
        Ok(protected)
    }

    /// Without events, the sweep must look for uploads sooner.
    pub(crate) fn machine(&self, machine: MachinePolicy) -> MachinePolicy {
        match self {
            Self::Directory => machine,
            Self::Bucket(_) => {
                MachinePolicy { sweep_retry: machine.sweep_retry.min(Duration::from_secs(3)), ..machine }
            }
        }
    }

    pub(crate) fn sweep_every(&self, every: Duration) -> Duration {
        match self {
            Self::Directory => every,
            Self::Bucket(_) => every.min(Duration::from_secs(1)),
        }
    }

    /// The pace of sweeps: slower when no record changes, unless the sweep must look for uploads.
    pub(crate) fn sweep_pace(&self, every: Duration) -> SweepPace {
        /// With the default, a sweep a minute.
        const SLOWER: u32 = 12;
        match self {
            Self::Directory => SweepPace { every, while_idle: every * SLOWER },
            Self::Bucket(_) => SweepPace { every, while_idle: every },
        }
    }

    /// The same for objects of other uploaders.
    pub(crate) fn incoming_every(&self, every: Duration) -> Duration {
        match self {
            Self::Directory => every,
            // Listing costs money, so it is done less often than the records are read.
            Self::Bucket(_) => every.min(Duration::from_secs(10)),
        }
    }

    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Directory => "data directory".to_owned(),
            Self::Bucket(name) => format!("S3 bucket `{name}`"),
        }
    }
}

/// A remote bucket. Errors: it does not answer, or keeps no versions, without which no verdict can name its
/// bytes.
pub(crate) async fn remote_bucket(name: &str) -> anyhow::Result<Objects> {
    let objects = Objects::new(&Sdk::from_environment().await, name.to_owned());
    let is_versioned =
        objects.is_versioned().await.with_context(|| format!("the bucket `{name}` does not answer"))?;
    if !is_versioned {
        bail!("the bucket `{name}` does not keep versions; turn on bucket versioning first");
    }
    Ok(objects)
}
