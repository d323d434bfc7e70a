//! Makes the snapshot of an engine that has loaded a set, from which scanners start without loading the
//! definitions.
//!
//! Invariant: no snapshot is published whose engine replied to a sample as clamd with the same definitions
//! did not.

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

use crate::PublisherContext;

/// A snapshot to publish, and its path unless it is in the bucket already.
pub(crate) struct Made {
    pub(crate) described: SetSnapshot,
    pub(crate) path: Option<PathBuf>,
}

/// Why a set is published without a snapshot.
#[derive(Debug, Error)]
pub(crate) enum SnapshotMakeError {
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Describe(#[from] PublishError),
    #[error("the engine does not work")]
    Engine(#[from] EngineError),
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("to `{sample}`, clamd replies `{clamd:?}` and the snapshot `{restored:?}`")]
    OtherReply { sample: PathBuf, clamd: Vec<EngineReply>, restored: Vec<EngineReply> },
}

const SCAN_TIMEOUT: Duration = Duration::from_mins(1);

/// The snapshot of the set that freshclam left. The one that `before` published is reused for the same set
/// and the same build of the engine.
pub(crate) async fn of_set(
    context: &PublisherContext,
    config: &DaemonConfig,
    files: &[SetFile],
    definitions: &Definitions,
    before: Option<&Manifest>,
) -> Result<Made, SnapshotMakeError> {
    let samples: Vec<PathBuf> = context.known_good.iter().chain(&context.known_bad).cloned().collect();
    let snapshots = Snapshots::new(config, samples.clone());
    let build = snapshots.build().await?;
    if let Some(described) = published(before, files, &build) {
        return Ok(Made { described: described.clone(), path: None });
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

/// The published snapshot, if it is of these files and this build of the engine.
fn published<'a>(before: Option<&'a Manifest>, files: &[SetFile], build: &str) -> Option<&'a SetSnapshot> {
    let same_set = before.filter(|before| before.files == files)?;
    same_set.snapshot.as_ref().filter(|snapshot| snapshot.build == build)
}

/// Compares the replies of clamd and of the snapshot. The engines run one after the other, because two loaded
/// ones need twice the memory.
async fn compare(
    context: &PublisherContext,
    config: &DaemonConfig,
    snapshot: Snapshot,
    samples: &[PathBuf],
) -> Result<(), SnapshotMakeError> {
    let clamd = replies(&context.engine, None, samples).await?;
    // Without definitions to fall back on, an engine that does not use the snapshot replies nothing at all.
    let empty = config.run_directory.join("no-definitions");
    std::fs::create_dir_all(&empty).map_err(|error| SnapshotMakeError::Unreadable(empty.clone(), error))?;
    let config = DaemonConfig { definitions_directory: empty, ..config.clone() };
    let restored = replies(&config, Some(snapshot), samples).await?;
    same_replies(samples, clamd, restored)
}

fn same_replies(
    samples: &[PathBuf],
    clamd: Vec<Vec<EngineReply>>,
    restored: Vec<Vec<EngineReply>>,
) -> Result<(), SnapshotMakeError> {
    for ((sample, clamd), restored) in samples.iter().zip(clamd).zip(restored) {
        if clamd != restored {
            return Err(SnapshotMakeError::OtherReply { sample: sample.clone(), clamd, restored });
        }
    }
    Ok(())
}

async fn replies(
    config: &DaemonConfig,
    snapshot: Option<Snapshot>,
    samples: &[PathBuf],
) -> Result<Vec<Vec<EngineReply>>, SnapshotMakeError> {
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

async fn reply(engine: &Engine, sample: &Path) -> Result<Vec<EngineReply>, SnapshotMakeError> {
    let unreadable = |error| SnapshotMakeError::Unreadable(sample.to_owned(), error);
    let file = File::open(sample).map_err(unreadable)?;
    let size_bytes = file.metadata().map_err(unreadable)?.len();
    let scan = engine.scan(&file, size_bytes, vec![], SCAN_TIMEOUT).await?;
    if !(scan.canary_found_before && scan.canary_found_after) {
        return Err(EngineError::NoCanary.into());
    }
    Ok(scan.replies)
}

#[cfg(test)]
mod tests {
    use domain::id::Sha256;
    use fixtures::NOW;

    use super::*;
    use crate::testing::{manifest, set_file};

    fn snapshot(build: &str) -> SetSnapshot {
        let digest = Sha256::from_bytes([3; 32]);
        SetSnapshot { size_bytes: 1, sha256: digest, contents: digest, build: build.to_owned() }
    }

    #[test]
    fn a_published_snapshot_is_reused_only_for_the_same_files_and_build() {
        let before = Manifest { snapshot: Some(snapshot("b1")), ..manifest(1, "27900", NOW) };
        assert_eq!(published(Some(&before), &before.files, "b1"), Some(&snapshot("b1")));
        assert_eq!(published(Some(&before), &before.files, "b2"), None, "another build");
        assert_eq!(published(Some(&before), &[set_file("daily.cvd", 9)], "b1"), None, "other files");
        let without = Manifest { snapshot: None, ..before.clone() };
        assert_eq!(published(Some(&without), &before.files, "b1"), None);
        assert_eq!(published(None, &before.files, "b1"), None);
    }

    #[test]
    fn a_snapshot_that_replies_otherwise_than_clamd_is_not_published() {
        let samples = ["a", "b"].map(PathBuf::from);
        let found = |name: &str| vec![EngineReply::Found(name.to_owned())];
        let clamd = vec![found("X"), vec![EngineReply::Ok]];
        assert!(same_replies(&samples, clamd.clone(), clamd.clone()).is_ok());
        for restored in [vec![found("X"), found("Y")], vec![found("Z"), vec![EngineReply::Ok]]] {
            let error = same_replies(&samples, clamd.clone(), restored.clone()).unwrap_err();
            assert!(matches!(error, SnapshotMakeError::OtherReply { .. }), "{restored:?}");
        }
    }
}
