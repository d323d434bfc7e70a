//! Starts the engine from the snapshot that was published with a set, while snapshot and definitions are
//! still downloaded.
//!
//! Invariant: the engine's directory contains the definitions of the signed manifest, or nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws::{DefinitionBucket, StoreError};
use clamd::{Engine, EngineError, Snapshot, SnapshotError, Snapshots};
use definition_set::{Manifest, SetSnapshot, install};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::RefreshError;

/// Why the engine loads the definitions instead.
#[derive(Debug, Error)]
pub(crate) enum BeginError {
    #[error(transparent)]
    Build(#[from] SnapshotError),
    #[error("the snapshot is of another build of the engine than this scanner's")]
    OtherBuild,
    #[error("`{0}` cannot be written")]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("the snapshot cannot be downloaded")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Link(Box<RefreshError>),
}

/// A background download of a snapshot and then of its definitions. Dropping it cancels the download.
#[derive(Debug)]
pub(crate) struct SnapshotDownload {
    task: JoinHandle<()>,
    /// Its sender is dropped when the snapshot's download has ended; `None` once that was seen.
    arrival: Option<oneshot::Receiver<Never>>,
}

/// What is never sent.
#[derive(Debug)]
enum Never {}

impl SnapshotDownload {
    /// Cancels the download and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Waits until the snapshot has arrived, or its download has failed, at most for `limit`.
    pub(crate) async fn arrived(&mut self, limit: Duration) {
        let Some(arrival) = &mut self.arrival else { return };
        if tokio::time::timeout(limit, arrival).await.is_ok() {
            self.arrival = None;
        }
    }
}

impl Drop for SnapshotDownload {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether `engine` is of the build that `snapshot` is for.
pub(crate) async fn fits(engine: &Engine, snapshot: &SetSnapshot) -> Result<(), BeginError> {
    let build = Snapshots::new(engine.config(), vec![]).build().await?;
    if build == snapshot.build { Ok(()) } else { Err(BeginError::OtherBuild) }
}

/// Starts the stopped `engine` from `snapshot` while that is downloaded; the definitions are downloaded after
/// it, in case the snapshot turns out to be damaged. Files that `before` contains are not downloaded again.
/// After an error nothing is being downloaded, and the engine starts from what it started from before.
pub(crate) async fn begin(
    bucket: &DefinitionBucket,
    engine: &Arc<Engine>,
    (manifest, snapshot): (&Manifest, &SetSnapshot),
    (root, before): (&Path, Option<PathBuf>),
) -> Result<SnapshotDownload, BeginError> {
    let path = root.join(format!("{}.{EXTENSION}", snapshot.sha256));
    // An earlier attempt may have left a part. The engine opens the file as soon as it starts.
    let emptied = std::fs::File::create(&path);
    let file = emptied.map_err(|error| BeginError::Unwritable(path.clone(), error))?;
    let former = engine.begin_with(Some(Snapshot::Vouched {
        path: path.clone(),
        size_bytes: snapshot.size_bytes,
        contents: snapshot.contents,
        definitions: manifest.definitions.clone(),
    }));
    let (failed, failure) = oneshot::channel();
    let (arriving, arrival) = oneshot::channel();
    let fetching = fetch(
        bucket.clone(),
        Arc::clone(engine),
        (manifest.clone(), snapshot.clone()),
        (root.to_owned(), file, before),
        (arriving, failed),
    );
    let coming = SnapshotDownload { task: tokio::spawn(fetching), arrival: Some(arrival) };
    let checked = tokio::select! {
        checked = engine.check() => checked.map_err(BeginError::from),
        // Dropping the check kills an engine that still waits for the snapshot.
        Ok(error) = failure => Err(error.into()),
    };
    match checked {
        Ok(_) => {
            remove_snapshots(root, Some(&path));
            Ok(coming)
        }
        Err(error) => {
            engine.begin_with(former);
            coming.stop().await;
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}

const EXTENSION: &str = "snapshot";

async fn fetch(
    bucket: DefinitionBucket,
    engine: Arc<Engine>,
    (manifest, snapshot): (Manifest, SetSnapshot),
    (root, file, before): (PathBuf, std::fs::File, Option<PathBuf>),
    (arriving, failed): (oneshot::Sender<Never>, oneshot::Sender<StoreError>),
) {
    let streamed = bucket.stream_file(snapshot.sha256, snapshot.size_bytes, file).await;
    drop(arriving);
    let is_half = streamed.is_err();
    if let Err(Err(error)) = streamed.map_err(|error| failed.send(error)) {
        // The engine runs with the part that has arrived, and would wait for the rest.
        tracing::error!(
            error = aws::log::chain(&error),
            "the snapshot was not downloaded to its end; the definitions are loaded"
        );
    }
    let installed = install(&bucket, &manifest, &root, before.as_deref()).await;
    match &installed {
        Ok(directory) => {
            if let Some(before) = before.filter(|before| before != directory) {
                let _ = std::fs::remove_dir_all(before);
            }
        }
        Err(error) => {
            tracing::error!(error = aws::log::chain(error), "the snapshot's definitions were not installed");
        }
    }
    if is_half {
        engine.begin_with(None);
        engine.stop().await;
    }
}

/// Removes all snapshots except `kept`. One that cannot be removed takes space and does no harm.
pub(crate) fn remove_snapshots(root: &Path, kept: Option<&Path>) {
    for path in std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == EXTENSION) && Some(path.as_path()) != kept {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_snapshot_is_waited_for_until_it_has_arrived_and_no_longer_than_the_limit() {
        let (arriving, arrival) = oneshot::channel::<Never>();
        // The definitions come after the snapshot, and are not waited for.
        let mut coming =
            SnapshotDownload { task: tokio::spawn(std::future::pending()), arrival: Some(arrival) };
        coming.arrived(Duration::from_millis(20)).await;
        assert!(coming.arrival.is_some(), "the snapshot has not arrived");
        let has_arrived = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(arriving);
        };
        tokio::join!(coming.arrived(Duration::from_hours(1)), has_arrived);
        assert!(coming.arrival.is_none());
        coming.arrived(Duration::from_hours(1)).await;
    }
}
