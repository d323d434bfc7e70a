//! Collects what a verdict is decided from: reads the object once, has its structure inspected and the engine
//! asked.

use std::time::Duration;

use aws::{OpenObject, StoreError, StoreErrorKind};
use clamd::{EngineError, Part, Scan, ScanBudget};
use domain::content_encoding::ContentEncoding;
use domain::id::{Sha256, Version};
use domain::password::Password;
use domain::record::Record;
use domain::verdict::{EngineVersion, Evidence, ScanError, Structure, Unscannable, Verdict};
use gate::{Blob, Refusal};
use inspector::InspectorError;
use thiserror::Error;
use tokio::time::Instant;

use crate::spool::SpoolError;
use crate::{ScanContext, verdict_cache};

/// What a verdict is decided from.
#[derive(Debug)]
pub(crate) enum ScanInput {
    Evidence(Evidence),
    /// An earlier verdict about the same bytes, which `engine` would repeat now.
    Cached {
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

/// Why there is nothing to decide from. Says nothing about the file: another attempt may succeed.
#[derive(Debug, Error)]
pub(crate) enum InputError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("the file's structure could not be inspected")]
    Gate(#[from] InspectorError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the engine took {taken} of {size} bytes")]
    NotAllTaken { taken: u64, size: u64 },
    #[error("no answer in {0:?}")]
    TimedOut(Duration),
}

impl InputError {
    /// Without the variant around it, which would hide it in a chain of causes.
    pub(crate) fn cause(&self) -> &(dyn std::error::Error + 'static) {
        match self {
            Self::Store(error) => error,
            Self::Spool(error) => error,
            Self::Engine(error) => error,
            Self::Gate(error) => error,
            Self::NotAllTaken { .. } | Self::TimedOut(_) => self,
        }
    }

    /// Whether the version to read does not exist.
    pub(crate) fn is_of_lost_version(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind == StoreErrorKind::NotFound)
    }

    /// The reason that the file ends with if every attempt fails.
    pub(crate) fn reason(&self) -> ScanError {
        match self {
            Self::Store(_) | Self::Spool(_) => ScanError::StorageTrouble,
            Self::Gate(_) | Self::Engine(_) | Self::NotAllTaken { .. } | Self::TimedOut(_) => {
                ScanError::EngineTrouble
            }
        }
    }
}

/// What the store says about an object when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stored {
    size_bytes: u64,
    content_encoding: ContentEncoding,
    sha256: Option<Sha256>,
}

impl Stored {
    fn of(object: &OpenObject) -> Self {
        let OpenObject { size_bytes, content_encoding, sha256, .. } = *object;
        Self { size_bytes, content_encoding, sha256 }
    }

    /// Whether an earlier verdict about these bytes may hold for this object. A verdict about bytes says
    /// nothing about what clients would decode from them.
    fn may_be_cached(&self, version: &Version) -> bool {
        self.size_bytes == version.size_bytes && self.content_encoding == ContentEncoding::Identity
    }

    /// The digest under which a verdict may be cached, where the object need not even be read: the store
    /// measured the declared digest when the bytes arrived.
    fn digest_before_reading(&self, record: &Record, version: &Version) -> Option<Sha256> {
        self.sha256.filter(|_| self.may_be_cached(version) && self.sha256 == record.declared_sha256)
    }

    /// Whether the bytes that were read are those that the uploader declared and the store announced.
    fn is_as_declared(&self, record: &Record, version: &Version, read: (u64, Sha256)) -> bool {
        let (size_bytes, sha256) = read;
        self.may_be_cached(version)
            && size_bytes == self.size_bytes
            && record.declared_sha256.is_none_or(|declared| declared == sha256)
    }
}

