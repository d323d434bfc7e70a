//! Another application's bucket is protected and left again: it is as before. While it is protected, only
//! versions with a clean verdict are read through the gate, whatever a hostile writer does.
//!
//! On ministack, an imitation of AWS that checks signatures and policies.

mod hostile;

use std::process::{Output, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::support::process::binary;
use crate::support::stack::{python, root};
use crate::support::{text, wait};

/// The imitation, with the other application's bucket `photos`.
struct Foreign {
    child: Child,
    _input: ChildStdin,
    about: Value,
}

impl Foreign {
    async fn start() -> Self {
        let mut child = Command::new(python().await)
            .arg(root().join("tests/protected/foreign.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let line = BufReader::new(stdout).lines().next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("the imitation does not stand"));
        let about = serde_json::from_str(&line).unwrap();
        Self { child, _input: input, about }
    }

    fn url(&self) -> String {
        text(&self.about["url"])
    }

    /// The id, the secret and the token of a role's keys; the account's own for `root`.
    fn keys(&self, role: &str) -> [String; 3] {
        match role {
            "root" => ["test".to_owned(), "test".to_owned(), String::new()],
            role => ["id", "secret", "token"].map(|part| text(&self.about["keys"][role][part])),
        }
    }

    fn s3(&self, role: &str) -> Client {
        let [id, secret, token] = self.keys(role);
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.url())
            .force_path_style(true)
            .credentials_provider(Credentials::new(
                id,
                secret,
                Some(token).filter(|token| !token.is_empty()),
                None,
                "test",
            ));
        Client::from_conf(config.build())
    }

    /// What the bucket reports, and its policy byte for byte.
    async fn setup(&self, bucket: &str) -> [String; 2] {
        let s3 = self.s3("root");
        let found = s3.get_bucket_notification_configuration().bucket(bucket).send().await.unwrap();
        // Every answer has an id of its own at its end.
        let notifications = format!("{found:?}").split("_extended_request_id").next().unwrap().to_owned();
        let policy = s3.get_bucket_policy().bucket(bucket).send().await;
        [notifications, policy.map_or_else(|_| "none".to_owned(), |found| found.policy.unwrap())]
    }

    /// Runs the command line as the account's owner.
    async fn airlock(&self, notes: &std::path::Path, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--notes").arg(notes).stdin(Stdio::null());
        command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL_S3", self.url());
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.output().await.unwrap()
    }

    fn scanner(&self) -> String {
        text(&self.about["scanner"])
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        wait::end_gracefully(&mut self.child);
    }
}

fn failed_with(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn statements(policy: &str) -> Vec<Value> {
    serde_json::from_str::<Value>(policy).unwrap()["Statement"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_left_as_it_was() {
    let foreign = Foreign::start().await;
    let notes = tempfile::tempdir().unwrap();
    let before = foreign.setup("photos").await;
    assert!(before[0].contains("thumbnails") && before[1].contains("OnlyOverTls"), "{before:?}");
    let scanner = foreign.scanner();
    let protect = ["protect", "s3://photos/in/", "s3://photos/out/", "--scanner", &scanner];
    // Without a terminal and without --yes nothing changes, and the difference is shown.
    let refused = foreign.airlock(notes.path(), &protect).await;
    let shown = failed_with(&refused);
    assert!(shown.contains("+ events to EventBridge (1 other destination stays)"), "{shown}");
    assert!(shown.contains("AirlockOnlyCleanIsRead") && shown.contains("--yes"), "{shown}");
    let now = foreign.setup("photos").await;
    assert_eq!(now, before);
    for _ in 0..2 {
        let done = foreign.airlock(notes.path(), &[&protect[..], &["--yes"]].concat()).await;
        assert!(done.status.success(), "{done:?}");
        let [notification, policy] = foreign.setup("photos").await;
        assert!(
            notification.contains("event_bridge_configuration: Some") && notification.contains("thumbnails")
        );
        assert_eq!(statements(&policy)[0], statements(&before[1])[0], "theirs stays");
        assert_eq!(statements(&policy).len(), 5, "two for each place, once: {policy}");
    }
    let left = foreign.airlock(notes.path(), &["unprotect", "s3://photos", "--yes"]).await;
    assert!(left.status.success(), "{left:?}");
    let after = foreign.setup("photos").await;
    assert_eq!(after, before, "byte for byte");
    assert_eq!(std::fs::read_dir(notes.path()).unwrap().count(), 0, "there is nothing to undo");
    let unknown = foreign.airlock(notes.path(), &["unprotect", "s3://photos", "--yes"]).await;
    assert!(failed_with(&unknown).contains("there is no note"));

    // A bucket that had nothing has nothing afterwards.
    let done = foreign.airlock(notes.path(), &["protect", "plain", "--scanner", &scanner, "--yes"]).await;
    assert!(done.status.success(), "{done:?}");
    assert_eq!(statements(&foreign.setup("plain").await[1]).len(), 2);
    let left = foreign.airlock(notes.path(), &["unprotect", "plain", "--yes"]).await;
    assert!(left.status.success(), "{left:?}");
    assert_eq!(foreign.setup("plain").await[1], "none");
    assert!(foreign.setup("plain").await[0].contains("event_bridge_configuration: None"));
    let refused = foreign.airlock(notes.path(), &["protect", "unversioned", "--yes"]).await;
    assert!(failed_with(&refused).contains("keep versions"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_others_made_meanwhile_stay() {
    let foreign = Foreign::start().await;
    let notes = tempfile::tempdir().unwrap();
    let scanner = foreign.scanner();
    let protect = ["protect", "photos", "--scanner", &scanner, "--yes"];
    assert!(foreign.airlock(notes.path(), &protect).await.status.success());
    let mut policy: Value = serde_json::from_str(&foreign.setup("photos").await[1]).unwrap();
    let theirs = json!({ "Sid": "Later", "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket",
        "Resource": "arn:aws:s3:::photos" });
    policy["Statement"].as_array_mut().unwrap().push(theirs.clone());
    let s3 = foreign.s3("root");
    s3.put_bucket_policy().bucket("photos").policy(policy.to_string()).send().await.unwrap();
    // A second call notes nothing that would undo theirs.
    assert!(foreign.airlock(notes.path(), &protect).await.status.success());
    let left = foreign.airlock(notes.path(), &["unprotect", "photos", "--yes"]).await;
    assert!(left.status.success(), "{left:?}");
    let after = statements(&foreign.setup("photos").await[1]);
    assert_eq!((after.len(), &after[1]), (2, &theirs), "{after:?}");
}
