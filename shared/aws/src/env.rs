//! What does the environment say? Every setting is read through [`Env`], so that it is listed, parsed and refused alike.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use domain::freshness::FreshnessPolicy;
use domain::incoming::{IncomingRules, IncomingRulesError};
use domain::machine::MachinePolicy;
use domain::post_verdict::Quarantine;
use domain::tag::TagProfile;
use domain::upload::UploadPolicy;
use domain::usage::Quotas;
use thiserror::Error;

const DAY_SECS: u64 = 24 * 60 * 60;

/// The environment as it was at start.
#[derive(Clone, Debug, Default)]
pub struct Env(BTreeMap<String, String>);

/// Why a setting is refused. Configuration errors end the start, never a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("`{0}` is not set")]
    Missing(&'static str),
    #[error("`{name}` is `{value}`: {why}")]
    Invalid { name: &'static str, value: String, why: String },
    #[error("`{0}` is not a setting of Airlock; see the configuration table in the README")]
    Unknown(String),
    #[error("{0}")]
    Unsafe(String),
}

/// The engine that judges: `ENGINE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineChoice {
    /// ClamAV's daemon, which loads its definitions at every start.
    Clamd,
    /// `airlock-engine`, which begins with a snapshot.
    Snapshot,
}

impl Env {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn read() -> Self {
        Self(std::env::vars().collect())
    }

    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// The value of `name`; an empty one counts as absent, as `.env` files write it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.get(name).ok_or(ConfigError::Missing(name))
    }

    /// Parses `name`, or gives `default` when it is absent.
    pub fn parsed<T: FromStr>(&self, name: &'static str, default: T) -> Result<T, ConfigError> {
        match self.get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| ConfigError::Invalid {
                name,
                value: value.to_owned(),
                why: format!("not a {}", std::any::type_name::<T>()),
            }),
        }
    }

    /// The parts of a comma-separated list.
    pub fn list(&self, name: &str) -> Vec<String> {
        let items = self.get(name).unwrap_or_default().split(',').map(str::trim);
        items.filter(|item| !item.is_empty()).map(ToOwned::to_owned).collect()
    }

    /// How old definitions may be: `DEFINITIONS_MAX_AGE_DAYS`.
    pub fn freshness(&self) -> Result<FreshnessPolicy, ConfigError> {
        let default = FreshnessPolicy::default();
        let days = self.parsed("DEFINITIONS_MAX_AGE_DAYS", default.max_age.as_secs() / DAY_SECS)?;
        Ok(FreshnessPolicy { max_age: Duration::from_secs(days.saturating_mul(DAY_SECS)), ..default })
    }

    /// Which tag shows a verdict: `TAG_PROFILE`.
    pub fn tag_profile(&self) -> Result<TagProfile, ConfigError> {
        let Some(value) = self.get("TAG_PROFILE") else { return Ok(TagProfile::default()) };
        let why = "must be `scan-status`, `guardduty` or `plain`".to_owned();
        let invalid = || ConfigError::Invalid { name: "TAG_PROFILE", value: value.to_owned(), why };
        TagProfile::parse(value).ok_or_else(invalid)
    }

    /// Which engine judges: `ENGINE`. `None` leaves the choice to whoever asks.
    pub fn engine(&self) -> Result<Option<EngineChoice>, ConfigError> {
        match self.get("ENGINE") {
            None => Ok(None),
            Some("clamd") => Ok(Some(EngineChoice::Clamd)),
            Some("snapshot") => Ok(Some(EngineChoice::Snapshot)),
            Some(other) => Err(ConfigError::Invalid {
                name: "ENGINE",
                value: other.to_owned(),
                why: "must be `clamd` or `snapshot`".to_owned(),
            }),
        }
    }

    /// How long files are kept: `FILE_RETENTION_DAYS`.
    pub fn retention(&self) -> Result<Duration, ConfigError> {
        let days = self.parsed("FILE_RETENTION_DAYS", UploadPolicy::DEFAULT_RETENTION_DAYS)?;
        Ok(Duration::from_secs(days.saturating_mul(DAY_SECS)))
    }

    /// Whose objects are that others store: `INCOMING_PREFIX` and `INCOMING_OWNERS`. Without a prefix, nobody's.
    pub fn incoming(&self) -> Result<Option<IncomingRules>, ConfigError> {
        let Some(prefix) = self.get("INCOMING_PREFIX") else { return Ok(None) };
        let owners = self.get("INCOMING_OWNERS").unwrap_or("{owner}/");
        let rules = IncomingRules::parse(prefix, owners);
        rules.map(Some).map_err(|error| {
            let (name, value) = match error {
                IncomingRulesError::Prefix | IncomingRulesError::Reserved(_) => ("INCOMING_PREFIX", prefix),
                IncomingRulesError::Rule(_) | IncomingRulesError::Unreachable(_) => {
                    ("INCOMING_OWNERS", owners)
                }
            };
            ConfigError::Invalid { name, value: value.to_owned(), why: error.to_string() }
        })
    }

    /// How often an owner may upload how much: `QUOTA_*`. Without them, without limit.
    pub fn quotas(&self) -> Result<Quotas, ConfigError> {
        let limit = |name| match self.get(name) {
            None => Ok(None),
            Some(_) => self.parsed(name, 0).map(Some),
        };
        Ok(Quotas {
            pending: limit("QUOTA_PENDING_UPLOADS")?,
            objects: limit("QUOTA_FILES")?,
            bytes: limit("QUOTA_BYTES")?,
            scan_seconds: limit("QUOTA_SCAN_SECONDS_PER_DAY")?,
        })
    }

    /// The status machine's settings that every function must agree on: `MAX_FILE_SIZE`, `QUARANTINE`, `RESCAN_EVERY_HOURS`.
    pub fn machine(&self) -> Result<MachinePolicy, ConfigError> {
        let default = MachinePolicy::default();
        let quarantine = match self.get("QUARANTINE").unwrap_or("keep") {
            "keep" => Quarantine::Keep,
            "delete" => Quarantine::Delete,
            "move" => Quarantine::Move,
            other => {
                return Err(ConfigError::Invalid {
                    name: "QUARANTINE",
                    value: other.to_owned(),
                    why: "must be `keep`, `delete` or `move`".to_owned(),
                });
            }
        };
        let hours: u64 = self.parsed("RESCAN_EVERY_HOURS", 24)?;
        Ok(MachinePolicy {
            max_file_size: self.parsed("MAX_FILE_SIZE", default.max_file_size)?,
            publishes: self.get("AIRLOCK_EVENT_QUEUE_URL").is_some(),
            rescan_every: (hours > 0).then(|| Duration::from_secs(hours.saturating_mul(3600))),
            quarantine,
            ..default
        })
    }

    /// What says through which proxy the outside is reached, for programs that we run.
    pub fn proxy(&self) -> Vec<(String, String)> {
        let names = ["http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];
        names.iter().filter_map(|name| Some(((*name).to_owned(), self.get(name)?.to_owned()))).collect()
    }

    /// Refuses misspelt settings: every `AIRLOCK_*` variable must be one of `known`.
    pub fn refuse_unknown(&self, known: &[&str]) -> Result<(), ConfigError> {
        let unknown =
            self.0.keys().find(|name| name.starts_with("AIRLOCK_") && !known.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| Err(ConfigError::Unknown(name.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_parsed_defaulted_or_refused() {
        let env = Env::from_pairs(&[("A", " 7 "), ("B", ""), ("C", "x"), ("AIRLOCK_TABEL", "t")]);
        assert_eq!(env.parsed("A", 1u32), Ok(7));
        assert_eq!(env.parsed("B", 1u32), Ok(1));
        assert!(matches!(env.parsed("C", 1u32), Err(ConfigError::Invalid { name: "C", .. })));
        assert_eq!(env.required("D"), Err(ConfigError::Missing("D")));
        assert_eq!(env.refuse_unknown(&["AIRLOCK_TABLE"]), Err(ConfigError::Unknown("AIRLOCK_TABEL".into())));
        assert_eq!(env.refuse_unknown(&["AIRLOCK_TABEL"]), Ok(()));
    }
}
