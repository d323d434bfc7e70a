//! Updates the published set: fetches it, lets freshclam patch it, has the engine check it and publishes the
//! result. Definitions that an operator uploaded, and that are newer, take the place of freshclam's.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::metrics::Metric;
use aws::{Pointer, StoreError};
use clamd::definitions::DefinitionsError;
use clamd::freshclam::{Databases, FreshclamError, STATE_FILE, UpdateOutcome};
use definition_set::{
    Draft, InstallError, Manifest, PublishError, Seed, SetFile, Sources, describe_files, install, open,
    publish,
};
use domain::freshness::Definitions;
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::check::{CheckError, check};
use crate::snapshot::{self, Made};
use crate::{PublisherContext, UpdateReport};

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
    #[error("the mirror's definitions, built at {fetched}, are older than those published ({published})")]
    Older { fetched: Timestamp, published: Timestamp },
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// A first download is 200 MB; what follows is small. Lambda's limit of 15 minutes leaves five for everything
/// else.
const FRESHCLAM_TIMEOUT: Duration = Duration::from_mins(10);

/// Updates and publishes. Of two concurrent updates only the first replaces the pointer; the other one fails.
pub async fn update(context: &PublisherContext, now: Timestamp) -> Result<UpdateReport, UpdateError> {
    let before = Before::read(context).await?;
    let updated = update_from(context, &before, now).await;
    let published = match &updated {
        Ok((_, Some(definitions))) => Some(definitions.clone()),
        _ => before.manifest.map(|manifest| manifest.definitions),
    };
    report_age(published.as_ref(), updated.is_ok(), now);
    updated.map(|(report, _)| report)
}

/// The set that is published when an update begins.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) pointer: Option<Pointer>,
    /// `None` also when the pointer holds something that was not signed with our key.
    pub(crate) manifest: Option<Manifest>,
}

impl Before {
    pub(crate) async fn read(context: &PublisherContext) -> Result<Self, StoreError> {
        let pointer = context.bucket.current().await?;
        // Neither age nor serial number matters here: it is only the set to start from.
        let beginning = Timestamp::from_millis(0);
        let opened =
            pointer.as_ref().map(|pointer| open(&pointer.bytes, &context.key.public_key(), 0, beginning));
        let manifest = opened.transpose().unwrap_or_else(|refusal| {
            tracing::error!(
                error = aws::log::chain(&refusal),
                "the published manifest is not signed with our key; it is replaced"
            );
            None
        });
        Ok(Self { pointer, manifest })
    }

    /// The pointer that must still be published when the new set replaces it, with its serial number.
    pub(crate) fn expected(&self) -> Option<(&Pointer, u64)> {
        let serial = self.manifest.as_ref().map_or(0, |manifest| manifest.serial);
        self.pointer.as_ref().map(|pointer| (pointer, serial))
    }
}

async fn update_from(
    context: &PublisherContext,
    before: &Before,
    now: Timestamp,
) -> Result<(UpdateReport, Option<Definitions>), UpdateError> {
    if let Some(seed) = newer_seed(context, before).await {
        match publish_seed(context, &seed, before, now).await {
            Ok(published @ (UpdateReport::Published { .. }, _)) => return Ok(published),
            Ok((report, _)) => tracing::warn!(?report, "the uploaded definitions are not published"),
            Err(error) => {
                tracing::error!(
                    error = aws::log::chain(&error),
                    "the uploaded definitions are not published"
                );
            }
        }
    }
    prepare(context, before.manifest.as_ref()).await?;
    let ran = context.freshclam.run(FRESHCLAM_TIMEOUT, |line| tracing::info!(line, "freshclam")).await;
    keep_state(context).await?;
    if ran? == UpdateOutcome::CoolingDown {
        tracing::warn!("a mirror refused a request; it is not asked again before the time that it gave");
        return Ok((UpdateReport::CoolingDown, None));
    }
    publish_databases(context, before, now).await
}

/// The definitions that an operator uploaded, if they say that they are newer than those published.
async fn newer_seed(context: &PublisherContext, before: &Before) -> Option<Seed> {
    let seed = Seed::read(&context.bucket).await.unwrap_or_else(|error| {
        tracing::error!(error = aws::log::chain(&error), "the uploaded definitions are refused");
        None
    });
    let published = before.manifest.as_ref().map(|manifest| manifest.definitions.built_at);
    seed.filter(|seed| published.is_none_or(|published| seed.definitions.built_at > published))
}

async fn publish_seed(
    context: &PublisherContext,
    seed: &Seed,
    before: &Before,
    now: Timestamp,
) -> Result<(UpdateReport, Option<Definitions>), UpdateError> {
    seed.install(&context.bucket, &context.freshclam.directory).await?;
    publish_databases(context, before, now).await
}

