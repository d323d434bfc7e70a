//! The bucket of another application, judged by the scan function as it is deployed.

use std::time::Duration;

use aws::Objects;
use serde_json::Value;

use super::{BUCKET, N_VERSIONS, command, env_of, key, said};
use crate::lambda::{Environment, LIMIT, nothing_failed};
use crate::support::deployment::Deployment;
use crate::support::runtime_api::sqs_event;
use crate::support::{Service, eicar};

/// The service's own bucket is another one, and this one is protected.
const PROTECTED: [(&str, &str); 2] =
    [("S3_BUCKET_NAME", "airlock-own"), ("PROTECTED_BUCKETS", "airlock/in/=local")];
const N_OBJECTS: usize = 2;

/// All messages that wait, as one batch.
async fn waiting(service: &Service) -> Value {
    let (queue, mut bodies) = (service.local.queue(), vec![]);
    while let Some(received) = queue.receive(Duration::from_mins(1), 1000).await.unwrap() {
        queue.acknowledge(&received).await.unwrap();
        bodies.push((format!("message-{}", bodies.len()), received.body));
    }
    let bodies: Vec<(&str, &str)> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    sqs_event(&bodies)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_in_the_bucket_of_another_application_gets_its_verdict_there() {
    let deployment = Deployment::start().await;
    deployment.publish(6).await;
    let service = &deployment.service;
    let s3 = service.raw_s3();
    for (n, version) in (0..N_OBJECTS).flat_map(|n| (0..N_VERSIONS).map(move |version| (n, version))) {
        let bytes = if version == 1 { eicar() } else { format!("{n} {version}").into_bytes() };
        s3.put_object().bucket(BUCKET).key(key(n)).body(bytes.into()).send().await.unwrap();
    }
    // Before the bucket was protected, its events went elsewhere.
    waiting(service).await;
    let environment = Environment::of(service).await;
    let mut scan = environment.scan(&deployment, &PROTECTED).await;
    let (env, directory) = (env_of(&environment, &PROTECTED), tempfile::tempdir().unwrap());
    let place = format!("s3://{BUCKET}");
    let run = async |argument: &str| {
        let output = command(&env, directory.path(), &[&place, argument]).output().await.unwrap();
        (output.status.code().unwrap(), said(&output))
    };
    let n_all = (N_OBJECTS * N_VERSIONS) as u64;

    let (code, told) = run("--yes").await;
    assert_eq!((code, told["n_sent_now"].as_u64()), (0, Some(n_all)), "{told}");
    assert!(told["left_out"]["not_protected"]["n"].as_u64() > Some(0), "the rest of the bucket: {told}");
    let messages = waiting(service).await;
    // Twice, as SQS delivers some.
    for _ in 0..2 {
        assert_eq!(scan.invoke(messages.clone(), LIMIT).await, nothing_failed());
    }
    let (_, told) = run("--check").await;
    let numbers = ["clean", "infected", "removed", "failed"].map(|state| told["versions"][state].as_u64());
    assert_eq!(numbers, [4, 2, 0, 0].map(Some), "{told}");
    assert_eq!(service.get("/files").await.1["files"].as_array().unwrap().len() as u64, n_all);
    let objects = Objects::new(&service.sdk().await, BUCKET.to_owned());
    for n in 0..N_OBJECTS {
        let listed = objects.contents(&key(n), None, aws::clock::now()).await.unwrap().versions;
        assert_eq!(listed.len(), N_VERSIONS, "nothing is changed but tags");
        for (version, expected) in listed.iter().zip(["CLEAN", "INFECTED", "CLEAN"]) {
            let tags = s3.get_object_tagging().bucket(BUCKET).key(key(n));
            let tags = tags.version_id(&version.version_id).send().await.unwrap();
            let tags: Vec<_> = tags.tag_set.iter().map(|tag| (tag.key(), tag.value())).collect();
            assert_eq!(tags, [("scan-status", expected)]);
        }
    }
}
