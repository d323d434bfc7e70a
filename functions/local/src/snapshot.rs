//! Is there a snapshot of the engine with its definitions, so that the next start is ready at once? If not, one is made beside the running engine.

use std::path::{Path, PathBuf};

use clamd::{Engine, Program, Snapshot, Snapshots};

/// The snapshot in the data directory.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    snapshots: Snapshots,
    path: PathBuf,
}

/// Programs, whose scans show what scans of programs need.
const TRAINING: [&str; 2] = ["/proc/self/exe", "/bin/sh"];

impl Kept {
    /// Makes `engine` begin with it at every start. `None` for an engine that does not know what that is.
    pub(crate) fn for_engine(engine: &Engine, data_dir: &Path) -> Option<Self> {
        if !matches!(engine.config().program, Program::AirlockEngine(_)) {
            return None;
        }
        let path = data_dir.join("snapshot");
        engine.begin_with(Some(Snapshot::Kept(path.clone())));
        Some(Self { snapshots: Snapshots::new(engine.config(), TRAINING.map(PathBuf::from).to_vec()), path })
    }

    /// Makes one if the one that is there does not fit the definitions any more, or is damaged. A failure is logged: the engine loads its definitions then.
    pub(crate) async fn ensure(&self) {
        match self.snapshots.ensure(&self.path).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("a snapshot of the engine was made; the next start is ready at once"),
            Err(error) => {
                tracing::warn!(error = aws::log::chain(&error), "no snapshot of the engine could be made");
            }
        }
    }
}
