//! Stores published virus definitions: files named by their digests, signed manifests, and a pointer to the
//! current manifest.

use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use bytes::Bytes;
use domain::id::Sha256;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::error::{StoreError, StoreErrorKind};
use crate::sdk::Sdk;

/// The bucket in which definitions are published. Readers trust only what a signature or digest covers.
#[derive(Clone, Debug)]
pub struct DefinitionBucket {
    client: Client,
    bucket: String,
}

/// The pointer's content, and the entity tag on which replacing it is conditional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer {
    pub bytes: Vec<u8>,
    pub etag: String,
}

const CURRENT: &str = "current.json";
/// A manifest lists only a few files, so a larger object is corrupt.
const MAX_SMALL_OBJECT_BYTES: i64 = 256 * 1024;
/// The size of one request: large enough to outweigh its overhead, small enough for several to run
/// concurrently.
const PART_BYTES: u64 = 8 * 1024 * 1024;
const MAX_CONCURRENT_PARTS: usize = 8;
/// The part size of a file that is read while it downloads: small, so that its beginning arrives early.
const STREAM_PART_BYTES: u64 = 2 * 1024 * 1024;
const MAX_CONCURRENT_STREAM_PARTS: usize = 16;
const MAX_ATTEMPTS: usize = 4;

impl DefinitionBucket {
    pub fn new(sdk: &Sdk, bucket: String) -> Self {
        Self { client: Client::from_conf(sdk.s3.clone()), bucket }
    }

    /// Returns the pointer; `None` if nothing has been published.
    pub async fn current(&self) -> Result<Option<Pointer>, StoreError> {
        self.small_object(CURRENT).await
    }

    /// Replaces the pointer if it is still `was`, or creates it if `was` is `None`; fails with
    /// [`StoreErrorKind::PreconditionFailed`] otherwise.
    pub async fn replace_current(&self, bytes: Vec<u8>, was: Option<&Pointer>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(CURRENT).body(ByteStream::from(bytes));
        let put = match was {
            Some(pointer) => put.if_match(&pointer.etag),
            None => put.if_none_match("*"),
        };
        put.send().await.map(drop).map_err(|error| StoreError::of_sdk("publish definitions", error))
    }

