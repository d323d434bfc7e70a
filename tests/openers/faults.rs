//! No fault of the machine while an opener works makes a file clean: killed and stopped workers, a full disk,
//! too few descriptors, a file that shrinks, libraries that are missing or broken.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use domain::verdict::Unscannable;
use inspector::{Inspected, Inspector, InspectorError, WorkerProgram};
use rustix::process::{Pid, Signal, kill_process};

use super::watch::scratch_bytes;
use super::{hands_over, holds, inspector_in_own_directory, is_never_clean, seeds};
use crate::support::inspecting::{cpu_limit, file_of, gate, inspect, reason};
use crate::support::process::{binary, inspecting, is_running};
use crate::support::{Service, eicar, settings, wait};

const MEGABYTE: usize = 1 << 20;

/// A file that occupies one opener for seconds, and contains the test file at its end.
pub(super) struct Long {
    name: &'static str,
    pub(super) bytes: Vec<u8>,
}

/// `squashfs`: three hundred names of the same six megabytes (more than members have in memory), which 7-Zip
/// unpacks one after another. `lzip`: a member of 90 MB, which libarchive unpacks. The gate does not walk
/// either of them itself.
pub(super) fn long() -> [Long; 2] {
    let directory = tempfile::tempdir().unwrap();
    let tree = directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let mut random = super::mutations::Random::new(7);
    let noise = std::iter::repeat_with(|| u8::try_from(random.below(256)).unwrap());
    let noise = noise.take(6 * MEGABYTE).collect::<Vec<_>>();
    std::fs::write(tree.join("first"), &noise).unwrap();
    for number in 0..300 {
        std::fs::hard_link(tree.join("first"), tree.join(number.to_string())).unwrap();
    }
    std::fs::write(tree.join("zz"), eicar()).unwrap();
    std::fs::write(directory.path().join("member"), [vec![b'x'; 90 * MEGABYTE], eicar()].concat()).unwrap();
    let made = |name, command: &str| {
        let status =
            std::process::Command::new("sh").args(["-c", command]).current_dir(directory.path()).status();
        assert!(status.unwrap().success(), "{command}: `tools/install test` installs it");
        Long { name, bytes: std::fs::read(directory.path().join("out")).unwrap() }
    };
    [
        made("squashfs", "mksquashfs tree out -quiet -no-progress -noD && test -s out"),
        made("lzip", "lzip -0c member > out"),
    ]
}

/// The worker, once an opener gives it a member: the gate itself has written nothing until then.
pub(super) async fn worker_with_opener_at_work(scratch_directory: &Path) -> u32 {
    let worker = wait::until_found("an opener at work", async || {
        let is_at_work = scratch_bytes(scratch_directory) >= MEGABYTE as u64;
        inspecting().into_iter().next().filter(|_| is_at_work).ok_or(())
    });
    worker.await
}

fn signal(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal);
}

