//! Claims a version, scans it under a lease and commits its verdict.

use std::time::Duration;

use domain::cached_verdict::CachedVerdict;
use domain::id::{FileId, ScanId, Sha256, Version};
use domain::machine::{Effect, Event, ScanReport};
use domain::post_verdict::{Release, Rescan};
use domain::record::{Lease, Record, State};
use domain::timestamp::Timestamp;
use domain::verdict::{Outcome, Verdict};
use lifecycle::Applied;
use tokio::time::{Instant, interval_at};

use crate::conclusion::{Conclusion, conclude};
use crate::input::{self, InputError};
use crate::{RetryError, ScanContext, incoming, measure, verdict_cache};

/// A version that this process has claimed.
struct Claim<'a> {
    record: &'a Record,
    version: Version,
    lease: Lease,
    /// When the message was sent that asked for the scan.
    sent_at: Option<Timestamp>,
}

/// What one attempt reports.
struct Attempt {
    report: ScanReport,
    /// The cache entry by which the same bytes need no other scan.
    to_cache: Option<CachedVerdict>,
    /// For the log.
    seen: String,
    is_postponed: bool,
    /// Whether the version does not exist any longer.
    is_lost: bool,
}

/// Judges a stored version, unless it has a verdict or another scanner holds its lease. Idempotent, also when
/// two processes are called concurrently for one version.
///
/// An error means that the message must be delivered again.
pub(crate) async fn judge_version(
    context: &ScanContext,
    file: FileId,
    version: Version,
    sent_at: Option<Timestamp>,
    budget: Duration,
) -> Result<(), RetryError> {
    let holder = ScanId::from_random(aws::clock::random_uuid());
    let claimed = Event::Claimed { version, holder };
    let transitions = context.transitions();
    let now = aws::clock::now();
    let Some(applied) = transitions.apply(file, &claimed, now).await? else {
        tracing::info!(file.id = %file, "event for an unknown file ignored");
        return Ok(());
    };
    match applied.kept {
        Some(why) => tracing::debug!(file.id = %file, ?why, "nothing to scan"),
        // Judged without being read: too large, empty, not of the declared size, or tried too often.
        None => aws::log::verdict(&applied.record, "not read", now),
    }
    // These futures hold several of the SDK's, of tens of kilobytes each, and a thread's stack has 2 MiB.
    let settled = Box::pin(transitions.run_effects(&applied, aws::clock::now()));
    let Some((version, lease)) = scan_effect(&applied.effects) else {
        return Ok(settled.await?);
    };
    let claim = Claim { record: &applied.record, version, lease, sent_at };
    let (settled, scanned) = tokio::join!(settled, Box::pin(scan_under_lease(context, &claim, budget)));
    scanned.and(settled.map_err(RetryError::from))
}

/// The version that the claim won, with its lease.
fn scan_effect(effects: &[Effect]) -> Option<(Version, Lease)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Scan { version, lease } => Some((version.clone(), *lease)),
        _ => None,
    })
}

/// Scans while renewing the lease. When the lease is lost the scan is dropped, because another scanner has
/// taken over.
async fn scan_under_lease(
    context: &ScanContext,
    claim: &Claim<'_>,
    budget: Duration,
) -> Result<(), RetryError> {
    let (file, renewed) = (claim.record.file_id, &Event::Renewed { holder: claim.lease.holder });
    let transitions = context.transitions();
    let renew = || async move {
        let renewed = transitions.apply(file, renewed, aws::clock::now()).await;
        if let Err(error) = &renewed {
            tracing::warn!(file.id = %file, error = aws::log::chain(error), "lease not renewed");
        }
        keeps_lease(&renewed)
    };
    let scan = Box::pin(attempt(context, claim.record, &claim.version, budget));
    let Some(attempt) = while_held(scan, context.machine.lease / 3, renew).await else {
        tracing::info!(file.id = %file, "lease lost; scan dropped");
        return Ok(());
    };
    Box::pin(report(context, claim, attempt)).await
}

/// Waits for `work`, and calls `renew` at each interval meanwhile. Drops `work` and returns `None` when
/// `renew` says that the lease is lost.
async fn while_held<T, R: Future<Output = bool>>(
    work: impl Future<Output = T>,
    interval: Duration,
    mut renew: impl FnMut() -> R,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut renewals = interval_at(Instant::now() + interval, interval);
    loop {
        tokio::select! {
            done = &mut work => return Some(done),
            _ = renewals.tick() => {
                if !renew().await {
                    return None;
                }
            }
        }
    }
}

