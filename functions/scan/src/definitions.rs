//! Keeps the scanner on the newest published definition set that its engine works with, or on the last good
//! one.
//!
//! Invariant: two sets are never loaded concurrently.
//! Invariant: a set that the engine does not work with is not tried again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws::{DefinitionBucket, Ledger, StoreError};
use clamd::{Engine, EngineError, EngineProgram};
use definition_set::{
    InstallError, Manifest, ManifestError, PublicKey, SetSnapshot, directory_of, install, open,
};
use domain::freshness::FreshnessPolicy;
use domain::timestamp::Timestamp;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::snapshot::{self, BeginError, SnapshotDownload};

/// The definition sets that a publisher signs and stores in a bucket.
#[derive(Debug)]
pub struct PublishedDefinitions {
    bucket: DefinitionBucket,
    key: PublicKey,
    ledger: Ledger,
    /// Contains a directory for each set, and a link to the one in use.
    root: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_use: Option<Manifest>,
    looked_at: Option<Timestamp>,
    /// The serial number of a set that the engine did not work with.
    bad: Option<u64>,
    /// After a start from a snapshot, the download of the snapshot and of the definitions behind it.
    coming: Option<SnapshotDownload>,
}

impl State {
    async fn stop_coming(&mut self) {
        if let Some(coming) = self.coming.take() {
            coming.stop().await;
        }
    }
}

