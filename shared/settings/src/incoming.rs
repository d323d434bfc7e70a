//! Objects that other uploaders store in the bucket.

use domain::incoming::{IncomingRules, IncomingRulesError};

use crate::declare::subject;
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::parse;

subject! {
    /// Which objects of other uploaders become files, and who owns them.
    pub struct IncomingSettings: "Bring your own uploader" {
        /// Objects stored below this prefix of the bucket become files.
        prefix: Option<String> = optional "INCOMING_PREFIX" {
            default: "off",
            allowed: "a key prefix such as `incoming/`, not within `uploads/` or `quarantine/`",
            parameter: "IncomingPrefix",
            parse: parse::text,
        }
        /// The owner of an object, by its key below the prefix. The first rule that fits counts.
        owners: String = defaulted "INCOMING_OWNERS" {
            default: "{owner}/",
            allowed: "rules separated by commas, such as `tus/=alice,{owner}/`",
            parameter: "IncomingOwners",
            parse: parse::text,
        }
    }
}

/// The ownership rules for objects of other uploaders; `None` without a prefix.
pub fn rules(env: &Environment) -> Result<Option<IncomingRules>, ConfigError> {
    let IncomingSettings { prefix, owners } = IncomingSettings::read(env)?;
    let Some(prefix) = prefix else { return Ok(None) };
    IncomingRules::parse(&prefix, &owners).map(Some).map_err(|error| {
        let (name, value) = match error {
            IncomingRulesError::Prefix | IncomingRulesError::Reserved(_) => ("INCOMING_PREFIX", prefix),
            IncomingRulesError::Rule(_) | IncomingRulesError::Unreachable(_) => ("INCOMING_OWNERS", owners),
        };
        ConfigError::Invalid { name, value, why: error.to_string() }
    })
}
