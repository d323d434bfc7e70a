//! Can the engine begin before its definitions are here? With the snapshot that was published with them, while it is still on its way.
//!
//! Invariant: the engine's directory never holds other definitions than those that were vouched for: it holds them, or nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws::{DefinitionBucket, StoreError};
use clamd::{Engine, EngineError, Snapshot, SnapshotError, Snapshots};
use definition_set::{Manifest, SetSnapshot, install};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::RefreshError;

/// Why the definitions are loaded as ever.
#[derive(Debug, Error)]
pub(crate) enum BeginError {
    #[error(transparent)]
    Build(#[from] SnapshotError),
    #[error("it is of another build of the engine than this scanner's")]
    OtherBuild,
    #[error("`{0}` cannot be written")]
    Unwritable(PathBuf, #[source] io::Error),
    #[error("it cannot be fetched")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Link(Box<RefreshError>),
}

/// What is still being fetched. Dropped, it is not any more.
#[derive(Debug)]
pub(crate) struct SnapshotDownload(JoinHandle<()>);

impl SnapshotDownload {
    /// Returns when nothing is being fetched any more.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for SnapshotDownload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether `engine` is of the build that `snapshot` is for.
pub(crate) async fn fits(engine: &Engine, snapshot: &SetSnapshot) -> Result<(), BeginError> {
    let build = Snapshots::new(engine.config(), vec![]).build().await?;
    if build == snapshot.build { Ok(()) } else { Err(BeginError::OtherBuild) }
}

/// Makes `engine`, which is stopped, begin with `snapshot`, and fetches it meanwhile; after it come the definitions themselves, for the day when the
/// snapshot turns out to be damaged. Whatever of them `before` has need not be fetched. After an error nothing is on its way, and the engine begins with
/// what it began with before.
pub(crate) async fn begin(
    bucket: &DefinitionBucket,
    engine: &Arc<Engine>,
    (manifest, snapshot): (&Manifest, &SetSnapshot),
    (root, before): (&Path, Option<PathBuf>),
) -> Result<SnapshotDownload, BeginError> {
    let path = root.join(format!("{}.{EXTENSION}", snapshot.sha256));
    // Half of it may have come before. The engine opens it as soon as it starts.
    let emptied = std::fs::File::create(&path);
    let file = emptied.map_err(|error| BeginError::Unwritable(path.clone(), error))?;
    let former = engine.begin_with(Some(Snapshot::Vouched {
        path: path.clone(),
        size_bytes: snapshot.size_bytes,
        contents: snapshot.contents,
        definitions: manifest.definitions.clone(),
    }));
    let (failed, failure) = oneshot::channel();
    let fetching = fetch(
        bucket.clone(),
        Arc::clone(engine),
        (manifest.clone(), snapshot.clone()),
        (root.to_owned(), file, before),
        failed,
    );
    let coming = SnapshotDownload(tokio::spawn(fetching));
    let checked = tokio::select! {
        checked = engine.check() => checked.map_err(BeginError::from),
        // An engine that still waits for it is killed here.
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
    failed: oneshot::Sender<StoreError>,
) {
    let streamed = bucket.stream_file(snapshot.sha256, snapshot.size_bytes, file).await;
    let is_half = streamed.is_err();
    if let Err(Err(error)) = streamed.map_err(|error| failed.send(error)) {
        // The engine has begun with what has come, and would wait for the rest.
        tracing::error!(
            error = aws::log::chain(&error),
            "the snapshot did not come; the definitions are loaded"
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
            tracing::error!(error = aws::log::chain(error), "there are no definitions beside the snapshot");
        }
    }
    if is_half {
        engine.begin_with(None);
        engine.stop().await;
    }
}

/// All but `kept`. What cannot be removed takes room, and does no harm.
pub(crate) fn remove_snapshots(root: &Path, kept: Option<&Path>) {
    for path in std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == EXTENSION) && Some(path.as_path()) != kept {
            let _ = std::fs::remove_file(path);
        }
    }
}