/// Why the published set is not in use. The previous set still is.
#[derive(Debug, Error)]
pub enum RefreshError {
    #[error("no definitions have been published yet")]
    NothingPublished,
    #[error("the published definitions are refused")]
    Refused(#[from] ManifestError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("the engine does not work with the published definitions")]
    Engine(#[from] EngineError),
    #[error("the engine did not work with the published definitions, serial number {0}, before")]
    KnownBad(u64),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the link to `{0}` cannot be created")]
    Link(PathBuf, #[source] std::io::Error),
}

/// Between two reads of the pointer: it is small, but a busy scanner handles many batches a minute.
const LOOK_EVERY: Duration = Duration::from_mins(10);

impl PublishedDefinitions {
    pub fn new(bucket: DefinitionBucket, key: PublicKey, ledger: Ledger, root: PathBuf) -> Self {
        Self { bucket, key, ledger, root, state: Mutex::default() }
    }

    /// The same with other clients, and due for a refresh.
    pub(crate) async fn reconnected(&self, bucket: DefinitionBucket, ledger: Ledger) -> Self {
        let mut state = self.state.lock().await;
        let coming = state.coming.take();
        let state = State { in_use: state.in_use.clone(), looked_at: None, bad: state.bad, coming };
        let (key, root) = (self.key.clone(), self.root.clone());
        Self { bucket, key, ledger, root, state: Mutex::new(state) }
    }

    /// The directory that the engine loads: a link to the set in use.
    pub fn link(root: &Path) -> PathBuf {
        root.join("current")
    }

    /// Reads the pointer, unless it was read lately, and switches the engine to a newer set. Returns whether
    /// the engine was replaced. On an error the engine stays on the previous set; call it again later.
    /// Concurrent calls are serialized.
    pub async fn refresh(&self, engine: &Arc<Engine>, now: Timestamp) -> Result<bool, RefreshError> {
        let mut state = self.state.lock().await;
        if state.looked_at.is_some_and(|at| now.since(at) < LOOK_EVERY) && state.in_use.is_some() {
            return Ok(false);
        }
        state.looked_at = Some(now);
        let pointer = self.bucket.current().await?.ok_or(RefreshError::NothingPublished)?;
        let in_use = state.in_use.as_ref().map_or(0, |manifest| manifest.serial);
        let seen = self.ledger.seen_definition_serial().await?.max(in_use);
        let manifest = open(&pointer.bytes, &self.key, seen, now)?;
        if state.in_use.as_ref() == Some(&manifest) {
            return Ok(false);
        }
        if state.bad == Some(manifest.serial) {
            return Err(RefreshError::KnownBad(manifest.serial));
        }
        let has_same_files = state.in_use.as_ref().is_some_and(|used| used.files == manifest.files);
        if !has_same_files {
            self.change_to(engine, &manifest, &mut state).await?;
        }
        self.ledger.note_definition_serial(manifest.serial).await?;
        tracing::info!(
            definitions.serial = manifest.serial,
            definitions.version = manifest.definitions.version,
            "definitions in use"
        );
        state.in_use = Some(manifest);
        Ok(!has_same_files)
    }

    async fn change_to(
        &self,
        engine: &Arc<Engine>,
        manifest: &Manifest,
        state: &mut State,
    ) -> Result<(), RefreshError> {
        let link = Self::link(&self.root);
        let before = std::fs::read_link(&link).ok();
        // A running download uses the same unfinished directory.
        state.stop_coming().await;
        if let Some(snapshot) = manifest.snapshot.as_ref().filter(|_| knows_snapshots(engine)) {
            match self.begin_with(engine, manifest, snapshot, state, before.clone()).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::warn!(error = aws::log::chain(&error), "the snapshot is not used"),
            }
        }
        let directory = install(&self.bucket, manifest, &self.root, before.as_deref()).await?;
        // A full set takes most of the function's memory: the old engine stops before the new one loads.
        engine.stop().await;
        point(&link, &directory)?;
        let former = engine.begin_with(None);
        if let Err(error) = engine.check().await {
            engine.stop().await;
            engine.begin_with(former);
            state.bad = Some(manifest.serial);
            if let Some(before) = before {
                point(&link, &before)?;
            }
            return Err(error.into());
        }
        if let Some(before) = before.filter(|before| *before != directory) {
            let _ = std::fs::remove_dir_all(before);
        }
        snapshot::remove_snapshots(&self.root, None);
        Ok(())
    }

    /// Starts the engine from a snapshot. After an error everything is as before, except that the engine is
    /// stopped.
    async fn begin_with(
        &self,
        engine: &Arc<Engine>,
        manifest: &Manifest,
        snapshot: &SetSnapshot,
        state: &mut State,
        before: Option<PathBuf>,
    ) -> Result<(), BeginError> {
        snapshot::fits(engine, snapshot).await?;
        engine.stop().await;
        let link = Self::link(&self.root);
        let directory = directory_of(manifest, &self.root);
        // Left over from an earlier attempt: the engine must not fall back on it.
        let _ = std::fs::remove_dir_all(&directory);
        point(&link, &directory).map_err(|error| BeginError::Link(Box::new(error)))?;
        let begun =
            snapshot::begin(&self.bucket, engine, (manifest, snapshot), (&self.root, before.clone())).await;
        match begun {
            Ok(coming) => {
                state.coming = Some(coming);
                Ok(())
            }
            Err(error) => {
                if let Some(before) = before {
                    point(&link, &before).map_err(|error| BeginError::Link(Box::new(error)))?;
                }
                Err(error)
            }
        }
    }

    /// Waits until no snapshot is being downloaded for a running engine, at most for `limit`.
    pub(crate) async fn arrived(&self, limit: Duration) {
        if let Some(coming) = &mut self.state.lock().await.coming {
            coming.arrived(limit).await;
        }
    }

    /// `policy`, or one by which every definition is stale if no set is in use, or the one in use has
    /// expired.
    pub async fn freshness(&self, policy: FreshnessPolicy, now: Timestamp) -> FreshnessPolicy {
        let is_good =
            self.state.lock().await.in_use.as_ref().is_some_and(|manifest| now < manifest.expires_at);
        if is_good { policy } else { FreshnessPolicy { max_age: Duration::ZERO, ..policy } }
    }
}

fn knows_snapshots(engine: &Engine) -> bool {
    matches!(engine.config().program, EngineProgram::AirlockEngine(_))
}

/// Points `link` to `directory`, atomically.
fn point(link: &Path, directory: &Path) -> Result<(), RefreshError> {
    let failed = |error| RefreshError::Link(directory.to_owned(), error);
    let unfinished = link.with_extension("new");
    let _ = std::fs::remove_file(&unfinished);
    std::os::unix::fs::symlink(directory, &unfinished).map_err(failed)?;
    std::fs::rename(&unfinished, link).map_err(failed)
}
