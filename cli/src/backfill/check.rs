//! Looks up the verdict of every version that was sent, in the service's own records.
//!
//! The id of a version's file follows from its bucket, key and version, so a record is the one of exactly
//! this version. Tags are not asked: every principal that may write tags could have written them.

use std::collections::HashMap;

use anyhow::Context as _;
use aws::Ledger;
use domain::id::FileId;
use domain::record::Status;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::interrupt::Interrupt;
use super::plan::{Plan, Planned};
use super::progress::Progress;
use super::source::Source;
use super::state::State;

/// Versions that are looked up together.
const ROWS: i64 = 1000;
/// DynamoDB's limit for one request.
const RECORDS: usize = 100;
const CONCURRENT: usize = 8;

/// What the service knows about a version that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Is(State),
    /// There is no record, and the version exists.
    NoRecord,
}

/// Brings the states in the plan up to date. Returns how many versions exist and have no record, although
/// they were sent; with `resends`, these are to be sent again. `None` after Ctrl-C.
pub(crate) async fn check(
    plan: &mut Plan,
    (source, ledger): (&Source, &Ledger),
    resends: bool,
    interrupt: &Interrupt,
    progress: &Progress,
) -> anyhow::Result<Option<u64>> {
    let (mut after, mut n_without_record) = (0, 0);
    loop {
        if interrupt.is_set() {
            return Ok(None);
        }
        let rows = plan.sent(after, ROWS)?;
        let Some(last) = rows.last() else { return Ok(Some(n_without_record)) };
        after = last.id;
        let n_rows = u64::try_from(rows.len())?;
        let mut changed = vec![];
        for (planned, known) in look_up(source, ledger, rows).await? {
            let state = match known {
                Known::Is(state) => state,
                Known::NoRecord => {
                    n_without_record += 1;
                    if resends { State::Unsent } else { State::Sent }
                }
            };
            if state != planned.state {
                changed.push((planned.id, state));
            }
        }
        plan.keep(changed)?;
        progress.add(n_rows);
    }
}

async fn look_up(
    source: &Source,
    ledger: &Ledger,
    rows: Vec<Planned>,
) -> anyhow::Result<Vec<(Planned, Known)>> {
    let files: Vec<_> = rows.iter().map(|planned| source.file_id(&planned.version)).collect();
    let statuses = statuses(ledger, &files).await?;
    let known = rows.into_iter().zip(files).map(|(planned, file)| {
        let status = file.and_then(|file| statuses.get(&file).copied());
        async move {
            let known = match status.map(State::of) {
                // There was nothing to scan if the version was deleted before.
                Some(State::Failed) if !exists(source, &planned).await? => Known::Is(State::Removed),
                Some(state) => Known::Is(state),
                // Records are removed some time after their files have expired: the verdict was there.
                None if planned.state.is_judged() => Known::Is(planned.state),
                None if exists(source, &planned).await? => Known::NoRecord,
                None => Known::Is(State::Removed),
            };
            anyhow::Ok((planned, known))
        }
    });
    stream::iter(known).buffer_unordered(CONCURRENT).try_collect().await
}

async fn statuses(ledger: &Ledger, files: &[Option<FileId>]) -> anyhow::Result<HashMap<FileId, Status>> {
    let files: Vec<_> = files.iter().copied().flatten().collect();
    let read = files.chunks(RECORDS).map(|files| ledger.load_many(files));
    let read: Vec<_> = stream::iter(read).buffer_unordered(CONCURRENT).try_collect().await?;
    Ok(read.into_iter().flatten().map(|record| (record.file_id, record.status())).collect())
}

async fn exists(source: &Source, planned: &Planned) -> anyhow::Result<bool> {
    let version = &planned.version;
    let exists = source.objects.has_version(&version.key, &version.version_id).await;
    exists.context("the bucket cannot be listed (s3:ListBucketVersions)")
}