fn inspection_of(
    inspector: &Arc<Inspector>,
    file: File,
) -> tokio::task::JoinHandle<Result<Inspected, InspectorError>> {
    let inspector = Arc::clone(inspector);
    let n_bytes = usize::try_from(file.metadata().unwrap().len()).unwrap();
    tokio::spawn(async move { inspector.inspect(&gate(), &file, None, cpu_limit(n_bytes)).await })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_while_an_opener_works_is_never_taken_for_one_that_found_nothing() {
    let (inspector, scratch) = inspector_in_own_directory().await;
    let inspector = Arc::new(inspector);
    for long in long() {
        for ending in [Signal::KILL, Signal::SEGV, Signal::ABORT, Signal::BUS] {
            let asked = inspection_of(&inspector, file_of(&long.bytes));
            let worker = worker_with_opener_at_work(scratch.path()).await;
            // Rust's handler ignores the first SIGSEGV or SIGBUS, because a real fault would raise it again.
            while !asked.is_finished() {
                signal(worker, ending);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            let ended = asked.await.unwrap();
            println!("{}, {ending:?}: {:?}", long.name, ended.as_ref().map(reason));
            match ended {
                Err(error) => {
                    assert!(
                        ending == Signal::KILL && matches!(error, InspectorError::NoAnswer(_)),
                        "{error:?}"
                    );
                }
                Ok(inspected) => {
                    assert_eq!(reason(&inspected), Some(Unscannable::InspectionFailed), "{}", long.name);
                }
            }
            assert_eq!(reason(&inspect(&inspector, b"nothing special").await.unwrap()), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_in_an_opener_ends_with_its_scan() {
    let [long, _] = long();
    let service =
        Service::start_with(&[("ALLOWED_EXTENSIONS", "*"), ("VIRUS_SCAN_TIMEOUT", "4")], |settings| {
            settings.tuning.machine.max_attempts = 2;
        })
        .await;
    let file_id = service.upload("long.img", &long.bytes).await;
    let mut stopped = Vec::new();
    let info = loop {
        for pid in inspecting()
            .into_iter()
            .filter(|pid| has_worked(*pid) && !stopped.contains(pid))
            .collect::<Vec<_>>()
        {
            signal(pid, Signal::STOP);
            stopped.push(pid);
        }
        let (_, answer) = service.get(&format!("/files/{file_id}/status")).await;
        let info = answer["file_info"].clone();
        if !matches!(info["scan_status"].as_str().unwrap(), "pending" | "scanning") {
            break info;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    println!("{} workers stopped: {info}", stopped.len());
    assert!(!stopped.is_empty());
    assert!(matches!(info["scan_status"].as_str().unwrap(), "error" | "unscannable"), "{info}");
    for pid in stopped {
        wait::until("the end of a worker that hangs", async || !is_running(pid)).await;
    }
    assert_eq!(service.get("/health").await.0, 200);
    let after = service.upload("after.txt", b"nothing special").await;
    service.ends_as(&after, "clean").await;
    service.stop().await;
}

/// For half a second, which is longer than everything that precedes the openers.
fn has_worked(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 2 > rustix::param::clock_ticks_per_second()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_while_an_opener_works_says_so() {
    let directory = tempfile::tempdir().unwrap();
    // A small disk in a mount namespace of its own, which this process accesses through `/proc`.
    let mut disk = tokio::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o size=3m airlock \"$0\" && touch \"$0/ready\" && exec sleep 3600")
        .arg(directory.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let inside = PathBuf::from(format!("/proc/{}/root", disk.id().unwrap()));
    let inside = inside.join(directory.path().strip_prefix("/").unwrap());
    wait::until("a small disk", async || inside.join("ready").is_file()).await;
    let inspector = Inspector::start(crate::support::process::gate_worker(), inside).await.unwrap();
    for long in long() {
        let error = inspect(&inspector, &long.bytes).await.unwrap_err();
        println!("{}: {error}", long.name);
        assert!(error.is_storage_full(), "{}: {error:?}", long.name);
    }
    assert_eq!(reason(&inspect(&inspector, b"nothing special").await.unwrap()), None);
    disk.kill().await.unwrap();
}

/// The worker reads a copy of the upload on disk, which another program may truncate.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_shrinks_under_an_opener_says_nothing() {
    let (inspector, scratch) = inspector_in_own_directory().await;
    let inspector = Arc::new(inspector);
    let [squashfs, lzip] = long();
    for (long, n_left) in [(&squashfs, 0), (&squashfs, MEGABYTE), (&lzip, 0), (&lzip, 4096)] {
        let file = file_of(&long.bytes);
        let asked = inspection_of(&inspector, file.try_clone().unwrap());
        worker_with_opener_at_work(scratch.path()).await;
        file.set_len(n_left as u64).unwrap();
        let ended = asked.await.unwrap();
        println!("{} with {n_left} bytes left: {:?}", long.name, ended.as_ref().map(reason));
        match ended {
            Err(error) => {
                assert!(matches!(error, InspectorError::Storage { is_full: false, .. }), "{error:?}");
            }
            Ok(inspected) => assert!(is_never_clean(&inspected, b""), "{}", long.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_descriptors_make_no_file_clean() {
    let (whole, _scratch) = inspector_in_own_directory().await;
    let seeds = opened_seeds(&whole).await;
    let (mut n_started, mut n_errors) = (0, 0);
    for limit in [0, 3, 4, 5, 6, 7, 8, 16] {
        let program = wrapped("sh", &["-c"], &format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
        let Ok(inspector) = Inspector::start(program, std::env::temp_dir()).await else { continue };
        n_started += 1;
        for (name, bytes) in seeds.iter().step_by(9) {
            match inspect(&inspector, bytes).await {
                Ok(inspected) => {
                    assert!(is_never_clean(&inspected, bytes), "{name} with {limit} descriptors");
                }
                Err(_) => n_errors += 1,
            }
        }
    }
    println!("{n_started} limits of 8 let a worker start; {n_errors} files were not inspected");
    assert!(n_started > 0);
}

/// The seeds of which the engine is given the test file, which a reader that cannot open them would miss.
async fn opened_seeds(inspector: &Inspector) -> Vec<(String, Vec<u8>)> {
    let mut opened = Vec::new();
    for seed in seeds() {
        let inspected = inspect(inspector, &seed.bytes).await.unwrap();
        let is_hidden = seed.bytes.len() < 5 * MEGABYTE && !holds(&seed.bytes, &eicar());
        if is_hidden && inspected.inspection.refusal.is_none() && hands_over(&inspected, &eicar()) {
            opened.push((seed.name, seed.bytes));
        }
    }
    assert!(opened.len() > 20, "{}", opened.len());
    opened
}

/// A worker, started by a script: `$0` is the program, `$@` its arguments.
fn wrapped(path: &str, options: &[&str], script: &str) -> WorkerProgram {
    let arguments = options.iter().map(Into::into).chain([script.into(), binary().into()]);
    WorkerProgram { path: path.into(), arguments: arguments.collect(), environment: vec![] }
}

/// The same in a mount namespace of its own, in which the script changes the mounts.
fn with_mounts(script: &str) -> WorkerProgram {
    wrapped("unshare", &["--map-root-user", "--mount", "sh", "-c"], &format!("{script}; exec \"$0\" \"$@\""))
}

const NO_SEVEN_ZIP: &str = "for d in /opt/lib/clamav /usr/lib/7zip /usr/lib/p7zip /usr/libexec/7zip; do \
     if [ -d $d ]; then mount -t tmpfs airlock $d; fi; done";
/// The library's directory also has libraries that are needed, so this mounts a view of it without that one.
const NO_LIBARCHIVE: &str = "set -e; d=$(dirname /usr/lib/*/libarchive.so.13); mount -t tmpfs airlock /mnt; \
     mkdir /mnt/whole /mnt/view; mount --bind $d /mnt/whole; cp -rs /mnt/whole/. /mnt/view; \
     rm /mnt/view/libarchive.so*; mount --bind /mnt/view $d";

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_missing_opener_opens_is_refused() {
    let (whole, _scratch) = inspector_in_own_directory().await;
    assert_eq!(whole.openers().len(), 2, "{:?}", whole.openers());
    let seeds = opened_seeds(&whole).await;
    for (what, script, n_left) in [
        ("7-Zip", NO_SEVEN_ZIP.to_owned(), 1),
        ("libarchive", NO_LIBARCHIVE.to_owned(), 1),
        ("both", format!("{NO_LIBARCHIVE}; {NO_SEVEN_ZIP}"), 0),
    ] {
        let program = with_mounts(&script);
        let inspector = Inspector::start(program.clone(), std::env::temp_dir()).await.unwrap();
        assert_eq!(inspector.openers().len(), n_left, "without {what}: {:?}", inspector.openers());
        let mut passed = Vec::new();
        for (name, bytes) in &seeds {
            let inspected = inspect(&inspector, bytes).await.unwrap();
            if !is_never_clean(&inspected, bytes) {
                passed.push((name, bytes));
            }
        }
        the_engine_finds(&passed, program, what).await;
    }
}

/// The engine opens the formats that the gate leaves to it.
async fn the_engine_finds(files: &[(&String, &Vec<u8>)], gate_worker: WorkerProgram, what: &str) {
    if files.is_empty() {
        return;
    }
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |settings| {
        settings.tuning.gate_worker = gate_worker;
    })
    .await;
    for (name, bytes) in files {
        let file_id = service.upload(name, bytes).await;
        let info = service.ended(&file_id).await;
        println!("{name} without {what}: {}", info["scan_status"]);
        assert_ne!(info["scan_status"], "clean", "{name} without {what}: {info}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_opener_that_cannot_be_loaded_the_service_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken");
    let seven_zip = "lib=$(ls /opt/lib/clamav/7z.so /usr/lib/7zip/7z.so /usr/lib/p7zip/7z.so \
        /usr/libexec/7zip/7z.so 2>/dev/null | head -1)";
    let libarchive = "lib=$(readlink -f /usr/lib/*/libarchive.so.13)";
    let breaks = [
        ("empty", ": > BROKEN"),
        ("a text", "echo no library > BROKEN"),
        ("cut off", "head -c 100000 $lib > BROKEN"),
        ("another program", "cp /bin/true BROKEN"),
        ("unreadable", "ln -s /proc/self/mem BROKEN"),
    ];
    for find in [seven_zip, libarchive] {
        for (what, make) in breaks {
            let make = make.replace("BROKEN", broken.to_str().unwrap());
            let script =
                format!("set -e; rm -f {0}; {find}; {make}; mount --bind {0} $lib", broken.display());
            let error = Inspector::start(with_mounts(&script), std::env::temp_dir()).await.unwrap_err();
            let InspectorError::Spawn(error) = error else { panic!("{what}: {error:?}") };
            println!("{what}: {error}");
        }
    }
    let script = format!(
        "set -e; rm -f {0}; {seven_zip}; echo no library > {0}; mount --bind {0} $lib",
        broken.display()
    );
    let mut settings = settings(directory.path());
    settings.tuning.gate_worker = with_mounts(&script);
    let started = local::Local::start(settings, &settings::Environment::from_pairs(&[])).await;
    let error = started.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("7-Zip cannot be used"), "{error}");
}
