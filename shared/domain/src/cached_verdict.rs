//! Reuses an earlier verdict for the same bytes.
//!
//! A verdict is reused only if digest, size, engine, definitions and the release of Airlock are the same.
//! Verdicts are kept per owner, so that the time to a verdict does not reveal what other owners have
//! uploaded.

use serde::{Deserialize, Serialize};

use crate::freshness::{Freshness, FreshnessPolicy, freshness};
use crate::id::Sha256;
use crate::reason::Unscannable;
use crate::timestamp::Timestamp;
use crate::verdict::{EngineVersion, Verdict};

/// A verdict about bytes, with everything it depends on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CachedVerdict {
    pub sha256: Sha256,
    size_bytes: u64,
    verdict: Verdict,
    engine: EngineVersion,
    /// The release of Airlock that judged; a later release may inspect more.
    release: String,
}

/// The bytes, and the engine and release that would judge them now.
#[derive(Clone, Copy, Debug)]
pub struct CacheKey<'a> {
    pub sha256: Sha256,
    pub size_bytes: u64,
    pub engine: &'a EngineVersion,
    pub release: &'a str,
}

impl CachedVerdict {
    /// `None` for verdicts that can change for the same bytes: errors, and refusals for a temporary reason or
    /// because of the storage metadata.
    pub fn of(question: CacheKey<'_>, verdict: &Verdict) -> Option<Self> {
        let is_lasting = match verdict {
            // The proof of a clean verdict names its bytes and proves nothing about other bytes.
            Verdict::Clean(proof) => proof.sha256() == question.sha256,
            Verdict::Infected { .. } => true,
            Verdict::Unscannable { reason } => {
                use Unscannable::{ContentEncoding, InspectionFailed, ScanTimeout, StaleDefinitions};
                !matches!(reason, ContentEncoding | InspectionFailed | ScanTimeout | StaleDefinitions)
            }
            Verdict::Error { .. } => false,
        };
        is_lasting.then(|| Self {
            sha256: question.sha256,
            size_bytes: question.size_bytes,
            verdict: verdict.clone(),
            engine: question.engine.clone(),
            release: question.release.to_owned(),
        })
    }

    /// The stored verdict, if a scan now would give the same one.
    pub fn answer(&self, question: CacheKey<'_>, policy: FreshnessPolicy, now: Timestamp) -> Option<Verdict> {
        let is_same = self.sha256 == question.sha256
            && self.size_bytes == question.size_bytes
            && self.engine == *question.engine
            && self.release == question.release;
        let is_stale = freshness(&question.engine.definitions, policy, now) == Freshness::Stale;
        (is_same && !is_stale).then(|| self.verdict.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::freshness::{Definitions, DefinitionsKind};
    use crate::reason::ScanError;
    use crate::verdict::tests::whole;
    use crate::verdict::{Evidence, Outcome, judge};

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn engine(version: &str) -> EngineVersion {
        let definitions = Definitions {
            kind: DefinitionsKind::Official,
            version: version.into(),
            built_at: NOW,
            n_signatures: 1,
        };
        EngineVersion { version: "ClamAV 1.4.6".into(), openers: vec![], definitions }
    }

    #[test]
    fn only_the_same_bytes_engine_definitions_and_release_have_it() {
        let (today, tomorrow) = (engine("1"), engine("2"));
        let other_engine = EngineVersion { version: "ClamAV 1.5.0".into(), ..today.clone() };
        let digest = |byte| Sha256::from_bytes([byte; 32]);
        let question = CacheKey { sha256: digest(1), size_bytes: 10, engine: &today, release: "1" };
        let infected = Verdict::Infected { signature: "Eicar".into() };
        let known = CachedVerdict::of(question, &infected).unwrap();
        let answer = |question, now| known.answer(question, FreshnessPolicy::default(), now);
        assert_eq!(answer(question, NOW), Some(infected));
        for other in [
            CacheKey { sha256: digest(2), ..question },
            CacheKey { size_bytes: 11, ..question },
            CacheKey { engine: &tomorrow, ..question },
            CacheKey { engine: &other_engine, ..question },
            CacheKey { release: "2", ..question },
        ] {
            assert_eq!(answer(other, NOW), None, "{other:?}");
        }
        assert_eq!(answer(question, NOW + Duration::from_hours(24 * 8)), None, "stale definitions");
    }

    #[test]
    fn a_clean_verdict_is_cached_for_its_own_bytes_only() {
        let engine = engine("1");
        let evidence = Evidence { engine: engine.clone(), ..whole() };
        let own = evidence.sha256;
        let Outcome::Decided(clean) = judge(&evidence, FreshnessPolicy::default(), NOW) else {
            panic!("complete evidence is clean")
        };
        let question = CacheKey { sha256: own, size_bytes: 10, engine: &engine, release: "1" };
        assert_eq!(CachedVerdict::of(question, &clean).unwrap().verdict, clean);
        let of_others = CacheKey { sha256: Sha256::from_bytes([2; 32]), ..question };
        assert!(CachedVerdict::of(of_others, &clean).is_none());
    }

    #[test]
    fn a_result_that_depends_on_more_than_the_bytes_is_not_cached() {
        let engine = engine("1");
        let question =
            CacheKey { sha256: Sha256::from_bytes([1; 32]), size_bytes: 10, engine: &engine, release: "1" };
        let unscannable = |reason| Verdict::Unscannable { reason };
        assert!(CachedVerdict::of(question, &unscannable(Unscannable::Encrypted)).is_some());
        assert!(CachedVerdict::of(question, &unscannable(Unscannable::ScanTimeout)).is_none());
        assert!(CachedVerdict::of(question, &unscannable(Unscannable::StaleDefinitions)).is_none());
        assert!(CachedVerdict::of(question, &unscannable(Unscannable::ContentEncoding)).is_none());
        assert!(CachedVerdict::of(question, &unscannable(Unscannable::InspectionFailed)).is_none());
        for reason in ScanError::ALL {
            assert!(CachedVerdict::of(question, &Verdict::Error { reason }).is_none());
        }
    }
}