/// Whether to go on after a renewal. A renewal that failed loses nothing yet: should the lease run out, the
/// verdict is fenced off.
fn keeps_lease<E>(renewed: &Result<Option<Applied>, E>) -> bool {
    match renewed {
        Ok(Some(applied)) => applied.kept.is_none(),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Reads and scans the version within `budget`.
async fn attempt(context: &ScanContext, record: &Record, version: &Version, budget: Duration) -> Attempt {
    let (began, mut seen) = (Instant::now(), vec![]);
    let collecting = input::collect(context, record, version, budget, &mut seen);
    let input = match tokio::time::timeout(budget, collecting).await {
        Ok(input) => input,
        Err(_) => Err(InputError::TimedOut(budget)),
    };
    if let Err(failure) = &input {
        tracing::warn!(file.id = %record.file_id, error = aws::log::chain(failure), "scan failed");
    }
    let is_lost = input.as_ref().is_err_and(InputError::is_of_lost_version);
    let concluded = conclude(record, input, context.freshness_now().await, aws::clock::now());
    let Conclusion { outcome, sha256, engine, needed_password, is_out_of_room, to_cache, observed } =
        concluded;
    seen.extend(observed);
    let to_cache = to_cache.filter(|_| context.reuses_verdicts);
    // An engine that ran out of space reports that only as an error of its own.
    let is_out_of_room = is_out_of_room || context.engine.lacks_room(version.size_bytes);
    let is_postponed = is_out_of_room && matches!(outcome, Outcome::Inconclusive(_));
    let release = release_of(context, &outcome, sha256).await;
    let report = ScanReport { outcome, duration: began.elapsed(), sha256, engine, needed_password, release };
    Attempt { report, to_cache, seen: seen.join("; "), is_postponed, is_lost }
}

/// An operator's release of infected bytes. Without one that can be read, the file stays infected.
async fn release_of(context: &ScanContext, outcome: &Outcome, sha256: Option<Sha256>) -> Option<Release> {
    let Outcome::Decided(Verdict::Infected { .. }) = outcome else { return None };
    let found = context.stores.ledger.release(sha256?).await;
    found.unwrap_or_else(|error| {
        tracing::warn!(error = aws::log::chain(&error), "releases could not be looked up");
        None
    })
}

/// Commits what the attempt found. An error means that the version needs another attempt.
async fn report(context: &ScanContext, claim: &Claim<'_>, attempt: Attempt) -> Result<(), RetryError> {
    let Attempt { report, to_cache, seen, is_postponed, is_lost } = attempt;
    let (file, now) = (claim.record.file_id, aws::clock::now());
    let (version_id, holder) = (claim.version.version_id.clone(), claim.lease.holder);
    tracing::info!(
        file.id = %file, scan.outcome = ?report.outcome, scan.duration_ms = report.duration.as_millis(),
        scan.attempt = claim.lease.epoch, seen, "scanned"
    );
    let ledger = &context.stores.ledger;
    let transitions = context.transitions();
    if let Some(incoming) = claim.record.incoming_version().filter(|lost| is_lost && lost.is_protected()) {
        return Ok(incoming::lost(context, incoming).await?);
    }
    if is_postponed {
        tracing::warn!(file.id = %file, seen, "scan postponed: too little temporary space");
        let postponed = Event::Postponed { version_id, holder };
        let _no_effects = transitions.apply(file, &postponed, now).await?;
        return Err(RetryError::NoRoom);
    }
    let scanned = Event::Scanned { version_id, holder, report };
    let cached = async {
        if let Some(known) = to_cache {
            verdict_cache::store(context, claim.record, known).await;
        }
    };
    // What was found about the bytes stays true if the commit fails.
    let ((), applied) = tokio::join!(cached, transitions.apply_to(claim.record, &scanned, now));
    let Some(applied) = applied? else {
        return Ok(());
    };
    if applied.kept.is_none() {
        aws::log::verdict(&applied.record, &seen, now);
    }
    let counted = async {
        if is_counted(&applied) {
            measure::verdict(context, &applied.record, claim.sent_at, now);
            if let Err(error) = ledger.count_verdict(&applied.record, now).await {
                tracing::warn!(file.id = %file, error = aws::log::chain(&error), "a verdict was not counted");
            }
        }
    };
    let ((), settled) = tokio::join!(counted, Box::pin(transitions.run_effects(&applied, now)));
    settled?;
    if needs_another_attempt(&applied) { Err(RetryError::Inconclusive) } else { Ok(()) }
}

/// Whether the report gave the file its verdict, or confirmed one. One that came too late changes nothing.
fn is_counted(applied: &Applied) -> bool {
    applied.kept.is_none() && applied.record.judgement().is_some()
}

/// Whether the report put the version, or its rescan, back into the queue.
fn needs_another_attempt(applied: &Applied) -> bool {
    let is_rescan_queued =
        applied.record.post_verdict().is_some_and(|after| matches!(after.rescan, Rescan::Queued { .. }));
    let is_queued = is_rescan_queued || matches!(applied.record.state, State::Queued { .. });
    applied.kept.is_none() && is_queued
}

#[cfg(test)]
mod tests;
