//! The functions, as they are deployed, in a machine like Lambda's: kernels without Landlock, a read-only
//! root, a user without rights, 3,008 MB (`tests/lambda_vm/machine.py`).
//!
//! The machine is emulated, so durations say something only beside each other.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clamd::contents_digest;
use definition_set::{Manifest, describe_snapshot};
use rustix::process::Signal;

use crate::lambda::{Environment, LIMIT, next_batch, nothing_failed};
use crate::support::deployment::{BUCKET, Deployment};
use crate::support::lambda_machine::{LambdaMachine, NATIVE};
use crate::support::runtime_api::{Function, Place};
use crate::support::{eicar, is_soak};
use crate::{equality, layer};

/// Longer than the engine waits for a snapshot's next byte.
const FROZEN: Duration = Duration::from_secs(35);

/// A deployment whose scan function runs in machines of its own.
struct Stack {
    deployment: Deployment,
    machine: Arc<LambdaMachine>,
    environment: Environment,
    public_key: String,
}

impl Stack {
    async fn start(machine: LambdaMachine) -> Self {
        let (deployment, machine) = (Deployment::start().await, Arc::new(machine));
        let mut environment = Environment::of(&deployment.service).await;
        environment.place = Place::Machine(Arc::clone(&machine));
        let public_key = deployment.publisher.key.public_key().to_string();
        Self { deployment, machine, environment, public_key }
    }

    /// Publishes definitions, with a snapshot that the machine made of them.
    async fn publish(&self) -> Manifest {
        let (deployment, publisher) = (&self.deployment, &self.deployment.publisher);
        deployment.publish(6).await;
        let engine = &publisher.engine;
        let (path, build) = self.machine.snapshot(&engine.definitions_directory, engine.limits);
        let described = describe_snapshot(&path, contents_digest(&path).unwrap(), build).unwrap();
        deployment.bucket.put_file(described.sha256, &path).await.unwrap();
        let mut manifest = deployment.manifest().await;
        manifest.serial += 1;
        manifest.snapshot = Some(described);
        let sealed = publisher.key.seal(&serde_json::to_vec(&manifest).unwrap());
        deployment.write("current.json", sealed).await;
        manifest
    }

    /// Starts the scan function, and prints how long that and the first two verdicts took.
    async fn cold_start(&self, name: &str, engine: &str) -> Function {
        let variables = [
            ("ENGINE", engine),
            ("AIRLOCK_DEFINITIONS_BUCKET", BUCKET),
            ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", self.public_key.as_str()),
        ];
        let mut scan = self.environment.start("scan", &variables).await;
        let began = Instant::now();
        self.judges(&mut scan).await;
        println!("{name}: {:.1?} with the machine's own start, verdicts {:.1?}", scan.init, began.elapsed());
        scan
    }

    /// Has a file with the test signature and one without judged.
    async fn judges(&self, scan: &mut Function) {
        let service = &self.deployment.service;
        let bad = service.upload("a.txt", &eicar()).await;
        let good = service.upload("b.txt", b"nothing to see").await;
        assert_eq!(scan.invoke(next_batch(service).await, LIMIT).await, nothing_failed());
        let judged = service.ends_as(&bad, "infected").await;
        assert_eq!(judged["scan_result"]["definitions"]["version"], "6", "{judged}");
        service.ends_as(&good, "clean").await;
    }

    async fn object(&self, key: &str) -> Vec<u8> {
        let got = self.deployment.raw.get_object().bucket(BUCKET).key(key).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }
}

async fn the_functions_work(arch: &'static str, kernel: &str) {
    println!("{arch}, Linux {kernel}");
    let stack = Stack::start(LambdaMachine::build(arch, kernel)).await;
    let manifest = stack.publish().await;
    let snapshot = format!("files/{}", manifest.snapshot.unwrap().sha256);
    let definitions = format!("files/{}", manifest.files[0].sha256);

    // Without the definitions, nothing but the snapshot can have worked.
    let kept = stack.object(&definitions).await;
    stack.deployment.raw.delete_object().bucket(BUCKET).key(&definitions).send().await.unwrap();
    let mut scan = stack.cold_start("from the snapshot", "snapshot").await;
    stack.deployment.write(&definitions, kept).await;
    // Lambda freezes an environment between two invocations.
    scan.signal(Signal::STOP);
    tokio::time::sleep(if is_soak() { FROZEN } else { Duration::from_secs(3) }).await;
    scan.signal(Signal::CONT);
    let began = Instant::now();
    stack.judges(&mut scan).await;
    println!("warm, after a freeze: verdicts {:.1?}", began.elapsed());
    drop(scan);

    let mut damaged = stack.object(&snapshot).await;
    damaged[100] ^= 1;
    stack.deployment.write(&snapshot, damaged).await;
    drop(stack.cold_start("from the definitions, because the snapshot is damaged", "snapshot").await);
    drop(stack.cold_start("with clamd", "clamd").await);
}

/// clamd, the snapshot engine with loaded definitions and the restored one reply the same to files of every
/// kind.
async fn the_engines_reply_the_same(arch: &'static str, kernel: &str) {
    /// An emulated engine takes seconds for a large program.
    const LARGEST_BYTES: u64 = 300_000;
    const N_FILES: usize = 400;
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let (definitions, chosen) = (directory.path().join("definitions"), directory.path().join("chosen"));
    std::fs::create_dir(&chosen).unwrap();
    equality::write_definitions(&definitions);
    let corpus = directory.path().join("corpus");
    let files = tokio::task::spawn_blocking(move || equality::files(&corpus)).await.unwrap();
    let small: Vec<_> = files.iter().filter(|path| path.metadata().unwrap().len() <= LARGEST_BYTES).collect();
    for (n, path) in small.iter().step_by((small.len() / N_FILES).max(1)).enumerate() {
        std::fs::copy(path, chosen.join(n.to_string())).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("lambda_vm/run");
    let mut run = tokio::process::Command::new(script);
    run.args([arch, kernel]).arg(layer::built(arch)).arg("--files").arg(&chosen);
    let ran = run.arg("--definitions").arg(&definitions).output().await.unwrap();
    println!("{}", String::from_utf8_lossy(&ran.stdout));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engines_reply_the_same_on_both_architectures() {
    if is_soak() {
        the_engines_reply_the_same(NATIVE, "5.10").await;
        the_engines_reply_the_same("arm64", "6.1").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_work_on_linux_5_10() {
    the_functions_work(NATIVE, "5.10").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_work_on_linux_6_1() {
    if is_soak() {
        the_functions_work(NATIVE, "6.1").await;
    }
}

/// `make arm64` builds what this needs.
#[tokio::test(flavor = "multi_thread")]
async fn the_functions_work_on_arm64() {
    if is_soak() {
        the_functions_work("arm64", "6.1").await;
    }
}
