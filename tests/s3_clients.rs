//! Ordinary S3 clients use the local storage as they use S3, without special options, and get S3's errors.

use std::path::{Path, PathBuf};

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Service, client, eicar, venv};

const RULES: [(&str, &str); 2] = [("INCOMING_PREFIX", "in/"), ("INCOMING_OWNERS", "mine/=local,{owner}/")];
const REMOTE: &str = "in/mine/dir";

/// An S3 client with the access keys of the service's storage.
struct Tool {
    program: PathBuf,
    before: Vec<String>,
    env: Vec<(String, String)>,
}

impl Tool {
    fn awscli(service: &Service) -> Self {
        Self {
            program: venv("s3-clients").join("bin/aws"),
            before: vec![],
            env: keys_in_environment(service),
        }
    }

    fn s3cmd(service: &Service, directory: &Path) -> Self {
        let (keys, config) = (service.keys(), directory.join("s3cfg"));
        let host = service.local.report().s3_url.replace("http://", "");
        let text = format!(
            "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\n\
             use_https = False\n",
            keys.access_key_id, keys.secret_access_key
        );
        std::fs::write(&config, text).unwrap();
        let before = ["--no-progress".to_owned(), "--config".to_owned(), config.display().to_string()];
        Self { program: venv("s3-clients").join("bin/s3cmd"), before: before.into(), env: vec![] }
    }

    fn rclone(service: &Service, directory: &Path) -> Self {
        let (keys, config) = (service.keys(), directory.join("rclone.conf"));
        let text = format!(
            "[airlock]\ntype = s3\nprovider = Other\naccess_key_id = {}\nsecret_access_key = {}\n\
             endpoint = {}\n",
            keys.access_key_id,
            keys.secret_access_key,
            service.local.report().s3_url
        );
        std::fs::write(&config, text).unwrap();
        let before = vec!["--config".to_owned(), config.display().to_string()];
        Self { program: "rclone".into(), before, env: vec![] }
    }

