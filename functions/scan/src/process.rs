//! One version: claimed under a lease, read once, scanned, judged, and the verdict committed.

use std::time::Duration;

use clamd::{EngineError, Part, ScanBudget};
use domain::content_encoding::ContentEncoding;
use domain::id::{FileId, ScanId, Sha256, Version};
use domain::machine::{Effect, Event, ScanReport};
use domain::password::Password;
use domain::post_verdict::{Release, Rescan};
use domain::record::{Lease, Record, State};
use domain::timestamp::Timestamp;
use domain::verdict::{
    Decryption, EngineReply, EngineVersion, Evidence, Outcome, ScanError, Structure, Unscannable, Verdict,
    judge,
};
use inspector::InspectorError;
use tokio::time::{Instant, interval_at};

use crate::spool::SpoolError;
use crate::{Context, Retry, measure, recall, room};

/// Judges a stored version, if it is ours to judge. Safe to call twice, and by two processes, for one version.
pub(crate) async fn judge_version(
    context: &Context,
    file: FileId,
    version: Version,
    sent_at: Option<Timestamp>,
    budget: Duration,
) -> Result<(), Retry> {
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
        // Judged without being read: too large, empty, not of the announced size, or given up.
        None => aws::log::verdict(&applied.record, "not read", now),
    }
    let to_scan = applied.effects.iter().find_map(|effect| match effect {
        Effect::Scan { version, lease } => Some((version.clone(), *lease)),
        _ => None,
    });
    let settled = transitions.run_effects(&applied, aws::clock::now());
    match to_scan {
        Some((version, lease)) => {
            let scanned = scan_under_lease(context, &applied.record, &version, lease, sent_at, budget);
            let (settled, scanned) = tokio::join!(settled, scanned);
            scanned.and(settled.map_err(Retry::from))
        }
        None => Ok(settled.await?),
    }
}

/// Scans while renewing the lease. When the lease is lost the scan is dropped: somebody else is at it.
async fn scan_under_lease(
    context: &Context,
    record: &Record,
    version: &Version,
    lease: Lease,
    sent_at: Option<Timestamp>,
    budget: Duration,
) -> Result<(), Retry> {
    let (file, every) = (record.file_id, context.machine.lease / 3);
    let mut scan = std::pin::pin!(scan(context, record, version, budget));
    let mut renewals = interval_at(Instant::now() + every, every);
    let scanned = loop {
        tokio::select! {
            scanned = &mut scan => break scanned,
            _ = renewals.tick() => {
                let renewed = Event::Renewed { holder: lease.holder };
                match context.transitions().apply(file, &renewed, aws::clock::now()).await {
                    Ok(Some(applied)) if applied.kept.is_none() => {}
                    Ok(_) => {
                        tracing::info!(file.id = %file, "lease lost; scan dropped");
                        return Ok(());
                    }
                    // The lease may run out: then the verdict is fenced off, and nothing worse.
                    Err(error) => tracing::warn!(file.id = %file, error = aws::log::chain(&error), "lease not renewed"),
                }
            }
        }
    };
    conclude(context, file, version, lease, sent_at, scanned).await
}

async fn conclude(
    context: &Context,
    file: FileId,
    version: &Version,
    lease: Lease,
    sent_at: Option<Timestamp>,
    Scanned { report, seen, is_out_of_room }: Scanned,
) -> Result<(), Retry> {
    let (version_id, holder, now) = (version.version_id.clone(), lease.holder, aws::clock::now());
    let transitions = context.transitions();
    let seen = seen.join("; ");
    tracing::info!(
        file.id = %file, scan.outcome = ?report.outcome, scan.duration_ms = report.duration.as_millis(), scan.attempt = lease.epoch, seen,
        "scanned"
    );
    if is_out_of_room && matches!(report.outcome, Outcome::Inconclusive(_)) {
        tracing::warn!(file.id = %file, seen, "scan postponed: too little temporary space");
        let postponed = Event::Postponed { version_id, holder };
        let _no_effects = transitions.apply(file, &postponed, now).await?;
        return Err(Retry::NoRoom);
    }
    let scanned = Event::Scanned { version_id, holder, report };
    let Some(applied) = transitions.apply(file, &scanned, now).await? else {
        return Ok(());
    };
    if applied.kept.is_none() {
        aws::log::verdict(&applied.record, &seen, now);
    }
    transitions.run_effects(&applied, now).await?;
    if applied.kept.is_none() && applied.record.judgement().is_some() {
        measure::judged(context, &applied.record, sent_at, now);
        if let Err(error) = context.stores.ledger.count_verdict(&applied.record, now).await {
            tracing::warn!(file.id = %file, error = aws::log::chain(&error), "a verdict was not counted");
        }
    }
    let is_rescan_queued =
        applied.record.post_verdict().is_some_and(|after| matches!(after.rescan, Rescan::Queued { .. }));
    let is_queued = is_rescan_queued || matches!(applied.record.state, State::Queued { .. });
    let comes_again = applied.kept.is_none() && is_queued;
    if comes_again { Err(Retry::Inconclusive) } else { Ok(()) }
}

