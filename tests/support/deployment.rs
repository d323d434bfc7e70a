//! A publisher of definitions and its scanners, with the stores between them: everything real except the
//! mirror, which is on loopback.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::definitions::{Command, UpdateEvent, UpdateReport};
use aws::DefinitionBucket;
use clamd::freshclam::{Databases, Freshclam, Mirror as MirrorKind};
use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Transport};
use definition_set::{Manifest, SigningKey};
use domain::freshness::FreshnessPolicy;
use inspector::Inspector;
use scan::{PublishedDefinitions, RefreshError, SpoolDirectory};
use standin::pump;
use tempfile::TempDir;

use super::mirror::{Mirror, Mood};
use super::{AIRLOCK_ENGINE, SCAN_TIMEOUT, Service, process, wait};

/// A publisher, a scanner, and the stores between them. The service's own scanner gets no messages.
pub(crate) struct Deployment {
    pub(crate) service: Service,
    pub(crate) mirror: Mirror,
    pub(crate) publisher: ::definitions::PublisherContext,
    pub(crate) bucket: DefinitionBucket,
    pub(crate) raw: aws_sdk_s3::Client,
    pub(crate) directory: TempDir,
}

pub(crate) const BUCKET: &str = "airlock";
const SECRET: &str = "a signing secret of at least 32 bytes";
/// ClamAV's test database dates from 2021 and counts as current here.
pub(crate) const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);

impl Deployment {
    pub(crate) async fn start() -> Self {
        let service = Service::start_with(&[], |settings| settings.tuning.delivery.n_workers = 0).await;
        let mirror = Mirror::start().await;
        let sdk = service.sdk().await;
        let bucket = DefinitionBucket::new(&sdk, BUCKET.to_owned());
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        let key = SigningKey::from_secret(SECRET).unwrap();
        let publisher = publisher(bucket.clone(), key, &mirror, &directory.path().join("p"));
        let raw = service.raw_s3();
        Self { service, mirror, publisher, bucket, raw, directory }
    }

    /// Publishes a snapshot with each set from now on.
    pub(crate) fn publish_snapshots(&mut self) {
        add_snapshots(&mut self.publisher);
    }

    pub(crate) async fn update(&self) -> anyhow::Result<UpdateReport> {
        ::definitions::handle(&self.publisher, UpdateEvent::Command(Command::Update)).await
    }

    /// Publishes a version, which must succeed.
    pub(crate) async fn publish(&self, version: u32) -> u64 {
        self.mirror.set(version, Mood::Good);
        match self.update().await.unwrap() {
            UpdateReport::Published { serial, version: published } => {
                assert_eq!(published, version.to_string());
                serial
            }
            other => panic!("{other:?}"),
        }
    }

    /// Publishes the databases that were uploaded from a workstation, which must succeed.
    pub(crate) async fn publish_seed(&self, expected: &str) {
        let report = self.update().await.unwrap();
        assert!(
            matches!(&report, UpdateReport::Published { version, .. } if version == expected),
            "{report:?}"
        );
    }

    pub(crate) async fn pointer(&self) -> Vec<u8> {
        self.bucket.current().await.unwrap().unwrap().bytes
    }

    pub(crate) async fn manifest(&self) -> Manifest {
        let key = self.publisher.key.public_key();
        definition_set::open(&self.pointer().await, &key, 0, domain::timestamp::Timestamp::from_millis(0))
            .unwrap()
    }

    pub(crate) async fn write(&self, key: &str, bytes: Vec<u8>) {
        self.raw.put_object().bucket(BUCKET).key(key).body(bytes.into()).send().await.unwrap();
    }

    /// A scanner of its own, as a Lambda's execution environment has.
    pub(crate) fn scanner(&self, name: &str) -> Scanner {
        self.scanner_with(name, EngineProgram::Clamd("clamd".into()))
    }

