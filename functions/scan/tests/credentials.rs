//! No other process of the same user, such as an engine that a file has taken over, can read the function's
//! environment and memory, where its credentials are.

#![expect(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Root may read everything: a test that runs as root starts everything as this user.
const UNPRIVILEGED: u32 = 65_534;

fn as_user(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
    }
    command
}

/// Which of the process's files another process of its user can open.
fn readable(process: &Child) -> Vec<&'static str> {
    let opens = |name: &&str| {
        let path = format!("/proc/{}/{name}", process.id());
        let mut open = as_user("dd");
        open.args([&format!("if={path}"), "of=/dev/null", "bs=1", "count=0"]);
        open.status().unwrap().success()
    };
    ["environ", "maps", "mem"].into_iter().filter(opens).collect()
}

#[test]
fn another_process_of_the_same_user_cannot_read_the_functions_credentials() {
    // Accepts connections and never answers, so that the function keeps waiting.
    let silence = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silence.local_addr().unwrap().to_string();
    let environment = [
        ("AWS_LAMBDA_RUNTIME_API", address.clone()),
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "id".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AIRLOCK_TABLE", "airlock".to_owned()),
        ("AIRLOCK_SCAN_QUEUE_URL", "http://localhost/scans".to_owned()),
        ("AIRLOCK_DEFINITIONS_BUCKET", "airlock".to_owned()),
        ("AIRLOCK_DEFINITIONS_PUBLIC_KEY", format!("{}=", "A".repeat(43))),
        ("AIRLOCK_SCRATCH", "/tmp".to_owned()),
        ("S3_BUCKET_NAME", "airlock".to_owned()),
    ];
    let start = |program: &str, argument: &[&str]| {
        as_user(program).args(argument).env_clear().envs(environment.clone()).spawn().unwrap()
    };
    let mut ordinary = start("/bin/sleep", &["60"]);
    let of_ordinary = readable(&ordinary);
    ordinary.kill().unwrap();
    ordinary.wait().unwrap();
    assert!(of_ordinary.contains(&"environ") && of_ordinary.contains(&"maps"), "{of_ordinary:?}");

    let mut function = start(env!("CARGO_BIN_EXE_scan"), &[]);
    let began = Instant::now();
    let mut left = readable(&function);
    while !left.is_empty() && began.elapsed() < Duration::from_secs(10) {
        left = readable(&function);
    }
    assert_eq!(function.try_wait().unwrap(), None, "it still runs");
    function.kill().unwrap();
    function.wait().unwrap();
    assert_eq!(left, [""; 0]);
}