/// Checks the databases in freshclam's directory, and publishes them.
async fn publish_databases(
    context: &PublisherContext,
    before: &Before,
    now: Timestamp,
) -> Result<(UpdateReport, Option<Definitions>), UpdateError> {
    let databases = &context.freshclam.directory;
    let (files, definitions) = (describe_files(databases)?, clamd::definitions::read(databases)?);
    if let Some(missing) = missing(&context.freshclam.databases, &files) {
        return Err(UpdateError::Missing(missing));
    }
    let withdrawn = match decide(before.manifest.as_ref(), &definitions)? {
        Decision::Publish { withdrawn } => withdrawn,
        Decision::Withdrawn => return Ok((UpdateReport::Withdrawn { version: definitions.version }, None)),
    };
    let engine = check(context).await?.version;
    let made = snapshot_of(context, &files, &definitions, before.manifest.as_ref()).await;
    let (snapshot, path) = made.map_or((None, None), |made| (Some(made.described), made.path));
    let draft =
        Draft { engine, definitions: definitions.clone(), files, snapshot, withdrawn, ttl: context.ttl };
    let sources = Sources { directory: databases, snapshot: path.as_deref() };
    let manifest =
        publish(&context.bucket, &context.key, draft, Some(sources), before.expected(), now).await?;
    // The snapshot is as large as the definitions, and the next run may use the same disk.
    if let Some(path) = path {
        let _ = std::fs::remove_file(path);
    }
    let report = UpdateReport::Published { serial: manifest.serial, version: manifest.definitions.version };
    Ok((report, Some(definitions)))
}

/// Whether to publish a set that freshclam left.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// `withdrawn` are the versions that stay withdrawn.
    Publish { withdrawn: Vec<String> },
    /// An operator has rolled this version back.
    Withdrawn,
}

/// Decides by comparing with the published set. Definitions that are older than its own are an error: a
/// mirror that is behind, or hostile, must not remove signatures.
fn decide(published: Option<&Manifest>, fetched: &Definitions) -> Result<Decision, UpdateError> {
    let Some(manifest) = published else { return Ok(Decision::Publish { withdrawn: vec![] }) };
    if manifest.withdrawn.contains(&fetched.version) {
        return Ok(Decision::Withdrawn);
    }
    let (fetched, published) = (fetched.built_at, manifest.definitions.built_at);
    if fetched < published {
        return Err(UpdateError::Older { fetched, published });
    }
    Ok(Decision::Publish { withdrawn: manifest.withdrawn.clone() })
}

/// The snapshot to publish, where scanners use one. Without it they load the definitions, so its failure does
/// not keep the definitions from being published.
async fn snapshot_of(
    context: &PublisherContext,
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

/// Makes freshclam's directory hold the published set and freshclam's own state, and nothing else.
async fn prepare(context: &PublisherContext, manifest: Option<&Manifest>) -> Result<(), UpdateError> {
    let databases = &context.freshclam.directory;
    let failed = |error| UpdateError::Directory(databases.clone(), error);
    let root = databases.with_extension("fetched");
    let fetched = match manifest {
        Some(manifest) => match install(&context.bucket, manifest, &root, Some(databases)).await {
            Ok(fetched) => Some(fetched),
            // Otherwise a damaged or lost file would stay so. freshclam starts from an empty directory.
            Err(error) if is_damage(&error) => {
                tracing::error!(error = aws::log::chain(&error), "the published set is damaged");
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

/// Whether the published set is incomplete for good, so that another attempt to fetch it would fail too.
fn is_damage(error: &InstallError) -> bool {
    match error {
        InstallError::OtherContent(_) => true,
        InstallError::Store(error) => error.kind == aws::StoreErrorKind::NotFound,
        InstallError::Directory(..) => false,
    }
}

/// Moves freshclam's state from the databases' directory to the bucket, for the next run, which may be on
/// another machine.
async fn keep_state(context: &PublisherContext) -> Result<(), UpdateError> {
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
fn missing(wanted: &Databases, files: &[SetFile]) -> Option<String> {
    let official = ["main", "daily", "bytecode"].map(ToOwned::to_owned);
    let wanted = match wanted {
        Databases::Official => &official,
        Databases::Only(names) => names.as_slice(),
    };
    let has = |name: &str| files.iter().any(|file| file.name.as_str() == name);
    wanted.iter().find(|name| !has(&format!("{name}.cvd")) && !has(&format!("{name}.cld"))).cloned()
}

/// Emits the metrics that the alarms read.
fn report_age(published: Option<&Definitions>, is_updated: bool, now: Timestamp) {
    aws::metrics::emit(&aws::metrics::MetricEvent {
        service: "definitions",
        dimensions: &[],
        metrics: &age_metrics(published, is_updated, now),
        at: now,
    });
}

/// The age of the set that scanners may use, if there is one, and whether the update failed.
fn age_metrics(published: Option<&Definitions>, is_updated: bool, now: Timestamp) -> Vec<Metric> {
    let age = published.map(|definitions| now.since(definitions.built_at));
    let failed = aws::metrics::count("DefinitionsUpdateFailed", u64::from(!is_updated));
    let age = age.map(|age| aws::metrics::seconds("DefinitionsAge", age));
    [Some(failed), age].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
