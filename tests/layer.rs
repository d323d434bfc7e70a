//! The ClamAV layer works in an empty root, with only `/opt`, `/tmp` and `/dev`, on both architectures.
//!
//! What is for another architecture than this machine's runs under qemu's user emulation.

pub(crate) mod encodings;
mod verdicts;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Snapshot, Snapshots, Transport};
use domain::verdict::EngineReply;

use crate::support::eicar;
use crate::support::mirror::{Mirror, Mood};
use crate::support::runtime_api::bootstrap;

/// For a start and for a scan, also under an emulator on a busy machine: nothing here may depend on it.
const TIMEOUT: Duration = Duration::from_hours(1);

/// Where the layer has libraries, which the scan function's worker runs with.
const LIBRARIES: &str = "/opt/lib/clamav";
/// Lambda's limit for a direct upload; a larger zip must be uploaded to a bucket first.
const LARGEST_ZIPPED_BYTES: u64 = 50_000_000;

/// Builds the layer unless it exists, and returns its directory.
pub(crate) fn built(arch: &str) -> PathBuf {
    /// What the recipe says when a locked version has left Debian's archive.
    const SUPERSEDED: i32 = 3;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let directory = root.join("target/layer").join(arch);
    let recipe = |arguments: &[&std::ffi::OsStr]| {
        Command::new(root.join("clamav-layer/build.py")).args(arguments).status().unwrap()
    };
    let command = ["build".as_ref(), arch.as_ref(), directory.as_os_str()];
    let mut built = recipe(&command);
    if built.code() == Some(SUPERSEDED) {
        // New security updates in Debian are no fault of the code: the recipe must work with them too.
        println!("packages.lock is out of date: run `make layer-update`");
        let newest = root.join("target/layer").join(format!("{arch}.packages"));
        let lock_file = ["--lock-file".as_ref(), newest.as_os_str()];
        if !newest.try_exists().unwrap() {
            assert!(recipe(&[&lock_file[..], &["lock".as_ref(), arch.as_ref()]].concat()).success());
        }
        built = recipe(&[&lock_file[..], &command].concat());
    }
    assert!(built.success(), "the layer for {arch} could not be built");
    directory
}

/// A root directory with nothing in it but the layer and `/tmp`.
struct EmptyRoot {
    directory: tempfile::TempDir,
    emulator: Option<&'static str>,
}

