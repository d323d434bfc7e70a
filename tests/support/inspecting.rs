//! Inspects bytes with the gate as a scan does, in a confined process.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use domain::verdict::Unscannable;
use gate::{Capabilities, Gate, Limits, Sample};
use inspector::{Inspected, Inspector, InspectorError};

use super::process::gate_worker;

pub(crate) fn gate() -> Gate {
    let limits = Limits {
        max_member_bytes: 100 << 20,
        max_total_bytes: 400 << 20,
        max_members: 65_536,
        max_depth: 16,
    };
    Gate { limits, capabilities: Sample::ALL.iter().map(|sample| sample.method).collect::<Capabilities>() }
}

pub(crate) async fn inspector() -> Inspector {
    Inspector::start(gate_worker(), std::env::temp_dir()).await.unwrap()
}

pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// The processor time that a scan of this many bytes is allowed.
pub(crate) fn cpu_limit(n_bytes: usize) -> Duration {
    let limits = clamd::EngineLimits { max_file_size: 100 << 20, max_scan_time: Duration::from_mins(4) };
    limits.max_cpu_time(n_bytes.try_into().unwrap())
}

pub(crate) async fn inspect(inspector: &Inspector, bytes: &[u8]) -> Result<Inspected, InspectorError> {
    inspector.inspect(&gate(), &file_of(bytes), None, cpu_limit(bytes.len())).await
}

pub(crate) fn reason(inspected: &Inspected) -> Option<Unscannable> {
    inspected.inspection.refusal.as_ref().map(|refusal| refusal.reason)
}
