//! `airlock worker` scans for a deployment from other processes: several share the queue, and one that is
//! killed loses nothing.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::lambda::Environment;
use crate::support::deployment::Deployment;
use crate::support::{eicar, process, wait};

const N_FILES: usize = 12;

/// The deployment's variables. A message whose worker was killed is visible again after 22 seconds.
async fn variables(deployment: &Deployment) -> Vec<(String, String)> {
    let environment = Environment::of(&deployment.service).await;
    let public_key = deployment.publisher.key.public_key().to_string();
    let more = [
        ("AIRLOCK_DEFINITIONS_BUCKET", "airlock"),
        ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", public_key.as_str()),
        ("SCAN_WORKERS", "2"),
        ("VIRUS_SCAN_TIMEOUT", "2"),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let renamed =
        |(name, value)| (if name == "SQS" { "AIRLOCK_SCAN_QUEUE_URL".to_owned() } else { name }, value);
    environment.pairs.into_iter().map(renamed).chain(more).collect()
}

fn worker(variables: &[(String, String)], scratch: &Path) -> Child {
    Command::new(process::binary())
        .arg("worker")
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .envs(variables.iter().cloned())
        .env("AIRLOCK_SCRATCH", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// The directories that workers have made for themselves.
fn own_directories(scratch: &Path) -> usize {
    std::fs::read_dir(scratch).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_queue_and_a_killed_one_loses_nothing() {
    let deployment = Deployment::start().await;
    deployment.publish(6).await;
    let service = &deployment.service;
    let variables = variables(&deployment).await;
    let scratch = tempfile::tempdir_in("/tmp").unwrap();
    let mut killed = worker(&variables, scratch.path());
    let first = service.upload("first.txt", b"the first file").await;
    service.ends_as(&first, "clean").await;

    let engines = process::children_of(killed.id().unwrap());
    assert!(!engines.is_empty());
    let lasting = worker(&variables, scratch.path());
    wait::until("a directory of the other's own", async || own_directories(scratch.path()) == 2).await;
    let mut files = vec![];
    for n in 0..N_FILES {
        let (bytes, expected) =
            if n % 4 == 0 { (eicar(), "infected") } else { (format!("file {n}").into_bytes(), "clean") };
        files.push((service.upload(&format!("{n}.txt"), &bytes).await, expected));
        if n == N_FILES / 2 {
            killed.kill().await.unwrap();
        }
    }
    for (file_id, expected) in files {
        service.ends_as(&file_id, expected).await;
    }
    wait::until("the end of the killed worker's engine", async || {
        !engines.iter().any(|engine| process::is_running(*engine))
    })
    .await;
    wait::until("an empty queue", async || service.local.queue().depth().await.unwrap() == 0).await;

    let pid = Pid::from_raw(i32::try_from(lasting.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = lasting.wait_with_output().await.unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{said}");
    assert!(said.starts_with("Scanning up to 2 files concurrently with ClamAV "), "{said}");
    assert!(said.contains("definitions 6 of ") && said.contains("every scan that had begun is finished"));
    assert_eq!(own_directories(scratch.path()), 1, "the killed worker's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_what_it_needs_says_what() {
    let deployment = Deployment::start().await;
    let variables = variables(&deployment).await;
    for (without, expected) in [
        ("AIRLOCK_TABLE", "`AIRLOCK_TABLE` is not set"),
        ("AIRLOCK_SCAN_QUEUE_URL", "`AIRLOCK_SCAN_QUEUE_URL` is not set"),
        ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", "`AIRLOCK_DEFINITIONS_PUBLIC_KEY` is not set"),
        // All is set, and nothing is published.
        ("", "no definitions"),
    ] {
        let mut fewer = variables.clone();
        fewer.retain(|(name, _)| name != without);
        let scratch = tempfile::tempdir_in("/tmp").unwrap();
        let child = worker(&fewer, scratch.path());
        let ended = tokio::time::timeout(Duration::from_mins(2), child.wait_with_output());
        let ended = ended.await.expect("it goes on").unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && said.contains(expected), "{without}: {said}");
    }
}