/// Collects the input for one attempt. `seen` gets what the log says about it, in order; nothing from the
/// file itself.
pub(crate) async fn collect(
    context: &ScanContext,
    record: &Record,
    version: &Version,
    budget: Duration,
    seen: &mut Vec<String>,
) -> Result<ScanInput, InputError> {
    let began = Instant::now();
    let object = context.stores.objects.open(&record.object_key(), version).await?;
    let stored = Stored::of(&object);
    if let Some(sha256) = stored.digest_before_reading(record, version)
        && let Some(cached) = cached(context, record, sha256, stored.size_bytes).await
    {
        return Ok(cached);
    }
    let spooled = context.spool.take(object).await?;
    let (size_bytes, sha256) = (spooled.size_bytes, spooled.sha256);
    if stored.is_as_declared(record, version, (size_bytes, sha256))
        && let Some(cached) = cached(context, record, sha256, size_bytes).await
    {
        return Ok(cached);
    }
    // One budget for all that is done with the bytes: what the gate has spent, the engine has not.
    let cpu_limit = context.engine.config().limits.max_cpu_time(size_bytes);
    let password = password(context, record);
    let inspecting = context.inspector.inspect(&context.gate, &spooled.file, password.as_ref(), cpu_limit);
    let inspected = Box::pin(inspecting).await?;
    let inspection = inspected.inspection;
    seen.extend(inspection.refusal.as_ref().map(|refusal| refusal.seen.to_string()));
    let structure = match structure(inspection.refusal.as_ref()) {
        Ok(structure) => structure,
        Err(reason) => return Ok(ScanInput::Unscannable { reason, sha256 }),
    };
    let parts = inspection.handed.into_iter().map(part).collect();
    let left = ScanBudget {
        wall: budget.saturating_sub(began.elapsed()),
        cpu: cpu_limit.saturating_sub(inspected.cpu_time),
    };
    let scanned = context.engine.scan_within(&spooled.file, size_bytes, parts, left).await;
    let scan = match answer(scanned, structure, size_bytes)? {
        EngineAnswer::Whole(scan) => scan,
        EngineAnswer::TooCostly { reason, observed } => {
            seen.push(observed);
            return Ok(ScanInput::Unscannable { reason, sha256 });
        }
    };
    Ok(ScanInput::Evidence(Evidence {
        declared_size: version.size_bytes,
        stored_size: stored.size_bytes,
        streamed_size: size_bytes,
        content_encoding: stored.content_encoding,
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

fn part(blob: Blob) -> Part {
    Box::new(move || Box::new(blob.reader()))
}

async fn cached(
    context: &ScanContext,
    record: &Record,
    sha256: Sha256,
    size_bytes: u64,
) -> Option<ScanInput> {
    let (verdict, engine) = verdict_cache::lookup(context, record, sha256, size_bytes).await?;
    Some(ScanInput::Cached { verdict, sha256, engine })
}

/// The uploader's password, for the first scan.
fn password(context: &ScanContext, record: &Record) -> Option<Password> {
    let sealed = record.password.as_ref()?;
    match context.stores.passwords.as_ref()?.open(sealed, record.file_id) {
        Ok(password) => Some(password),
        // Without it the file is what any reader would find: encrypted.
        Err(error) => {
            tracing::warn!(
                file.id = %record.file_id, error = aws::log::chain(&error), "a password cannot be decrypted"
            );
            None
        }
    }
}

/// What the gate's refusal means for the rest of the scan. `Err` when the engine is not to be asked.
fn structure(refusal: Option<&Refusal>) -> Result<Structure, Unscannable> {
    match refusal {
        None => Ok(Structure::Sound),
        Some(refusal) if refusal.may_ask_engine() => Ok(Structure::Refused(refusal.reason)),
        Some(refusal) => Err(refusal.reason),
    }
}

/// What the engine's answer about a file of some size is.
#[derive(Debug)]
enum EngineAnswer {
    Whole(Scan),
    /// It was stopped at its limit of processor time, as it would be at every attempt.
    TooCostly {
        reason: Unscannable,
        observed: String,
    },
}

fn answer(
    scanned: Result<Scan, EngineError>,
    structure: Structure,
    size_bytes: u64,
) -> Result<EngineAnswer, InputError> {
    match scanned {
        Ok(scan) if scan.n_bytes == size_bytes => Ok(EngineAnswer::Whole(scan)),
        Ok(scan) => Err(InputError::NotAllTaken { taken: scan.n_bytes, size: size_bytes }),
        Err(error @ EngineError::TooCostly { .. }) => {
            let reason = match structure {
                Structure::Refused(reason) => reason,
                Structure::Sound => Unscannable::ScanTimeout,
            };
            Ok(EngineAnswer::TooCostly { reason, observed: error.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
