//! Runs the S3 stand-in with the packed snapshot in it, as in the definitions' bucket of a deployment.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use aws::{DefinitionBucket, Endpoints, Sdk, StaticKeys};
use domain::id::Sha256;
use local::Local;
use sha2::Digest as _;

use crate::pipeline::settings;

/// The stand-in with the stored snapshot.
pub(crate) struct Storage {
    bucket: DefinitionBucket,
    sha256: Sha256,
    size_bytes: u64,
    contents: Sha256,
    _local: Local,
}

impl Storage {
    pub(crate) async fn with(snapshot: &Path, data_dir: PathBuf) -> anyhow::Result<Self> {
        let local =
            Local::start(settings(&data_dir)?, &settings::Environment::from_pairs(&[("ENGINE", "clamd")]))
                .await?;
        let secrets: serde_json::Value =
            serde_json::from_slice(&std::fs::read(data_dir.join("secrets.json"))?)?;
        let secret = |name: &str| secrets[name].as_str().map(ToOwned::to_owned).context("no key");
        let keys = StaticKeys {
            access_key_id: secret("access_key_id")?,
            secret_access_key: secret("secret_access_key")?,
        };
        let endpoints = Endpoints { s3: Some(local.report().s3_url.clone()), s3_public: None };
        let bucket =
            DefinitionBucket::new(&Sdk::at(&endpoints, &keys, "us-east-1").await, "airlock".to_owned());
        let bytes = std::fs::read(snapshot)?;
        let sha256 = Sha256::from_bytes(sha2::Sha256::digest(&bytes).into());
        bucket.put_file(sha256, snapshot).await?;
        let (size_bytes, contents) = (bytes.len() as u64, clamd::contents_digest(snapshot)?);
        Ok(Self { bucket, sha256, size_bytes, contents, _local: local })
    }

    /// Starts to fetch the snapshot to `path`. Returns the download and the engine's arguments for it.
    pub(crate) fn fetch(&self, path: &Path) -> anyhow::Result<(tokio::task::JoinHandle<()>, [String; 2])> {
        let file = std::fs::File::create(path)?;
        let (bucket, sha256, size_bytes) = (self.bucket.clone(), self.sha256, self.size_bytes);
        let coming = tokio::spawn(async move {
            // A failed download shows as a timeout of the engine.
            let _ = bucket.stream_file(sha256, size_bytes, file).await;
        });
        Ok((coming, [format!("--size={size_bytes}"), format!("--contents={}", self.contents)]))
    }
}