/// What a scan came to.
struct Scanned {
    report: ScanReport,
    /// What the log says about it, in order. Nothing of the file's own.
    seen: Vec<String>,
    is_out_of_room: bool,
}

async fn scan(context: &Context, record: &Record, version: &Version, budget: Duration) -> Scanned {
    let (began, mut seen) = (Instant::now(), vec![]);
    let gathered = tokio::time::timeout(budget, gather(context, record, version, budget, &mut seen)).await;
    let (mut is_out_of_room, mut needed_password) = (false, false);
    let (outcome, sha256, engine) = match gathered {
        Err(_) => {
            seen.push(format!("no answer in {budget:?}"));
            (Outcome::Inconclusive(ScanError::EngineTrouble), None, None)
        }
        Ok(Err(trouble)) => {
            tracing::warn!(file.id = %record.file_id, error = aws::log::chain(&trouble), "scan failed");
            seen.push(aws::log::chain(&trouble));
            is_out_of_room = room::is_exhausted(trouble.cause());
            (Outcome::Inconclusive(trouble.reason()), None, None)
        }
        Ok(Ok(Gathered::Evidence(evidence))) => {
            seen.extend(evidence.replies.iter().filter_map(finding));
            let outcome = judge(&evidence, context.freshness_now().await, aws::clock::now());
            needed_password = evidence.decryption == Decryption::Password;
            // What a password was given for is not the same without it.
            if let Outcome::Decided(verdict) = &outcome
                && record.password.is_none()
            {
                let (sha256, size_bytes) = (evidence.sha256, evidence.streamed_size);
                recall::remember(context, record, verdict, sha256, size_bytes, &evidence.engine).await;
            }
            (outcome, Some(evidence.sha256), Some(evidence.engine))
        }
        Ok(Ok(Gathered::Known { verdict, sha256, engine })) => {
            (Outcome::Decided(verdict), Some(sha256), Some(engine))
        }
        Ok(Ok(Gathered::Unscannable { reason, sha256 })) => {
            (Outcome::Decided(Verdict::Unscannable { reason }), Some(sha256), None)
        }
    };
    // An engine that ran out of space says so only as an error of its own.
    is_out_of_room |= context.engine.lacks_room(version.size_bytes);
    let release = release_of(context, &outcome, sha256).await;
    let report = ScanReport { outcome, duration: began.elapsed(), sha256, engine, needed_password, release };
    Scanned { report, seen, is_out_of_room }
}

fn finding(reply: &EngineReply) -> Option<String> {
    match reply {
        EngineReply::Ok => None,
        EngineReply::Found(name) => Some(name.clone()),
    }
}

/// An operator's release of infected bytes. One that cannot be read does not count: the file is infected until it can.
async fn release_of(context: &Context, outcome: &Outcome, sha256: Option<Sha256>) -> Option<Release> {
    let Outcome::Decided(Verdict::Infected { .. }) = outcome else { return None };
    let found = context.stores.ledger.release(sha256?).await;
    found.unwrap_or_else(|error| {
        tracing::warn!(error = aws::log::chain(&error), "releases could not be looked up");
        None
    })
}

/// What there is to judge by.
enum Gathered {
    Evidence(Evidence),
    /// The same bytes were judged before.
    Known {
        verdict: Verdict,
        sha256: Sha256,
        engine: EngineVersion,
    },
    /// The engine was not asked, or was stopped: the file costs more than it may.
    Unscannable {
        reason: Unscannable,
        sha256: Sha256,
    },
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] aws::StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("the file's structure could not be looked at")]
    Gate(#[from] InspectorError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the engine took {taken} bytes of {size}")]
    NotAllTaken { taken: u64, size: u64 },
}

