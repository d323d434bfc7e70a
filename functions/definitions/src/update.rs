//! One update: what is published comes here, freshclam patches it, the engine checks it, and it is published again.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::{Pointer, StoreError};
use clamd::definitions::DefinitionsError;
use clamd::freshclam::{Databases, FreshclamError, STATE_FILE, UpdateOutcome};
use definition_set::{
    Draft, InstallError, Manifest, PublishError, SetFile, Sources, describe_files, install, open, publish,
};
use domain::freshness::Definitions;
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::check::{CheckError, check};
use crate::snapshot::{self, Made};
use crate::{Context, UpdateReport};

/// Why nothing was published.
#[derive(Debug, Error)]
pub enum UpdateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("`{0}` cannot be prepared")]
    Directory(PathBuf, #[source] io::Error),
    #[error(transparent)]
    Freshclam(#[from] FreshclamError),
    #[error(transparent)]
    Definitions(#[from] DefinitionsError),
    #[error("the database `{0}` is missing")]
    Missing(String),
    #[error("the mirror's definitions are of {fetched}, older than what is published, of {published}")]
    Older { fetched: Timestamp, published: Timestamp },
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// A first download is 200 MB; what follows is small. Lambda's limit of 15 minutes leaves five for everything else.
const FRESHCLAM_TIMEOUT: Duration = Duration::from_mins(10);

/// Updates and publishes. Two at once do no harm: the pointer is flipped by the first of them only.
pub async fn update(context: &Context, now: Timestamp) -> Result<UpdateReport, UpdateError> {
    let before = Before::read(context).await?;
    let updated = update_from(context, &before, now).await;
    let published = match &updated {
        Ok((_, Some(definitions))) => Some(definitions.clone()),
        _ => before.manifest.map(|manifest| manifest.definitions),
    };
    report_age(published.as_ref(), updated.is_ok(), now);
    updated.map(|(report, _)| report)
}

/// What is published already.
pub(crate) struct Before {
    pub(crate) pointer: Option<Pointer>,
    /// `None` as well when somebody else has been at the pointer.
    pub(crate) manifest: Option<Manifest>,
}

impl Before {
    pub(crate) async fn read(context: &Context) -> Result<Self, StoreError> {
        let pointer = context.bucket.current().await?;
        // Neither age nor number matters here: it is only what to begin from.
        let beginning = Timestamp::from_millis(0);
        let opened =
            pointer.as_ref().map(|pointer| open(&pointer.bytes, &context.key.public_key(), 0, beginning));
        let manifest = opened.transpose().unwrap_or_else(|refusal| {
            tracing::error!(
                error = aws::log::chain(&refusal),
                "what is published is not ours; it is replaced"
            );
            None
        });
        Ok(Self { pointer, manifest })
    }

    pub(crate) fn expected(&self) -> Option<(&Pointer, u64)> {
        let serial = self.manifest.as_ref().map_or(0, |manifest| manifest.serial);
        self.pointer.as_ref().map(|pointer| (pointer, serial))
    }
}

async fn update_from(
    context: &Context,
    before: &Before,
    now: Timestamp,
) -> Result<(UpdateReport, Option<Definitions>), UpdateError> {
    let databases = &context.freshclam.directory;
    prepare(context, before.manifest.as_ref()).await?;
    let ran = context.freshclam.run(FRESHCLAM_TIMEOUT, |line| tracing::info!(line, "freshclam")).await;
    keep_state(context).await?;
    if ran? == UpdateOutcome::CoolingDown {
        tracing::warn!("a mirror refused us earlier; it is not asked before its time");
        return Ok((UpdateReport::CoolingDown, None));
    }
    let (files, definitions) = (describe_files(databases)?, clamd::definitions::read(databases)?);
    if let Some(missing) = missing(context, |name| files.iter().any(|file| file.name.as_str() == name)) {
        return Err(UpdateError::Missing(missing));
    }
    let mut withdrawn = Vec::new();
    if let Some(manifest) = &before.manifest {
        withdrawn.clone_from(&manifest.withdrawn);
        if withdrawn.contains(&definitions.version) {
            return Ok((UpdateReport::Withdrawn { version: definitions.version }, None));
        }
        let (fetched, published) = (definitions.built_at, manifest.definitions.built_at);
        if fetched < published {
            return Err(UpdateError::Older { fetched, published });
        }
    }
    let engine = check(context).await?.version;
    let made = snapshot_of(context, &files, &definitions, before.manifest.as_ref()).await;
    let (snapshot, path) = made.map_or((None, None), |made| (Some(made.described), made.path));
    let draft =
        Draft { engine, definitions: definitions.clone(), files, snapshot, withdrawn, ttl: context.ttl };
    let sources = Sources { directory: databases, snapshot: path.as_deref() };
    let manifest =
        publish(&context.bucket, &context.key, draft, Some(sources), before.expected(), now).await?;
    // It is as large as the definitions, and the next run may be in the same place.
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
    let report = UpdateReport::Published { serial: manifest.serial, version: manifest.definitions.version };
    Ok((report, Some(definitions)))
}

/// Where one is wanted. That there is none is no reason to keep definitions back: scanners load those then.
async fn snapshot_of(
    context: &Context,
    files: &[SetFile],
    definitions: &Definitions,
    before: Option<&Manifest>,
) -> Option<Made> {
    let config = context.snapshots.as_ref()?;
    let made = snapshot::of_set(context, config, files, definitions, before).await;
    if let Err(error) = &made {
        tracing::error!(error = aws::log::chain(error), "the definitions are published without a snapshot");
    }
    made.ok()
}

/// Makes freshclam's directory hold what is published and freshclam's own state, and nothing else.
async fn prepare(context: &Context, manifest: Option<&Manifest>) -> Result<(), UpdateError> {
    let databases = &context.freshclam.directory;
    let failed = |error| UpdateError::Directory(databases.clone(), error);
    let root = databases.with_extension("fetched");
    let fetched = match manifest {
        Some(manifest) => match install(&context.bucket, manifest, &root, Some(databases)).await {
            Ok(fetched) => Some(fetched),
            // A file that is damaged or gone must not keep the set damaged: from nothing, then.
            Err(error) if is_damage(&error) => {
                tracing::error!(error = aws::log::chain(&error), "what is published is damaged");
                None
            }
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    remove_directory(databases).map_err(failed)?;
    match fetched {
        Some(fetched) => std::fs::rename(fetched, databases).map_err(failed)?,
        None => std::fs::create_dir_all(databases).map_err(failed)?,
    }
    if let Some(state) = context.bucket.updater_state().await? {
        std::fs::write(databases.join(STATE_FILE), state).map_err(failed)?;
    }
    Ok(())
}

/// Whether the published set can not be had whole, however often it is asked for.
fn is_damage(error: &InstallError) -> bool {
    match error {
        InstallError::OtherContent(_) => true,
        InstallError::Store(error) => error.kind == aws::StoreErrorKind::NotFound,
        InstallError::Directory(..) => false,
    }
}

/// Keeps freshclam's state for the next run, on whatever machine that is, and takes it out of the databases' directory.
async fn keep_state(context: &Context) -> Result<(), UpdateError> {
    let path = context.freshclam.directory.join(STATE_FILE);
    match std::fs::read(&path) {
        Ok(state) => {
            context.bucket.keep_updater_state(state).await?;
            std::fs::remove_file(&path).map_err(|error| UpdateError::Directory(path, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(UpdateError::Directory(path, error)),
    }
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The first database that should be there and is not, in either form.
fn missing(context: &Context, is_there: impl Fn(&str) -> bool) -> Option<String> {
    let official = ["main", "daily", "bytecode"].map(ToOwned::to_owned).to_vec();
    let wanted = match &context.freshclam.databases {
        Databases::Official => official,
        Databases::Only(names) => names.clone(),
    };
    wanted.into_iter().find(|name| !is_there(&format!("{name}.cvd")) && !is_there(&format!("{name}.cld")))
}

/// For the alarms: how old is what scanners may take, and did the update work?
fn report_age(published: Option<&Definitions>, is_updated: bool, now: Timestamp) {
    let age = published.map(|definitions| now.since(definitions.built_at));
    let mut metrics = vec![aws::metrics::count("DefinitionsUpdateFailed", u64::from(!is_updated))];
    metrics.extend(age.map(|age| aws::metrics::seconds("DefinitionsAge", age)));
    aws::metrics::emit(&aws::metrics::MetricEvent {
        service: "definitions",
        dimensions: &[],
        metrics: &metrics,
        at: now,
    });
}
