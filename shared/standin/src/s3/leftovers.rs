//! Removes the bytes that a crash left without a row: of uploads whose row was never committed, and of
//! deleted objects.
//!
//! This runs beside the service, because the time that it takes grows with the number of objects.

use std::collections::HashSet;
use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rusqlite::{Transaction, params};

use super::Store;
use super::blobs::Blobs;
use crate::database::StandinError;

/// Rows for each transaction, so that requests are served in between.
const PAGE: usize = 1000;

/// A time of the file system's own clock: the change of a file's inode, which a program cannot set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileTime(i64, i64);

impl FileTime {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self(metadata.ctime(), metadata.ctime_nsec())
    }
}

impl Store {
    /// Removes the files that are older than this process and that no row names, and returns their number. A
    /// row never names a file that is older than itself, so that no upload in progress is affected.
    pub async fn remove_leftovers(self) -> Result<u64, StandinError> {
        // Each waits until what it saw is durable: a row whose removal is not may be back after a power cut.
        let mut named = self.database.transact(names_of_parts).await?;
        let mut after = 0;
        loop {
            let (page, last) = self.database.transact(move |tx| names_after(tx, after)).await?;
            named.extend(page);
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        let blobs = self.blobs.clone();
        let removed = tokio::task::spawn_blocking(move || {
            let directory = blobs.named.clone();
            remove_unnamed(&blobs, &named).map_err(|error| StandinError::Io(directory, error))
        });
        removed.await.unwrap_or(Err(StandinError::Cancelled))
    }
}

fn names_of_parts(tx: &Transaction<'_>) -> Result<HashSet<Name>, StandinError> {
    let mut statement = tx.prepare("SELECT blob FROM parts")?;
    let names = statement.query_map([], |row| Ok(Name::of(&row.get::<_, String>(0)?)))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// One page of names, and the last row on it; no row on the last page.
fn names_after(tx: &Transaction<'_>, after: i64) -> Result<(Vec<Name>, Option<i64>), StandinError> {
    let mut statement =
        tx.prepare_cached("SELECT seq, blob FROM objects WHERE seq > ? ORDER BY seq LIMIT ?")?;
    let mut rows = statement.query(params![after, PAGE])?;
    let (mut names, mut last) = (vec![], None);
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        names.extend(row.get::<_, Option<String>>(1)?.map(|name| Name::of(&name)));
    }
    Ok((names, last))
}

/// A file's name. A million take 30 MB for a few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Name(u128);

impl Name {
    /// Names are 128 random bits in hexadecimal digits. All others are equal, and no row has one.
    fn of(text: &str) -> Self {
        Self(u128::from_str_radix(text, 16).unwrap_or(0))
    }
}

/// Blocking.
fn remove_unnamed(blobs: &Blobs, named: &HashSet<Name>) -> io::Result<u64> {
    let mut n_removed = 0;
    for directory in std::fs::read_dir(&blobs.named)? {
        for file in std::fs::read_dir(directory?.path())? {
            let file = file?;
            let is_named = named.contains(&Name::of(&file.file_name().to_string_lossy()));
            if !is_named && is_older(blobs, &file)? {
                std::fs::remove_file(file.path())?;
                n_removed += 1;
            }
        }
    }
    Ok(n_removed)
}

/// False for a file that was removed meanwhile.
fn is_older(blobs: &Blobs, file: &DirEntry) -> io::Result<bool> {
    match file.metadata() {
        Ok(metadata) => Ok(FileTime::of(&metadata) < blobs.opened_at),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use s3s::checksum::ChecksumHasher;

    use super::*;
    use crate::s3::put::{Condition, NewVersion};
    use crate::s3::rows::Meta;

    async fn staged(store: &Store) -> String {
        let mut staged = store.blobs.stage(None, None, ChecksumHasher::default()).await.unwrap();
        store.blobs.keep(&mut staged).await.unwrap()
    }

    async fn put(store: &Store, key: &str) -> String {
        let blob = staged(store).await;
        store.commit(version_of(key, &blob)).await.unwrap();
        blob
    }

    fn version_of(key: &str, blob: &str) -> NewVersion {
        NewVersion {
            key: key.to_owned(),
            blob: blob.to_owned(),
            size: 0,
            etag: String::new(),
            meta: Meta::default(),
            tags: vec![],
            condition: Condition::None,
            event: "ObjectCreated:Put",
            upload: None,
        }
    }

    async fn open(directory: &Path) -> Store {
        // Longer than the resolution of the file system's clock.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Store::open(directory, "bucket").await.unwrap()
    }

    #[tokio::test]
    async fn bytes_without_a_row_are_removed_at_the_next_start_and_no_others() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        let mut kept = vec![];
        for n in 0..3 {
            kept.push(put(&store, &n.to_string()).await);
        }
        let left_over = staged(&store).await;
        assert_eq!(store.clone().remove_leftovers().await.unwrap(), 0, "its row may be committed later");
        drop(store);
        let store = open(directory.path()).await;
        kept.push(staged(&store).await);
        assert_eq!(store.clone().remove_leftovers().await.unwrap(), 1);
        let exists = |name: &String| store.blobs.path(name).try_exists().unwrap();
        assert!(!exists(&left_over));
        assert!(kept.iter().all(exists), "{kept:?}");
    }

    #[tokio::test]
    async fn bytes_whose_row_may_not_be_durable_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path()).await;
        let (named, unnamed) = (staged(&store).await, staged(&store).await);
        store.database.fail_flushes().await;
        assert!(store.commit(version_of("committed", &named)).await.is_err());
        let absent = NewVersion { condition: Condition::Absent, ..version_of("committed", &unnamed) };
        assert!(store.commit(absent).await.is_err());
        drop(store);

        let store = open(directory.path()).await;
        store.clone().remove_leftovers().await.unwrap();
        let exists = |name: &String| store.blobs.path(name).try_exists().unwrap();
        assert!(exists(&named), "its row is in the log and will be restored");
        assert!(!exists(&unnamed), "the upload was refused");
    }
}
