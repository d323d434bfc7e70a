//! How do scanners begin without loading the definitions? With a snapshot of an engine that has loaded them: made here once, compared, and published with the set.
//!
//! Invariant: no snapshot is published whose engine said anything about a sample that clamd with the same definitions did not say.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clamd::{
    DaemonConfig, Engine, EngineError, Snapshot, SnapshotError, Snapshots, Transport, contents_digest,
};
use definition_set::{Manifest, PublishError, SetFile, SetSnapshot, describe_snapshot};
use domain::freshness::Definitions;
use domain::verdict::EngineReply;
use thiserror::Error;

use crate::Context;

/// A snapshot to publish, and where it is, unless it is published already.
pub(crate) struct Made {
    pub(crate) described: SetSnapshot,
    pub(crate) path: Option<PathBuf>,
}

/// Why a set is published without a snapshot.
#[derive(Debug, Error)]
pub(crate) enum NoSnapshot {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Describe(#[from] PublishError),
    #[error("the engine does not work")]
    Engine(#[from] EngineError),
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("about `{sample}`, clamd says `{clamd:?}` and the snapshot `{restored:?}`")]
    OtherReply { sample: PathBuf, clamd: Vec<EngineReply>, restored: Vec<EngineReply> },
}

const SCAN_TIMEOUT: Duration = Duration::from_mins(1);

/// Of the set that freshclam left. What `before` has published is used again where it is of the same set and the same build of the engine.
pub(crate) async fn of_set(
    context: &Context,
    config: &DaemonConfig,
    files: &[SetFile],
    definitions: &Definitions,
    before: Option<&Manifest>,
) -> Result<Made, NoSnapshot> {
    let samples: Vec<PathBuf> = context.known_good.iter().chain(&context.known_bad).cloned().collect();
    let snapshots = Snapshots::new(config, samples.clone());
    let build = snapshots.build().await?;
    let published = before.filter(|before| before.files == files).and_then(|before| before.snapshot.clone());
    if let Some(described) = published.filter(|published| published.build == build) {
        return Ok(Made { described, path: None });
    }
    let path = context.freshclam.directory.with_extension("snapshot");
    snapshots.make(&path).await?;
    let contents = contents_digest(&path)?;
    let described = describe_snapshot(&path, contents, build)?;
    let vouched = Snapshot::Vouched {
        path: path.clone(),
        size_bytes: described.size_bytes,
        contents,
        definitions: definitions.clone(),
    };
    compare(context, config, vouched, &samples).await?;
    Ok(Made { described, path: Some(path) })
}

/// Each engine by itself: two that are loaded need twice the memory.
async fn compare(
    context: &Context,
    config: &DaemonConfig,
    snapshot: Snapshot,
    samples: &[PathBuf],
) -> Result<(), NoSnapshot> {
    let clamd = replies(&context.engine, None, samples).await?;
    // Without definitions to fall back on, an engine that does not use the snapshot says nothing at all.
    let empty = config.run_directory.join("no-definitions");
    std::fs::create_dir_all(&empty).map_err(|error| NoSnapshot::Unreadable(empty.clone(), error))?;
    let config = DaemonConfig { definitions_directory: empty, ..config.clone() };
    let restored = replies(&config, Some(snapshot), samples).await?;
    for ((sample, clamd), restored) in samples.iter().zip(clamd).zip(restored) {
        if clamd != restored {
            return Err(NoSnapshot::OtherReply { sample: sample.clone(), clamd, restored });
        }
    }
    Ok(())
}

async fn replies(
    config: &DaemonConfig,
    snapshot: Option<Snapshot>,
    samples: &[PathBuf],
) -> Result<Vec<Vec<EngineReply>>, NoSnapshot> {
    let engine = Engine::new(config.clone(), Transport::Stream);
    engine.begin_with(snapshot);
    let mut replies = vec![];
    for sample in samples {
        match reply(&engine, sample).await {
            Ok(reply) => replies.push(reply),
            Err(error) => {
                engine.stop().await;
                return Err(error);
            }
        }
    }
    engine.stop().await;
    Ok(replies)
}

async fn reply(engine: &Engine, sample: &Path) -> Result<Vec<EngineReply>, NoSnapshot> {
    let unreadable = |error| NoSnapshot::Unreadable(sample.to_owned(), error);
    let file = File::open(sample).map_err(unreadable)?;
    let size_bytes = file.metadata().map_err(unreadable)?.len();
    let scan = engine.scan(&file, size_bytes, vec![], SCAN_TIMEOUT).await?;
    if !(scan.canary_found_before && scan.canary_found_after) {
        return Err(EngineError::NoCanary.into());
    }
    Ok(scan.replies)
}
