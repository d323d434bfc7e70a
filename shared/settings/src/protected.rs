//! Buckets of other applications, whose objects are judged where they are.

use domain::protected::{ProtectedBuckets, ProtectedChanges};

use crate::declare::subject;
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::parse;

subject! {
    /// Which buckets of other applications are protected, and what may be changed there.
    pub struct ProtectedSettings: "Protected buckets" {
        /// Buckets of other applications in which each version becomes a file. Their owners follow `=`.
        buckets: Option<String> = optional "PROTECTED_BUCKETS" {
            default: "none",
            allowed: "buckets separated by commas, such as `photos,docs/in/=alice,docs/users/{owner}/`",
            parameter: "ProtectedBuckets",
            parse: parse::text,
        }
        /// What may be changed there. With `quarantine`, `QUARANTINE` applies to infected versions; with
        /// `delete`, files expire and can be deleted, and their versions with them.
        changes: ProtectedChanges = defaulted "PROTECTED_CHANGES" {
            default: "tags",
            allowed: "`tags`, or `quarantine`, `delete` or both, separated by a comma",
            parameter: "ProtectedChanges",
            parse: ProtectedChanges::parse,
        }
    }
}

/// The protected buckets; none by default. `own` is the bucket of uploads.
pub fn buckets(env: &Environment, own: &str) -> Result<ProtectedBuckets, ConfigError> {
    let listed = ProtectedSettings::read(env)?.buckets.unwrap_or_default();
    ProtectedBuckets::parse(&listed, own).map_err(|error| ConfigError::Invalid {
        name: "PROTECTED_BUCKETS",
        value: listed,
        why: error.to_string(),
    })
}