impl EmptyRoot {
    fn with_layer(arch: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["tmp/run", "dev"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        let copied = Command::new("cp").arg("-a").arg(built(arch)).arg(root.join("opt")).status();
        assert!(copied.unwrap().success());
        // A path outside is the same path inside: what follows the root's own path leads back to the root.
        let inside = root.join(root.strip_prefix("/").unwrap());
        std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/", inside).unwrap();
        let emulator = match arch {
            "arm64" if cfg!(not(target_arch = "aarch64")) => Some("/qemu-aarch64-static"),
            "x86_64" if cfg!(not(target_arch = "x86_64")) => Some("/qemu-x86_64-static"),
            _ => None,
        };
        if let Some(emulator) = emulator {
            let program = format!("/usr/bin{emulator}");
            let copied = std::fs::copy(program, root.join(&emulator[1..]));
            assert!(copied.is_ok(), "`make test` installs qemu-user-static");
        }
        Self { directory, emulator }
    }

    /// The words that run a program inside.
    fn launcher(&self) -> Vec<String> {
        let mut words = vec!["chroot".to_owned(), self.directory.path().display().to_string()];
        if !rustix::process::geteuid().is_root() {
            words.splice(0..0, ["unshare", "--map-root-user"].map(ToOwned::to_owned));
        }
        words.extend(self.emulator.map(ToOwned::to_owned));
        words
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn output_of(&self, words: &[&str]) -> String {
        let launcher = self.launcher();
        let mut command = Command::new(&launcher[0]);
        command.args(&launcher[1..]).args(words).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

async fn the_engine_runs(arch: &str) {
    let root = EmptyRoot::with_layer(arch);
    let definitions_directory = root.path("tmp/definitions");
    clamd::definitions::write_test_set(&definitions_directory).unwrap();
    std::fs::write(definitions_directory.join("html.ndb"), encodings::signature()).unwrap();
    let limits = EngineLimits { max_file_size: 10_000_000, max_scan_time: TIMEOUT };
    let config = DaemonConfig {
        program: EngineProgram::Clamd("/opt/bin/clamd".into()),
        launcher: root.launcher(),
        run_directory: root.path("tmp/run"),
        definitions_directory,
        limits,
        start_timeout: TIMEOUT,
    };
    the_snapshot_engine_runs(&root, &config).await;
    let engine = Engine::new(config, Transport::Stream);
    let gate = scan::gate_for(&engine, limits, &root.path("tmp")).await.unwrap();
    assert_eq!(gate.capabilities.missing(), [], "{arch}: the engine opens less than the distribution's");
    let mut bad = vec![eicar()];
    for entry in std::fs::read_dir("/usr/share/clamav-testfiles").unwrap() {
        bad.push(std::fs::read(entry.unwrap().path()).unwrap());
    }
    assert_eq!(bad.len(), 45);
    for bytes in bad {
        let replies = replies(&engine, &bytes).await;
        assert!(replies.iter().any(EngineReply::names_malware), "{arch}: {replies:?}");
    }
    assert_eq!(replies(&engine, b"nothing bad").await, [EngineReply::Ok]);
    every_encoding_is_read(&engine).await;
    engine.stop().await;
    definitions_are_updated(&root).await;
}

/// The snapshot engine makes a snapshot and starts with it. Under an emulator it starts from definitions.
/// Without the engine in the layer, `build.py` reported the reason.
async fn the_snapshot_engine_runs(root: &EmptyRoot, config: &DaemonConfig) {
    if !root.path("opt/bin/airlock-engine").try_exists().unwrap() {
        assert!(root.emulator.is_some(), "this machine builds for itself");
        return;
    }
    let Some(_mounted) = Proc::mounted(root) else { return };
    let config = DaemonConfig {
        program: EngineProgram::AirlockEngine("/opt/bin/airlock-engine".into()),
        ..config.clone()
    };
    let snapshot = root.path("tmp/snapshot");
    let snapshots = Snapshots::new(&config, vec![]);
    let engine = Engine::new(config, Transport::Stream);
    // qemu gives every process the same addresses, with which no snapshot can be made.
    if root.emulator.is_none() {
        assert!(snapshots.ensure(&snapshot).await.unwrap());
        assert!(!snapshots.ensure(&snapshot).await.unwrap());
        engine.begin_with(Some(Snapshot::Kept(snapshot)));
    }
    assert!(replies(&engine, &eicar()).await.iter().any(EngineReply::names_malware));
    assert_eq!(replies(&engine, b"nothing bad").await, [EngineReply::Ok]);
    every_encoding_is_read(&engine).await;
    engine.stop().await;
}

/// As on a machine that has all of libc.
async fn every_encoding_is_read(engine: &Engine) {
    for (name, page) in encodings::pages() {
        let replies = replies(engine, &page).await;
        assert!(replies.iter().any(EngineReply::names_malware), "{name}: {replies:?}");
    }
}

/// `/proc` in an empty root, which every machine has, until it is dropped.
struct Proc(PathBuf);

impl Proc {
    fn mounted(root: &EmptyRoot) -> Option<Self> {
        let path = root.path("proc");
        std::fs::create_dir_all(&path).unwrap();
        if !rustix::process::geteuid().is_root() {
            println!("not run: it takes root to mount /proc");
            return None;
        }
        let mounted = Command::new("mount").args(["-t", "proc", "proc"]).arg(&path).status();
        assert!(mounted.unwrap().success());
        Some(Self(path))
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// freshclam fetches a database from a mirror, and patches it.
async fn definitions_are_updated(root: &EmptyRoot) {
    let mirror = Mirror::start().await;
    // On Lambda it does not run as root. Here it does, and looks up whom to become.
    std::fs::create_dir(root.path("etc")).unwrap();
    std::fs::write(root.path("etc/passwd"), "root:x:0:0::/:/bin/false\n").unwrap();
    std::fs::create_dir(root.path("tmp/fresh")).unwrap();
    let others = ["main", "daily", "bytecode"].map(|name| format!("ExcludeDatabase {name}\n")).concat();
    let conf = format!(
        "DatabaseDirectory /tmp/fresh\nDatabaseOwner root\nDatabaseMirror {}\nExtraDatabase test\n\
         TestDatabases no\n{others}",
        mirror.url
    );
    std::fs::write(root.path("tmp/freshclam.conf"), conf).unwrap();
    for (version, file, asked) in [(3, "test.cvd", 2), (6, "test.cld", 4)] {
        mirror.set(version, Mood::Good);
        root.output_of(&["/opt/bin/freshclam", "--config-file=/tmp/freshclam.conf", "--no-dns", "--stdout"]);
        let header = std::fs::read(root.path("tmp/fresh").join(file)).unwrap()[..100].to_vec();
        let header = String::from_utf8(header).unwrap();
        assert_eq!(header.split(':').nth(2), Some(version.to_string().as_str()), "{header}");
        assert_eq!(mirror.asked().len(), asked, "the header, and the whole or its patches");
    }
}

/// The gate's worker, run as the scan function runs it.
fn the_worker_loads_its_openers(arch: &str) {
    let root = EmptyRoot::with_layer(arch);
    let name = if arch == "arm64" { "ld-linux-aarch64.so.1" } else { "ld-linux-x86-64.so.2" };
    let loader = format!("{LIBRARIES}/{name}");
    let through_it = [loader.as_str(), "--library-path", LIBRARIES];
    let load = |words: &[&str]| root.output_of(&[&through_it[..], words].concat());
    for library in ["7z.so", "libarchive.so.13"] {
        // Fails if one that it needs is missing.
        load(&["--list", &format!("{LIBRARIES}/{library}")]);
    }
    // Functions are built for this machine's architecture.
    if root.emulator.is_none() {
        std::fs::copy(bootstrap("scan"), root.path("tmp/scan")).unwrap();
        let openers = load(&["/tmp/scan", "gate-worker", "openers"]);
        let names: Vec<_> = openers.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(names, ["7-Zip", "libarchive"], "{openers}");
    }
}

async fn replies(engine: &Engine, bytes: &[u8]) -> Vec<EngineReply> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let size_bytes = u64::try_from(bytes.len()).unwrap();
    engine.scan(&file, size_bytes, vec![], TIMEOUT).await.unwrap().replies
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_runs_in_an_empty_root_on_x86_64() {
    the_engine_runs("x86_64").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_runs_in_an_empty_root_on_arm64() {
    the_engine_runs("arm64").await;
}

/// A layer whose libc cannot convert text would call malware clean.
#[tokio::test(flavor = "multi_thread")]
async fn the_snapshot_engine_does_not_start_without_conversions() {
    let root = EmptyRoot::with_layer("x86_64");
    if root.emulator.is_some() {
        return;
    }
    std::fs::remove_dir_all(root.path("opt/lib/clamav/gconv")).unwrap();
    let definitions_directory = root.path("tmp/definitions");
    clamd::definitions::write_test_set(&definitions_directory).unwrap();
    let engine = Engine::new(
        DaemonConfig {
            program: EngineProgram::AirlockEngine("/opt/bin/airlock-engine".into()),
            launcher: root.launcher(),
            run_directory: root.path("tmp/run"),
            definitions_directory,
            limits: EngineLimits { max_file_size: 10_000_000, max_scan_time: TIMEOUT },
            start_timeout: TIMEOUT,
        },
        Transport::Stream,
    );
    let refused = engine.ensure_running().await;
    assert!(matches!(refused, Err(clamd::StartError::Ended(_))), "{refused:?}");
}

#[test]
fn the_worker_loads_its_openers_in_an_empty_root_on_x86_64() {
    the_worker_loads_its_openers("x86_64");
}

#[test]
fn the_worker_loads_its_openers_in_an_empty_root_on_arm64() {
    the_worker_loads_its_openers("arm64");
}

#[test]
fn the_layer_says_what_it_is_made_of() {
    for arch in ["x86_64", "arm64"] {
        let directory = built(arch);
        for entry in walk(&directory) {
            // Lambda searches `/opt/lib` for every function's libraries: no libc of another system may be
            // there.
            let is_library = entry.parent() == Some(&directory.join("lib"));
            assert!(!is_library, "{}", entry.display());
        }
        assert_eq!(std::fs::read_dir(directory.join("share/clamav-testfiles")).unwrap().count(), 44);
        let documents = directory.join("share/doc");
        let bill = std::fs::read_to_string(documents.join("sbom.cdx.json")).unwrap();
        let bill: serde_json::Value = serde_json::from_str(&bill).unwrap();
        assert_eq!(bill["bomFormat"], "CycloneDX");
        let components = bill["components"].as_array().unwrap();
        assert!(components.len() > 30);
        for opener in ["p7zip-full", "libarchive13"] {
            assert!(components.iter().any(|component| component["name"] == opener), "{opener}");
        }
        for component in components {
            let name = component["name"].as_str().unwrap();
            assert!(component["hashes"][0]["content"].as_str().unwrap().len() == 64, "{name}");
            assert!(documents.join(name).join("copyright").try_exists().unwrap(), "{name} has no licence");
        }
        let zipped_bytes = std::fs::metadata(directory.with_extension("zip")).unwrap().len();
        assert!(zipped_bytes < LARGEST_ZIPPED_BYTES, "{arch}: {zipped_bytes} bytes");
    }
}

pub(crate) fn unzipped_bytes(arch: &str) -> u64 {
    walk(&built(arch)).iter().map(|path| std::fs::symlink_metadata(path).unwrap().len()).sum()
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() && !path.is_symlink() { walk(&path) } else { vec![path] })
        .collect()
}
