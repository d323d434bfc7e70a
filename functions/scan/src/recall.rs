//! Have these bytes been judged before? Then the engine need not look again, or the object need not even be read.

use domain::id::Sha256;
use domain::known::{CacheKey, Known};
use domain::record::Record;
use domain::verdict::{EngineVersion, Verdict};

use crate::Context;

/// Verdicts of another release of this program are not given again.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The stored verdict about these bytes for this owner, and the engine that it rests on, if it still counts. A failure is no reason not to
/// scan.
pub(crate) async fn recall(
    context: &Context,
    record: &Record,
    sha256: Sha256,
    size_bytes: u64,
) -> Option<(Verdict, EngineVersion)> {
    // Who asks for another look wants one.
    let is_rescan = record.judgement().is_some();
    // What a password was given for may have been encrypted before.
    if !context.recall || is_rescan || record.password.is_some() {
        return None;
    }
    let recalled = context.stores.ledger.recall(&record.owner, sha256).await;
    let known = recalled.unwrap_or_else(|error| {
        tracing::warn!(error = aws::log::chain(&error), "no verdict was recalled");
        None
    })?;
    let engine = context.running_engine().await.ok()?;
    let question = CacheKey { sha256, size_bytes, engine: &engine, release: RELEASE };
    let verdict = known.answer(question, context.freshness_now().await, aws::clock::now())?;
    tracing::info!(file.id = %record.file_id, "the same bytes were judged before");
    Some((verdict, engine))
}

/// Keeps a verdict for the next time.
pub(crate) async fn remember(
    context: &Context,
    record: &Record,
    verdict: &Verdict,
    sha256: Sha256,
    size_bytes: u64,
    engine: &EngineVersion,
) {
    let question = CacheKey { sha256, size_bytes, engine, release: RELEASE };
    let Some(known) = Known::of(question, verdict).filter(|_| context.recall) else { return };
    if let Err(error) = context.stores.ledger.remember(&record.owner, known, aws::clock::now()).await {
        tracing::warn!(error = aws::log::chain(&error), "a verdict was not remembered");
    }
}
