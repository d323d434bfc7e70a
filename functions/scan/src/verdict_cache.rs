//! Reuses the verdict about bytes that were judged before, so that the engine, and often the object, need not
//! be read.

use domain::cached_verdict::{CacheKey, CachedVerdict};
use domain::freshness::FreshnessPolicy;
use domain::id::Sha256;
use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::verdict::{EngineVersion, Evidence, Outcome, Verdict};

use crate::ScanContext;

/// Verdicts of another release of this program are not reused.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The cached verdict about these bytes for this owner, and the engine that it rests on, if it still holds.
/// After a failure the file is scanned.
pub(crate) async fn lookup(
    context: &ScanContext,
    record: &Record,
    sha256: Sha256,
    size_bytes: u64,
) -> Option<(Verdict, EngineVersion)> {
    if !context.reuses_verdicts || !may_reuse(record) {
        return None;
    }
    let recalled = context.stores.ledger.cached_verdict(&record.owner, sha256).await;
    let known = recalled.unwrap_or_else(|error| {
        tracing::warn!(error = aws::log::chain(&error), "the cached verdict could not be read");
        None
    })?;
    let engine = context.running_engine().await.ok()?;
    let verdict =
        still_valid(&known, (sha256, size_bytes), &engine, context.freshness_now().await, aws::clock::now())?;
    tracing::info!(file.id = %record.file_id, "the same bytes were judged before");
    Some((verdict, engine))
}

/// Whether a cached verdict can stand for a scan of this file. A rescan is asked for to have the bytes
/// scanned, and what has a password now may have been encrypted before.
fn may_reuse(record: &Record) -> bool {
    record.judgement().is_none() && record.password.is_none()
}

/// The cached verdict, if `engine`, which runs now, would repeat it.
fn still_valid(
    known: &CachedVerdict,
    (sha256, size_bytes): (Sha256, u64),
    engine: &EngineVersion,
    freshness: FreshnessPolicy,
    now: Timestamp,
) -> Option<Verdict> {
    known.answer(CacheKey { sha256, size_bytes, engine, release: RELEASE }, freshness, now)
}

/// The cache entry for what was found; `None` for what says nothing lasting about the bytes, or only holds
/// with the uploader's password.
pub(crate) fn entry(record: &Record, evidence: &Evidence, outcome: &Outcome) -> Option<CachedVerdict> {
    let Outcome::Decided(verdict) = outcome else { return None };
    let question = CacheKey {
        sha256: evidence.sha256,
        size_bytes: evidence.streamed_size,
        engine: &evidence.engine,
        release: RELEASE,
    };
    CachedVerdict::of(question, verdict).filter(|_| record.password.is_none())
}

/// Caches a verdict. After a failure the same bytes are scanned again.
pub(crate) async fn store(context: &ScanContext, record: &Record, known: CachedVerdict) {
    if let Err(error) = context.stores.ledger.cache_verdict(&record.owner, known, aws::clock::now()).await {
        tracing::warn!(error = aws::log::chain(&error), "a verdict was not cached");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::id::FileId;
    use domain::password::SealedPassword;
    use domain::verdict::{ScanError, Unscannable};
    use fixtures::{NOW, awaiting, clean, clean_verdict, engine, evidence, version};

    use super::*;

    const FILE: FileId = FileId::from_digest([1; 16]);

    fn entry_of(verdict: Verdict) -> Option<CachedVerdict> {
        entry(&awaiting(FILE, NOW), &evidence(), &Outcome::Decided(verdict))
    }

    #[test]
    fn only_a_first_scan_without_a_password_reuses_a_verdict() {
        assert!(may_reuse(&awaiting(FILE, NOW)));
        assert!(!may_reuse(&clean(FILE, &version("v"), NOW)), "a rescan");
        let mut locked = awaiting(FILE, NOW);
        locked.password = Some(SealedPassword::of("sealed".to_owned()));
        assert!(!may_reuse(&locked));
    }

    #[test]
    fn a_verdict_of_other_definitions_is_not_reused_even_if_they_came_between_claim_and_verdict() {
        let known = entry_of(clean_verdict()).unwrap();
        let bytes = (evidence().sha256, evidence().streamed_size);
        let reused = |engine, now| still_valid(&known, bytes, &engine, FreshnessPolicy::default(), now);
        assert_eq!(reused(engine("1"), NOW), Some(clean_verdict()));
        assert_eq!(reused(engine("2"), NOW), None);
        assert_eq!(reused(engine("1"), NOW + Duration::from_hours(24 * 8)), None, "stale definitions");
        let others = (evidence().sha256, evidence().streamed_size + 1);
        assert_eq!(still_valid(&known, others, &engine("1"), FreshnessPolicy::default(), NOW), None);
    }

    #[test]
    fn what_passes_or_rests_on_a_password_is_not_cached() {
        assert!(entry_of(Verdict::Infected { signature: "Eicar".to_owned() }).is_some());
        assert!(entry_of(Verdict::Unscannable { reason: Unscannable::Encrypted }).is_some());
        assert!(entry_of(Verdict::Unscannable { reason: Unscannable::StaleDefinitions }).is_none());
        let mut locked = awaiting(FILE, NOW);
        locked.password = Some(SealedPassword::of("sealed".to_owned()));
        assert!(entry(&locked, &evidence(), &Outcome::Decided(clean_verdict())).is_none());
        let failed = Outcome::Inconclusive(ScanError::EngineTrouble);
        assert!(entry(&awaiting(FILE, NOW), &evidence(), &failed).is_none());
    }
}