    /// Returns an earlier manifest by its serial number; `None` if it does not exist.
    pub async fn manifest(&self, serial: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.small_object(&manifest_key(serial)).await?.map(|pointer| pointer.bytes))
    }

    /// Stores a manifest under its serial number. Fails with [`StoreErrorKind::PreconditionFailed`] if one
    /// exists.
    pub async fn keep_manifest(&self, serial: u64, bytes: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key(manifest_key(serial)).if_none_match("*");
        let kept = put.body(ByteStream::from(bytes)).send().await;
        kept.map(drop).map_err(|error| StoreError::of_sdk("store a manifest", error))
    }

    /// Returns freshclam's own state: its id, and the time before which it must not ask again.
    pub async fn updater_state(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.small_object("freshclam.dat").await?.map(|pointer| pointer.bytes))
    }

    pub async fn keep_updater_state(&self, bytes: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key("freshclam.dat");
        let kept = put.body(ByteStream::from(bytes)).send().await;
        kept.map(drop).map_err(|error| StoreError::of_sdk("store freshclam's state", error))
    }

    /// Returns the description of definitions that an operator uploaded; `None` if there is none.
    pub async fn seed(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.small_object("seed.json").await?.map(|pointer| pointer.bytes))
    }

    pub async fn keep_seed(&self, bytes: Vec<u8>) -> Result<(), StoreError> {
        let put = self.client.put_object().bucket(&self.bucket).key("seed.json");
        let kept = put.body(ByteStream::from(bytes)).send().await;
        kept.map(drop).map_err(|error| StoreError::of_sdk("store the uploaded definitions", error))
    }

    /// Stores a file under its digest, which S3 checks. Idempotent: a file that exists is not sent again.
    pub async fn put_file(&self, sha256: Sha256, path: &Path) -> Result<(), StoreError> {
        let key = file_key(sha256);
        let head = self.client.head_object().bucket(&self.bucket).key(&key).send().await;
        match head.map_err(|error| StoreError::of_sdk("check for definitions", error)) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind == StoreErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let body = ByteStream::from_path(path).await;
        let body =
            body.map_err(|error| StoreError::caused("store definitions", StoreErrorKind::Unexpected, error))?;
        let put = self.client.put_object().bucket(&self.bucket).key(key).checksum_sha256(sha256.to_base64());
        put.body(body).send().await.map(drop).map_err(|error| StoreError::of_sdk("store definitions", error))
    }

    /// Downloads a file of `size_bytes` to the new file `path`, several parts concurrently. The caller must
    /// check the digest.
    pub async fn fetch_file(&self, sha256: Sha256, size_bytes: u64, path: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::caused("download definitions", StoreErrorKind::Unexpected, error)
        };
        let file = std::fs::File::create_new(path).map_err(failed)?;
        file.set_len(size_bytes).map_err(failed)?;
        let (file, key) = (&file, &file_key(sha256));
        let parts = parts_of(size_bytes, PART_BYTES).map(|part| async move {
            let bytes = self.part_with_retries(key, part.clone()).await?;
            file.write_all_at(&bytes, part.start).map_err(failed)
        });
        futures_util::stream::iter(parts).buffer_unordered(MAX_CONCURRENT_PARTS).try_collect().await
    }

    /// Downloads a file of `size_bytes` to the end of `file`, in order, so that a reader can follow it;
    /// several parts are fetched concurrently. The reader must check the digest. After an error, `file` holds
    /// the beginning.
    pub async fn stream_file(
        &self,
        sha256: Sha256,
        size_bytes: u64,
        mut file: std::fs::File,
    ) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::caused("download definitions", StoreErrorKind::Unexpected, error)
        };
        let key = &file_key(sha256);
        let parts = parts_of(size_bytes, STREAM_PART_BYTES).map(|part| self.part_with_retries(key, part));
        let mut parts = futures_util::stream::iter(parts).buffered(MAX_CONCURRENT_STREAM_PARTS);
        while let Some(bytes) = parts.try_next().await? {
            file.write_all(&bytes).map_err(failed)?;
        }
        Ok(())
    }

    /// Fetches a part, and retries if it is unavailable: Lambda freezes the process between two invocations,
    /// for minutes, and connections end meanwhile.
    async fn part_with_retries(&self, key: &str, part: Range<u64>) -> Result<Bytes, StoreError> {
        let mut n_attempts = 1;
        loop {
            match self.part(key, part.clone()).await {
                Err(error) if error.kind == StoreErrorKind::Unavailable && n_attempts < MAX_ATTEMPTS => {
                    n_attempts += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Removes every version and delete marker, so that the bucket can be deleted. Idempotent. Definitions
    /// that are published concurrently may stay.
    pub async fn empty(&self) -> Result<(), StoreError> {
        const DOING: &str = "empty the definitions bucket";
        loop {
            let page = self.client.list_object_versions().bucket(&self.bucket).send().await;
            let page = page.map_err(|error| StoreError::of_sdk(DOING, error))?;
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let identify = |(key, version_id): (Option<&str>, Option<&str>)| {
                let named = ObjectIdentifier::builder().key(key.unwrap_or_default());
                named.set_version_id(version_id.map(ToOwned::to_owned)).build()
            };
            let listed = versions.chain(markers).map(identify).collect::<Result<Vec<_>, _>>();
            let listed =
                listed.map_err(|error| StoreError::caused(DOING, StoreErrorKind::Unexpected, error))?;
            if listed.is_empty() {
                return Ok(());
            }
            let delete = Delete::builder().set_objects(Some(listed)).quiet(true).build();
            let delete =
                delete.map_err(|error| StoreError::caused(DOING, StoreErrorKind::Unexpected, error))?;
            let removed = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
            let removed = removed.map_err(|error| StoreError::of_sdk(DOING, error))?;
            if let Some(error) = removed.errors().first() {
                let code = error.code().unwrap_or_default().to_owned();
                return Err(StoreError::caused(DOING, StoreErrorKind::Unavailable, code));
            }
        }
    }

    async fn part(&self, key: &str, part: Range<u64>) -> Result<Bytes, StoreError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        let got = request.range(format!("bytes={}-{}", part.start, part.end - 1)).send().await;
        let got = got.map_err(|error| StoreError::of_sdk("download definitions", error))?;
        let bytes = got.body.collect().await;
        let bytes = bytes.map_err(|error| {
            StoreError::caused("download definitions", StoreErrorKind::Unavailable, error)
        })?;
        let bytes = bytes.into_bytes();
        // A store that ignores the range would return the whole file for every part.
        if bytes.len() as u64 != part.end - part.start {
            return Err(StoreError::new("download definitions", StoreErrorKind::Corrupt));
        }
        Ok(bytes)
    }

    async fn small_object(&self, key: &str) -> Result<Option<Pointer>, StoreError> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let got = match got.map_err(|error| StoreError::of_sdk("read the definitions' metadata", error)) {
            Ok(got) => got,
            Err(error) if error.kind == StoreErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if got.content_length.unwrap_or(i64::MAX) > MAX_SMALL_OBJECT_BYTES {
            return Err(StoreError::new("read the definitions' metadata", StoreErrorKind::Corrupt));
        }
        let etag = got.e_tag.unwrap_or_default();
        let bytes = got.body.collect().await;
        let bytes = bytes.map_err(|error| {
            StoreError::caused("read the definitions' metadata", StoreErrorKind::Unavailable, error)
        })?;
        Ok(Some(Pointer { bytes: bytes.to_vec(), etag }))
    }
}

/// Splits a size into ranges of `part_bytes`, of which the last may be shorter.
fn parts_of(size_bytes: u64, part_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let starts = (0..size_bytes).step_by(usize::try_from(part_bytes).unwrap_or(usize::MAX));
    starts.map(move |start| start..(start + part_bytes).min(size_bytes))
}

fn file_key(sha256: Sha256) -> String {
    format!("files/{sha256}")
}

fn manifest_key(serial: u64) -> String {
    format!("manifests/{serial:020}.json")
}
