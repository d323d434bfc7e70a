//! The sweep's settings, and how it connects to AWS.

use std::time::Duration;

use aws::{Sdk, Stores};
use domain::machine::MachinePolicy;
use settings::{
    ConfigError, DeploymentSettings, Environment, RescanSettings, StoreSettings, UploadSettings,
    VerdictSettings,
};

use crate::Context;

/// What a sweep needs, wherever it runs.
#[derive(Clone, Debug)]
pub struct SweepSettings {
    pub machine: MachinePolicy,
    pub rescans: RescanSettings,
}

/// How often sweeps run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepPace {
    pub every: Duration,
    /// How often a sweep lists some of the objects of other uploaders.
    pub incoming_every: Duration,
}

/// The settings of the sweep function on AWS.
#[derive(Clone, Debug)]
pub struct SweepDeployment {
    settings: SweepSettings,
    stores: StoreSettings,
}

/// The schedule in the template.
const PACE_ON_AWS: SweepPace =
    SweepPace { every: Duration::from_mins(1), incoming_every: Context::INCOMING_EVERY };

impl SweepDeployment {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        env.refuse_unknown(&[&DeploymentSettings::SUBJECT])?;
        let stores = StoreSettings::read(env)?;
        stores.require_scan_queue()?;
        let (uploads, verdicts) = (UploadSettings::read(env)?, VerdictSettings::read(env)?);
        let machine = verdicts.machine(&uploads, stores.publishes(), MachinePolicy::default());
        Ok(Self { settings: SweepSettings { machine, rescans: RescanSettings::read(env)? }, stores })
    }
}

impl Context {
    pub fn new(settings: &SweepSettings, stores: Stores, pace: SweepPace) -> Self {
        Self {
            stores,
            machine: settings.machine,
            rescans_per_sweep: rescans_in(pace.every, settings.rescans.per_minute),
            incoming_every: pace.incoming_every,
        }
    }

    /// Connects to AWS.
    pub async fn connect(deployment: SweepDeployment) -> Self {
        let sdk = Sdk::from_environment().await;
        Self::new(&deployment.settings, Stores::connect(&deployment.stores, &sdk), PACE_ON_AWS)
    }
}

/// How many rescans one sweep may start; at least one, if any are allowed.
fn rescans_in(span: Duration, per_minute: u32) -> u32 {
    let share = u64::from(per_minute) * u64::try_from(span.as_millis()).unwrap_or(u64::MAX) / 60_000;
    u32::try_from(share).unwrap_or(u32::MAX).clamp(per_minute.min(1), per_minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_starts_its_share_of_rescans() {
        for (secs, per_minute, expected) in [
            (60, 60, 60),
            (5, 60, 5),
            (5, 0, 0),
            (1, 5, 1),
            (120, 60, 60),
            (60, 0, 0),
            (60, u32::MAX, u32::MAX),
        ] {
            assert_eq!(rescans_in(Duration::from_secs(secs), per_minute), expected, "{secs} s, {per_minute}");
        }
    }
}
