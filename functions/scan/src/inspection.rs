//! Builds the gate for an engine, with its limits and the containers that it was seen to open.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use clamd::{Engine, EngineError, EngineLimits};
use domain::verdict::EngineReply;
use gate::{Capabilities, Gate, Sample};

/// For one sample of a few kilobytes.
const SAMPLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts the engine, gives it one sample of each kind of container, and returns the gate that fits.
pub async fn gate_for(
    engine: &Engine,
    limits: EngineLimits,
    scratch_directory: &Path,
) -> Result<Gate, EngineError> {
    let mut opened = Vec::new();
    for sample in Sample::ALL {
        let bytes = sample.unmasked();
        let mut file = tempfile::tempfile_in(scratch_directory).map_err(EngineError::TemporaryDirectory)?;
        file.write_all(&bytes).map_err(EngineError::TemporaryDirectory)?;
        let size_bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size_bytes > limits.max_file_size {
            continue; // No file of this kind is small enough to be scanned.
        }
        let scan = engine.scan(&file, size_bytes, vec![], SAMPLE_TIMEOUT).await?;
        if scan.replies.iter().any(EngineReply::names_malware) {
            opened.push(sample.method);
        }
    }
    let capabilities = opened.into_iter().collect::<Capabilities>();
    let missing = capabilities.missing();
    if !missing.is_empty() {
        tracing::warn!(?missing, "the engine does not open these; files of these kinds are unscannable");
    }
    let limits = gate::Limits {
        max_member_bytes: limits.max_file_size,
        max_total_bytes: limits.max_scan_size(),
        max_members: EngineLimits::MAX_FILES,
        max_depth: EngineLimits::MAX_RECURSION - 1,
    };
    Ok(Gate { limits, capabilities })
}
