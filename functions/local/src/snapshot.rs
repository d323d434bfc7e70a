//! A snapshot of the engine with its definitions, from which the next start is ready immediately.

use std::path::{Path, PathBuf};

use clamd::{Engine, EngineProgram, Snapshot, Snapshots};

/// The snapshot in the data directory.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    snapshots: Snapshots,
    path: PathBuf,
}

/// Programs whose scans make a snapshot ready for scans of programs.
const TRAINING: [&str; 2] = ["/proc/self/exe", "/bin/sh"];

impl Kept {
    /// Makes `engine` start from the snapshot. `None` for an engine without snapshots.
    pub(crate) fn for_engine(engine: &Engine, data_dir: &Path) -> Option<Self> {
        if !matches!(engine.config().program, EngineProgram::AirlockEngine(_)) {
            return None;
        }
        let path = data_dir.join("snapshot");
        engine.begin_with(Some(Snapshot::Kept(path.clone())));
        Some(Self { snapshots: Snapshots::new(engine.config(), TRAINING.map(PathBuf::from).to_vec()), path })
    }

    /// Makes a snapshot beside the running engine if there is none for the current definitions, or it is
    /// damaged. Returns whether it made one. A failure is logged, and the engine loads its definitions at the
    /// next start.
    pub(crate) async fn ensure(&self) -> bool {
        match self.snapshots.ensure(&self.path).await {
            Ok(is_made) => {
                if is_made {
                    tracing::info!("a snapshot of the engine was made; the next start is ready immediately");
                }
                is_made
            }
            Err(error) => {
                tracing::warn!(error = aws::log::chain(&error), "no snapshot of the engine could be made");
                false
            }
        }
    }
}
