//! Lambda freezes an environment between two invocations, for minutes, and connections end meanwhile. A
//! freeze while the engine's snapshot is still coming costs neither the snapshot nor a verdict.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::lambda::{Environment, LIMIT, next_batch, nothing_failed};
use crate::support::deployment::{BUCKET, Deployment};
use crate::support::process::children_of;
use crate::support::slow_line::SlowLine;
use crate::support::{AIRLOCK_ENGINE, eicar, is_soak, wait};

/// The process and all that it has started.
fn group(pid: u32) -> Vec<u32> {
    let children = children_of(pid).into_iter().flat_map(group);
    std::iter::once(pid).chain(children).collect()
}

fn signal(group: &[u32], signal: Signal) {
    for pid in group {
        // A worker may have ended, and another one have taken its place.
        let _ = kill_process(Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap(), signal);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_while_the_snapshot_is_coming_costs_neither_it_nor_a_verdict() {
    let seconds: &[u64] = if is_soak() { &[35, 600] } else { &[3] };
    for seconds in seconds {
        let mut deployment = Deployment::start().await;
        deployment.publish_snapshots();
        deployment.publish(6).await;
        // Without the definitions, nothing but the snapshot can have worked.
        let manifest = deployment.manifest().await;
        let key = format!("files/{}", manifest.files[0].sha256);
        deployment.raw.delete_object().bucket(BUCKET).key(key).send().await.unwrap();
        let service = &deployment.service;
        let half = manifest.snapshot.unwrap().size_bytes / 2;
        let line = SlowLine::start(&service.local.report().s3_url, half).await;
        let environment = Environment::of(service).await;
        let through_line = [
            ("ENGINE", "snapshot"),
            ("AIRLOCK_ENGINE", AIRLOCK_ENGINE),
            ("AWS_ENDPOINT_URL_S3", line.url.as_str()),
        ];
        let mut scan = environment.scan(&deployment, &through_line).await;
        wait::until("a part of the snapshot", async || line.is_full()).await;
        let frozen = group(scan.pid());
        assert!(frozen.len() > 1, "the engine has started");
        signal(&frozen, Signal::STOP);
        line.cut();
        tokio::time::sleep(Duration::from_secs(*seconds)).await;
        line.open();
        signal(&frozen, Signal::CONT);

        let bad = service.upload("a.txt", &eicar()).await;
        let good = service.upload("b.txt", b"nothing to see").await;
        assert_eq!(scan.invoke(next_batch(service).await, LIMIT).await, nothing_failed());
        service.ends_as(&bad, "infected").await;
        service.ends_as(&good, "clean").await;
    }
}