    /// Runs a command and returns its output and whether it succeeded.
    async fn run(&self, args: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").env("LC_ALL", "C.UTF-8");
        let output = command.envs(self.env.clone()).args(&self.before).args(args).output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    async fn succeeds(&self, args: &[&str]) -> String {
        let (is_success, text) = self.run(args).await;
        assert!(is_success, "{} {args:?}: {text}", self.program.display());
        text
    }
}

fn keys_in_environment(service: &Service) -> Vec<(String, String)> {
    let keys = service.keys();
    [
        ("AWS_ACCESS_KEY_ID", keys.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", service.local.report().s3_url.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// A directory with an ordinary file, one with a difficult name, one for a multipart upload, and an infected
/// one.
fn files(directory: &Path) -> PathBuf {
    let source = directory.join("source");
    std::fs::create_dir_all(source.join("sub")).unwrap();
    std::fs::write(source.join("a.txt"), "ordinary").unwrap();
    std::fs::write(source.join("sub/\u{e4} b+c%2B&<x>.txt"), "a difficult name").unwrap();
    std::fs::write(source.join("large.bin"), vec![b'x'; 17_000_000]).unwrap();
    std::fs::write(source.join("bad.com"), eicar()).unwrap();
    source
}

/// The names and bytes of a directory's files.
fn contents(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found
                .extend(contents(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.push((name, std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

async fn n_versions(service: &Service) -> usize {
    let listed = service.raw_s3().list_object_versions().bucket("airlock").prefix(REMOTE);
    let listed = listed.send().await.unwrap();
    listed.versions().len() + listed.delete_markers().len()
}

/// Uploads a directory twice, fetches it again, and waits for the verdicts.
async fn synchronises(tool: &Tool, sync: &[&str], remote: &str, service: &Service, directory: &Path) {
    let (source, fetched) = (files(directory), directory.join("fetched"));
    std::fs::create_dir(&fetched).unwrap();
    let source_path = format!("{}/", source.display());
    tool.succeeds(&[sync, &[&source_path, remote]].concat()).await;
    assert_eq!(n_versions(service).await, 4);
    tool.succeeds(&[sync, &[&source_path, remote]].concat()).await;
    assert_eq!(n_versions(service).await, 4, "the second time, nothing is sent");
    tool.succeeds(&[sync, &[remote, &format!("{}/", fetched.display())]].concat()).await;
    assert_eq!(contents(&fetched), contents(&source));
    let listed = service.list_of(4).await;
    for file in &listed {
        let is_bad = file["filename"] == "bad.com";
        service.ends_as(file["file_id"].as_str().unwrap(), if is_bad { "infected" } else { "clean" }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_cli_lists_and_synchronises() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let aws = Tool::awscli(&service);
    let remote = format!("s3://airlock/{REMOTE}/");
    synchronises(&aws, &["s3", "sync", "--no-progress"], &remote, &service, directory.path()).await;

    assert!(aws.succeeds(&["s3", "ls"]).await.contains(" airlock"));
    let listed = aws.succeeds(&["s3", "ls", &remote]).await;
    assert!(listed.contains("PRE sub/") && listed.contains("17000000 large.bin"), "{listed}");
    assert!(!listed.contains("a difficult"), "{listed}");
    let listed = aws.succeeds(&["s3", "ls", "--recursive", "s3://airlock/in/"]).await;
    assert!(listed.contains("in/mine/dir/sub/\u{e4} b+c%2B&<x>.txt"), "{listed}");
    // One key at a time, in both versions of the operation.
    for operation in ["list-objects-v2", "list-objects"] {
        let query = "Contents[].Key | length(@)";
        let args = ["s3api", operation, "--bucket", "airlock", "--page-size", "1", "--query", query];
        assert_eq!(aws.succeeds(&args).await.trim(), "4", "{operation}");
    }
    aws.succeeds(&["s3", "mb", "s3://airlock"]).await;
    let location = ["s3api", "get-bucket-location", "--bucket", "airlock", "--output", "json"];
    assert!(aws.succeeds(&location).await.contains("\"LocationConstraint\": null"));
    for (args, expected) in [
        (vec!["s3", "mb", "s3://other-bucket"], "there is one bucket here"),
        (vec!["s3", "ls", "s3://other-bucket"], "NoSuchBucket"),
        (vec!["s3api", "get-bucket-policy", "--bucket", "airlock"], "not implemented"),
    ] {
        let (is_success, text) = aws.run(&args).await;
        assert!(!is_success && text.contains(expected), "{args:?}: {text}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3cmd_lists_and_synchronises() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let s3cmd = Tool::s3cmd(&service, directory.path());
    synchronises(&s3cmd, &["sync"], &format!("s3://airlock/{REMOTE}/"), &service, directory.path()).await;
    // s3cmd first uses the region "US", and the error names the right one.
    assert!(s3cmd.succeeds(&["ls"]).await.contains("s3://airlock"));
    s3cmd.succeeds(&["mb", "s3://airlock"]).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rclone_lists_and_synchronises() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let (rclone, remote) = (Tool::rclone(&service, directory.path()), format!("airlock:airlock/{REMOTE}"));
    synchronises(&rclone, &["sync"], &remote, &service, directory.path()).await;
    assert!(rclone.succeeds(&["lsd", "airlock:"]).await.contains(" airlock"));
    // A changed time is written by copying an object onto itself, once.
    let touched = std::fs::File::options().write(true).open(directory.path().join("source/a.txt")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_hours(500_000)).unwrap();
    let source = directory.path().join("source").display().to_string();
    for _ in 0..2 {
        rclone.succeeds(&["sync", &source, &remote]).await;
        assert_eq!(n_versions(&service).await, 5);
    }
    service.stop().await;
}

/// A later write to a judged file's key creates another version: neither writing nor deleting there affects
/// the judged one.
#[tokio::test(flavor = "multi_thread")]
async fn what_clients_do_elsewhere_changes_no_verdict() {
    let service = Service::start_with(&RULES, |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let source = files(directory.path());
    let file_id = service.upload("a.txt", b"the judged bytes").await;
    service.ends_as(&file_id, "clean").await;
    let link = service.link(&file_id).await;
    let aws = Tool::awscli(&service);
    let target = format!("s3://airlock/uploads/{file_id}");
    assert!(aws.succeeds(&["s3", "ls", "s3://airlock/uploads/"]).await.contains(&file_id));
    let bad = source.join("bad.com").display().to_string();
    let steps: [&[&str]; 3] = [
        &["s3", "cp", &bad, &target],
        &["s3", "rm", &target],
        &["s3", "sync", source.to_str().unwrap(), "s3://airlock/uploads/"],
    ];
    for step in steps {
        aws.succeeds(step).await;
        let served = service.download(&link).await;
        assert_eq!(served.bytes().await.unwrap().as_ref(), b"the judged bytes", "{step:?}");
        service.ends_as(&file_id, "clean").await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_services_own_keys_list() {
    let service = Service::start().await;
    let url = service.local.report().s3_url.clone();
    for path in ["", "airlock", "airlock?list-type=2", "airlock?versions", "airlock?location"] {
        let answer = client().get(format!("{url}/{path}")).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("<Code>AccessDenied</Code>") && text.contains("<Message>"), "{path}: {text}");
    }
    let mut aws = Tool::awscli(&service);
    for (name, expected) in [
        ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch"),
        ("AWS_ACCESS_KEY_ID", "there is no such access key"),
    ] {
        aws.env.push((name.to_owned(), "another".to_owned()));
        let (is_success, text) = aws.run(&["s3", "ls", "s3://airlock/"]).await;
        assert!(!is_success && text.contains(expected), "{text}");
    }
    service.stop().await;
}

/// The code and message of an S3 error.
fn problem(text: &str) -> (String, String) {
    let element = |name: &str| {
        let inner = text.split(&format!("<{name}>")).nth(1).and_then(|rest| rest.split('<').next());
        inner.unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
    };
    (element("Code"), element("Message"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_gets_the_cause() {
    let service = Service::start().await;
    let accepted =
        service.create_upload(&json!({ "filename": "a.txt", "content_type": "text/plain", "size": 5 })).await;
    let url = accepted.upload["url"].as_str().unwrap();
    let send = async |headers: &[(&str, &str)], body: &'static str| {
        let put = headers.iter().fold(service.http.put(url), |put, (name, value)| put.header(*name, *value));
        let answer = put.body(body).send().await.unwrap();
        (answer.status().as_u16(), problem(&answer.text().await.unwrap()))
    };
    let right = [("content-type", "text/plain"), ("if-none-match", "*")];
    for (headers, body, status, code, message) in [
        (
            vec![("content-type", "text/html"), right[1]],
            "hello",
            403,
            "SignatureDoesNotMatch",
            "`content-type: text/html`",
        ),
        (vec![right[1]], "hello", 403, "SignatureDoesNotMatch", "lacks what was signed: `content-type`"),
        (vec![right[0]], "hello", 403, "SignatureDoesNotMatch", "lacks what was signed: `if-none-match`"),
        (right.to_vec(), "longer", 403, "SignatureDoesNotMatch", "`content-length: 6`"),
        (
            [&right[..], &[("x-amz-acl", "private")]].concat(),
            "hello",
            403,
            "AccessDenied",
            "`x-amz-acl` is not signed",
        ),
        ([&right[..], &[("authorization", "x")]].concat(), "hello", 400, "InvalidArgument", "one signature"),
    ] {
        let (found, (found_code, found_message)) = send(&headers, body).await;
        assert_eq!((found, found_code.as_str()), (status, code), "{headers:?}: {found_message}");
        assert!(found_message.contains(message), "{headers:?}: {found_message}");
    }
    assert_eq!(service.put(&accepted, b"hello").await.status(), 200);
    let (status, (code, message)) = send(&right, "hello").await;
    assert_eq!((status, code.as_str()), (412, "PreconditionFailed"));
    assert!(message.contains("an object is there already"), "{message}");

    let form = service.create_upload(&json!({ "filename": "a.txt", "method": "post" })).await;
    let mut forged = form.clone();
    forged.upload["fields"]["x-amz-signature"] = Value::from("0".repeat(64));
    let answer = service.post_form(&forged, b"hello").await.text().await.unwrap();
    let (code, message) = problem(&answer);
    assert!(code == "SignatureDoesNotMatch" && message.contains("the form's `policy`"), "{answer}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_has_a_message() {
    let service = Service::start().await;
    let s3 = service.raw_s3();
    let begun = s3.create_multipart_upload().bucket("airlock").key("k").send().await.unwrap();
    let upload = begun.upload_id().unwrap();
    let mut messages = vec![];
    macro_rules! refused {
        ($($request:expr),* $(,)?) => {
            $({
                let error = $request.send().await.unwrap_err();
                let owned = |text: Option<&str>| text.unwrap_or_default().to_owned();
                messages.push((owned(error.code()), owned(error.message())));
            })*
        };
    }
    refused!(
        s3.get_object().bucket("airlock").key("none"),
        s3.get_object().bucket("other-bucket").key("none"),
        s3.get_object().bucket("airlock").key("none").version_id("none"),
        s3.get_bucket_acl().bucket("airlock"),
        s3.list_parts().bucket("airlock").key("k").upload_id("none"),
        s3.upload_part()
            .bucket("airlock")
            .key("k")
            .upload_id(upload)
            .part_number(0)
            .body(b"x".to_vec().into()),
        s3.complete_multipart_upload().bucket("airlock").key("k").upload_id("none"),
        s3.put_object().bucket("airlock").key("k").content_md5("!").body(b"x".to_vec().into()),
        s3.put_object().bucket("airlock").key("k").checksum_sha256("AAAA").body(b"x".to_vec().into()),
        s3.put_object().bucket("airlock").key("x".repeat(1025)).body(b"x".to_vec().into()),
        s3.list_objects_v2().bucket("airlock").continuation_token("!"),
    );
    for (code, message) in &messages {
        assert!(!code.is_empty() && !message.is_empty(), "{code:?}: {message:?}");
        assert_ne!(message, "the request was refused", "{code} has no message of its own");
    }
    service.stop().await;
}