impl Trouble {
    /// Without the variant around it, which would hide it in a chain of causes.
    fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Store(error) => error,
            Self::Spool(error) => error,
            Self::Engine(error) => error,
            Self::Gate(error) => error,
            Self::NotAllTaken { .. } => self,
        }
    }

    fn reason(&self) -> ScanError {
        match self {
            Self::Store(_) | Self::Spool(_) => ScanError::StorageTrouble,
            Self::Gate(_) | Self::Engine(_) | Self::NotAllTaken { .. } => ScanError::EngineTrouble,
        }
    }
}

/// What the uploader gave, for the first scan.
fn password(context: &Context, record: &Record) -> Option<Password> {
    let sealed = record.password.as_ref()?;
    let opened = context.stores.passwords.as_ref().map(|key| key.open(sealed, record.file_id));
    match opened {
        Some(Ok(password)) => Some(password),
        // Without it the file is what it is to everybody: encrypted.
        Some(Err(error)) => {
            tracing::warn!(file.id = %record.file_id, error = aws::log::chain(&error), "a password is lost");
            None
        }
        None => None,
    }
}

async fn gather(
    context: &Context,
    record: &Record,
    version: &Version,
    budget: Duration,
    seen: &mut Vec<String>,
) -> Result<Gathered, Trouble> {
    let began = Instant::now();
    let object = context.stores.objects.open(&record.object_key(), version).await?;
    let (stored_size, content_encoding) = (object.size_bytes, object.content_encoding);
    // What these bytes were judged says nothing about what clients would decode from them.
    let may_be_known = stored_size == version.size_bytes && content_encoding == ContentEncoding::Identity;
    // The store measured the declared digest when the bytes arrived: they need not be read to be known.
    if let Some(sha256) = object.sha256.filter(|_| may_be_known && object.sha256 == record.declared_sha256)
        && let Some((verdict, engine)) = recall::recall(context, record, sha256, stored_size).await
    {
        return Ok(Gathered::Known { verdict, sha256, engine });
    }
    let spooled = context.spool.take(object).await?;
    let sha256 = spooled.sha256;
    let is_as_announced = may_be_known
        && spooled.size_bytes == stored_size
        && record.declared_sha256.is_none_or(|declared| declared == sha256);
    if is_as_announced
        && let Some((verdict, engine)) = recall::recall(context, record, sha256, stored_size).await
    {
        return Ok(Gathered::Known { verdict, sha256, engine });
    }
    // One budget for all that is done with the bytes: what the gate has spent, the engine has not.
    let cpu_limit = context.engine.config().limits.max_cpu_time(spooled.size_bytes);
    let password = password(context, record);
    let inspecting = context.inspector.inspect(&context.gate, &spooled.file, password.as_ref(), cpu_limit);
    let inspected = Box::pin(inspecting).await?;
    let inspection = inspected.inspection;
    let structure = match inspection.refusal {
        None => Structure::Sound,
        Some(refusal) => {
            seen.push(refusal.seen.to_string());
            let reason = refusal.reason;
            if !refusal.may_ask_engine() {
                return Ok(Gathered::Unscannable { reason, sha256 });
            }
            Structure::Refused(reason)
        }
    };
    let parts = inspection.handed.iter().map(|blob| Box::new(blob.reader()) as Part).collect();
    let left = ScanBudget {
        wall: budget.saturating_sub(began.elapsed()),
        cpu: cpu_limit.saturating_sub(inspected.cpu_time),
    };
    let scan = match context.engine.scan_within(&spooled.file, spooled.size_bytes, parts, left).await {
        Err(error @ EngineError::TooCostly { .. }) => {
            seen.push(error.to_string());
            let reason = match structure {
                Structure::Refused(reason) => reason,
                Structure::Sound => Unscannable::ScanTimeout,
            };
            return Ok(Gathered::Unscannable { reason, sha256 });
        }
        scanned => scanned?,
    };
    if scan.n_bytes != spooled.size_bytes {
        return Err(Trouble::NotAllTaken { taken: scan.n_bytes, size: spooled.size_bytes });
    }
    Ok(Gathered::Evidence(Evidence {
        declared_size: version.size_bytes,
        stored_size,
        streamed_size: spooled.size_bytes,
        content_encoding,
        sha256,
        declared_sha256: record.declared_sha256,
        structure,
        is_text_like_program: inspection.is_text_like_program,
        decryption: inspection.decryption,
        replies: scan.replies,
        canary_found_before: scan.canary_found_before,
        canary_found_after: scan.canary_found_after,
        n_engine_errors: scan.n_engine_errors,
        engine: context.stamp(scan.engine),
    }))
}
