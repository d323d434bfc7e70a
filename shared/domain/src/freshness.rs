//! Decides whether definitions are recent enough to judge files.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Which definitions an engine has loaded.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Definitions {
    pub kind: DefinitionsKind,
    /// ClamAV's daily version number, or the name of the test set.
    pub version: String,
    pub built_at: Timestamp,
    pub n_signatures: u64,
}

/// Where definitions come from. A test set knows a few harmless samples; only the local mode uses one, and
/// reports it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefinitionsKind {
    Official,
    TestSet,
}

/// How old official definitions may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FreshnessPolicy {
    pub warn_after: Duration,
    pub max_age: Duration,
}

impl Default for FreshnessPolicy {
    /// 24 hours: ClamAV publishes daily. 7 days: with older definitions, files become `unscannable`.
    fn default() -> Self {
        Self { warn_after: Duration::from_hours(24), max_age: Duration::from_hours(7 * 24) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Freshness {
    Fresh,
    Ageing,
    /// No file is judged clean with these definitions.
    Stale,
}

/// How fresh `definitions` are at `now`. A test set does not age: it is never current, and is reported as a
/// test set.
pub fn freshness(definitions: &Definitions, policy: FreshnessPolicy, now: Timestamp) -> Freshness {
    let age = now.since(definitions.built_at);
    match definitions.kind {
        DefinitionsKind::Official if age > policy.max_age => Freshness::Stale,
        DefinitionsKind::Official if age > policy.warn_after => Freshness::Ageing,
        DefinitionsKind::Official | DefinitionsKind::TestSet => Freshness::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_age() {
        let built_at = Timestamp::from_secs(1_000_000);
        let official = |kind| Definitions { kind, version: "27900".into(), built_at, n_signatures: 1 };
        let at = |hours: u64, kind| {
            freshness(&official(kind), FreshnessPolicy::default(), built_at + Duration::from_hours(hours))
        };
        assert_eq!(at(24, DefinitionsKind::Official), Freshness::Fresh);
        assert_eq!(at(25, DefinitionsKind::Official), Freshness::Ageing);
        assert_eq!(at(7 * 24, DefinitionsKind::Official), Freshness::Ageing);
        assert_eq!(at(7 * 24 + 1, DefinitionsKind::Official), Freshness::Stale);
        assert_eq!(at(1000, DefinitionsKind::TestSet), Freshness::Fresh);
    }
}