    /// A scanner with the snapshot engine.
    pub(crate) fn snapshot_scanner(&self, name: &str) -> Scanner {
        self.scanner_with(name, EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into()))
    }

    fn scanner_with(&self, name: &str, program: EngineProgram) -> Scanner {
        let (run, root) = (self.directory.path().join(name), self.directory.path().join(name).join("sets"));
        std::fs::create_dir_all(&root).unwrap();
        let ledger = self.service.local.stores().ledger.clone();
        let key = self.publisher.key.public_key();
        let published = PublishedDefinitions::new(self.bucket.clone(), key, ledger, root.clone());
        let config = DaemonConfig { program, ..daemon(&run, PublishedDefinitions::link(&root)) };
        let engine = Engine::new(config, Transport::Stream);
        Scanner { published, engine: Arc::new(engine), run, root, now: aws::clock::now() }
    }

    /// Runs the scan function on the queue's messages until the returned task is aborted.
    pub(crate) async fn scan_with(
        &self,
        scanner: Scanner,
        freshness: FreshnessPolicy,
    ) -> tokio::task::JoinHandle<()> {
        let limits = limits();
        let context = Arc::new(scan::ScanContext {
            stores: self.service.local.stores().clone(),
            gate: scan::gate_for(&scanner.engine, limits, &scanner.run).await.unwrap(),
            inspector: Arc::new(Inspector::start(process::gate_worker(), scanner.run.clone()).await.unwrap()),
            engine: scanner.engine,
            spool: SpoolDirectory(scanner.run),
            machine: domain::machine::MachinePolicy::default(),
            incoming: scan::IncomingTerms { retention: Duration::from_hours(1), is_metered: false },
            freshness,
            definitions: Some(scanner.published),
            reuses_verdicts: false,
            scan_timeout: SCAN_TIMEOUT,
            is_measured: false,
            retry: scan::RetryPolicy { first: Duration::ZERO, ..scan::RetryPolicy::SCAN },
        });
        let (queue, delivery) = (self.service.local.queue().clone(), local::Tuning::default().delivery);
        tokio::spawn(pump::run(queue, delivery, move |event| {
            let context = Arc::clone(&context);
            async move {
                let response = scan::handle(&context, event, SCAN_TIMEOUT * 2).await;
                Ok::<_, std::convert::Infallible>(response)
            }
        }))
    }
}

/// A publisher whose only database is the mirror's test database.
pub(crate) fn publisher(
    bucket: DefinitionBucket,
    key: SigningKey,
    mirror: &Mirror,
    scratch: &Path,
) -> ::definitions::PublisherContext {
    let databases = scratch.join("databases");
    ::definitions::PublisherContext {
        bucket,
        key,
        engine: daemon(&scratch.join("run"), databases.clone()),
        freshclam: Freshclam {
            program: "freshclam".into(),
            directory: databases,
            mirror: MirrorKind::Private(mirror.url.clone()),
            databases: Databases::Only(vec!["test".to_owned()]),
            certificates: None,
            proxy: vec![],
        },
        known_good: vec!["/bin/true".into()],
        known_bad: vec![],
        snapshots: None,
        ttl: Duration::from_hours(24),
    }
}

/// Makes it publish a snapshot with each set, after comparing the engines on some of ClamAV's test files.
pub(crate) fn add_snapshots(publisher: &mut ::definitions::PublisherContext) {
    let program = EngineProgram::AirlockEngine(AIRLOCK_ENGINE.into());
    publisher.snapshots = Some(DaemonConfig { program, ..publisher.engine.clone() });
    let known_bad = ["clam.exe", "clam.zip", "clam.pdf"];
    publisher.known_bad = known_bad.map(|name| Path::new("/usr/share/clamav-testfiles").join(name)).to_vec();
}

pub(crate) struct Scanner {
    pub(crate) published: PublishedDefinitions,
    pub(crate) engine: Arc<Engine>,
    run: PathBuf,
    pub(crate) root: PathBuf,
    now: domain::timestamp::Timestamp,
}

impl Scanner {
    /// Checks for a new set, as after ten minutes, and returns the version that the engine then has.
    pub(crate) async fn looks(&mut self) -> Result<String, RefreshError> {
        self.now = self.now + Duration::from_mins(11);
        self.published.refresh(&self.engine, self.now).await?;
        Ok(self.version().await)
    }

    /// Waits for the definitions themselves, which arrive after a snapshot.
    pub(crate) async fn has_definitions(&self) {
        let link = PublishedDefinitions::link(&self.root);
        wait::until_found("the definitions", async || clamd::definitions::read(&link)).await;
    }

    /// The entries of the scanner's directory, sorted: sets by their version, `current`, snapshots.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = entries
            .map(|path| match clamd::definitions::read(&path) {
                Ok(definitions) if !path.is_symlink() => definitions.version,
                _ => path.extension().or(path.file_name()).unwrap().to_string_lossy().into_owned(),
            })
            .collect();
        names.sort();
        names
    }

    pub(crate) async fn version(&self) -> String {
        self.engine.check().await.unwrap().definitions.version
    }
}

fn limits() -> EngineLimits {
    EngineLimits { max_file_size: 100 << 20, max_scan_time: SCAN_TIMEOUT }
}

fn daemon(run_directory: &Path, definitions_directory: PathBuf) -> DaemonConfig {
    std::fs::create_dir_all(run_directory).unwrap();
    DaemonConfig {
        program: EngineProgram::Clamd("clamd".into()),
        launcher: clamd::bound_launcher(),
        run_directory: run_directory.to_owned(),
        definitions_directory,
        limits: limits(),
        start_timeout: SCAN_TIMEOUT,
    }
}
