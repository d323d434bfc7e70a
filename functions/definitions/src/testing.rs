//! Manifests, and a publisher over the stand-ins, for this crate's tests. No engine, no freshclam and no
//! mirror.

use std::path::PathBuf;
use std::time::Duration;

use clamd::freshclam::{Databases, Freshclam, Mirror};
use clamd::{DaemonConfig, EngineLimits, EngineProgram};
use definition_set::{DatabaseName, Draft, Manifest, SetFile, SigningKey, publish};
use domain::freshness::Definitions;
use domain::id::Sha256;
use domain::timestamp::Timestamp;
use fixtures::{TestStores, engine};

use crate::Context;
use crate::update::Before;

pub(crate) const TTL: Duration = Duration::from_hours(24);

pub(crate) fn key() -> SigningKey {
    SigningKey::from_secret("a signing secret of at least 32 bytes").unwrap()
}

pub(crate) fn definitions(version: &str, built_at: Timestamp) -> Definitions {
    Definitions { built_at, ..engine(version).definitions }
}

pub(crate) fn set_file(name: &str, digest: u8) -> SetFile {
    SetFile {
        name: DatabaseName::parse(name).unwrap(),
        size_bytes: 1,
        sha256: Sha256::from_bytes([digest; 32]),
    }
}

pub(crate) fn manifest(serial: u64, version: &str, built_at: Timestamp) -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        serial,
        created_at: built_at,
        expires_at: built_at + TTL,
        engine: "ClamAV 1.4.6".to_owned(),
        definitions: definitions(version, built_at),
        files: vec![set_file("daily.cvd", 1)],
        snapshot: None,
        withdrawn: vec![],
    }
}

/// A publisher whose freshclam and engine do not exist.
pub(crate) fn publisher(test: &TestStores) -> Context {
    let work = test.directory.path().join("publisher");
    let missing = PathBuf::from("/nonexistent/program");
    let freshclam = Freshclam {
        program: missing.clone(),
        directory: work.join("databases"),
        mirror: Mirror::Official,
        databases: Databases::Official,
        certificates: None,
        proxy: vec![],
    };
    let engine = DaemonConfig {
        program: EngineProgram::Clamd(missing),
        launcher: vec![],
        run_directory: work.join("run"),
        definitions_directory: freshclam.directory.clone(),
        limits: EngineLimits { max_file_size: 1 << 20, max_scan_time: Duration::from_secs(1) },
        start_timeout: Duration::from_secs(1),
    };
    Context {
        bucket: test.definitions.clone(),
        key: key(),
        freshclam,
        engine,
        known_good: vec![],
        known_bad: vec![],
        snapshots: None,
        ttl: TTL,
    }
}

/// Publishes a set of these files, which are in the bucket already or never fetched.
pub(crate) async fn publish_set(
    context: &Context,
    version: &str,
    files: Vec<SetFile>,
    now: Timestamp,
) -> Manifest {
    let before = Before::read(context).await.unwrap();
    let draft = Draft {
        engine: "ClamAV 1.4.6".to_owned(),
        definitions: definitions(version, now),
        files,
        snapshot: None,
        withdrawn: before.manifest.as_ref().map_or(vec![], |manifest| manifest.withdrawn.clone()),
        ttl: TTL,
    };
    publish(&context.bucket, &context.key, draft, None, before.expected(), now).await.unwrap()
}
