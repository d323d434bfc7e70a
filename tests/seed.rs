//! Where the mirror refuses the definitions function, an operator uploads the first definitions from a
//! workstation; only those that ClamAV's makers have signed are accepted.

use std::path::Path;
use std::process::{Command, Output};

use ::definitions::UpdateReport;
use clamd::freshclam::Databases;
use definition_set::Seed;

use crate::support::deployment::{BUCKET, Deployment};
use crate::support::mirror::{Mood, files};
use crate::support::process::binary;

async fn deployment() -> Deployment {
    let mut deployment = Deployment::start().await;
    deployment.publisher.freshclam.databases = Databases::Official;
    deployment.mirror.set(6, Mood::Refusing(429));
    deployment
}

/// A directory with the three databases, all of which are ClamAV's signed test database of this version.
fn databases(directory: &Path, version: u32) {
    std::fs::create_dir_all(directory).unwrap();
    for name in ["main", "daily", "bytecode"] {
        std::fs::copy(files().join(format!("test-{version}.cvd")), directory.join(format!("{name}.cvd")))
            .unwrap();
    }
}

fn run(deployment: &Deployment, from: &Path) -> Output {
    let (report, keys) = (deployment.service.local.report(), deployment.service.keys());
    let mut command = Command::new(binary());
    command.args(["definitions", "seed", "--bucket", BUCKET, "--from"]).arg(from).envs([
        ("AWS_ENDPOINT_URL_S3", report.s3_url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", &keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key),
    ]);
    tokio::task::block_in_place(|| command.output().unwrap())
}

fn errors(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_from_a_workstation_are_published_without_asking_the_mirror() {
    let deployment = deployment().await;
    let directory = deployment.directory.path().join("workstation");
    deployment.update().await.unwrap_err();
    deployment.mirror.asked();
    databases(&directory, 5);
    let seeded = run(&deployment, &directory);
    assert!(seeded.status.success(), "{}", errors(&seeded));
    deployment.publish_seed("5").await;
    assert_eq!(deployment.mirror.asked(), Vec::<String>::new());
    assert_eq!(deployment.scanner("s").looks().await.unwrap(), "5");

    // Neither the same version nor an older one is new, so the mirror is asked, and refuses.
    for version in [5, 4] {
        databases(&directory, version);
        assert!(run(&deployment, &directory).status.success());
        let serial = deployment.manifest().await.serial;
        let _ = deployment.update().await;
        assert_eq!(deployment.manifest().await.serial, serial);
    }
    databases(&directory, 6);
    assert!(run(&deployment, &directory).status.success());
    deployment.publish_seed("6").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_clamavs_makers_have_not_signed_are_refused_at_both_ends() {
    let deployment = deployment().await;
    let directory = deployment.directory.path().join("workstation");
    databases(&directory, 6);
    let daily = directory.join("daily.cvd");
    std::fs::rename(&daily, directory.join("daily.cld")).unwrap();
    let error = errors(&run(&deployment, &directory));
    assert!(error.contains("daily.cld` has been patched"), "{error}");
    std::fs::remove_file(directory.join("daily.cld")).unwrap();
    let error = errors(&run(&deployment, &directory));
    assert!(error.contains("daily.cvd` cannot be read"), "{error}");
    assert_eq!(Seed::read(&deployment.bucket).await.unwrap(), None, "nothing was uploaded");

    let mut forged = std::fs::read(files().join("test-6.cvd")).unwrap();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    std::fs::write(&daily, forged).unwrap();
    let error = errors(&run(&deployment, &directory));
    assert!(error.contains("the definitions are not intact"), "{error}");
    assert_eq!(Seed::read(&deployment.bucket).await.unwrap(), None, "nothing was uploaded");

    // If they are uploaded by other means, they are not published either.
    let definitions = clamd::definitions::read(&directory).unwrap();
    let seed = Seed::describe(&directory, definitions).unwrap();
    seed.upload(&deployment.bucket, &directory).await.unwrap();
    deployment.update().await.unwrap_err();
    assert_eq!(deployment.bucket.current().await.unwrap(), None);
    // Neither are self-made databases, although clamd accepts them.
    let unsigned = serde_json::to_string(&seed).unwrap().replace("daily.cvd", "daily.cld");
    deployment.write("seed.json", unsigned.into_bytes()).await;
    assert!(Seed::read(&deployment.bucket).await.unwrap_err().to_string().contains("only `.cvd` files are"));
    assert_eq!(deployment.update().await.unwrap(), UpdateReport::CoolingDown, "the mirror refused before");
    assert_eq!(deployment.bucket.current().await.unwrap(), None);
}
