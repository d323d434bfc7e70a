//! The service behaves as its description says: thousands of generated requests, alone and in sequences, by
//! two users and an operator, never cause a 5xx or an undocumented response.

use std::path::Path;
use std::process::Command;

use local::Auth;

use crate::identity::{ENV, admin_token, user_token};
use crate::support::{Service, rounds};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance";
/// Event streams do not end, so schemathesis cannot read them; `live.rs` does.
const STREAMS: [&str; 4] = ["--exclude-path", "/events", "--exclude-path", "/files/{file_id}/events"];
/// Links that schemathesis infers wrongly: these responses name files that are unrelated to the operations.
const NOT_LINKED: [&str; 4] = ["--exclude-path", "/stats", "--exclude-path", "/dead-letters"];

/// Runs schemathesis and returns the number of cases that passed.
fn schemathesis(service: &Service, args: &[&str]) -> u64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = Command::new(root.join("tools/venv")).arg("schemathesis").output().unwrap();
    assert!(venv.status.success(), "{}", String::from_utf8_lossy(&venv.stderr));
    let venv = String::from_utf8(venv.stdout).unwrap();
    let tokens = [user_token("alice"), user_token("bob"), admin_token("root")].join(" ");
    let output = Command::new(format!("{}/bin/schemathesis", venv.trim()))
        .args([
            "run",
            &service.url("/openapi.json"),
            "--checks",
            CHECKS,
            "--no-color",
            "--continue-on-failure",
        ])
        .args(["--generation-database", "none", "--warnings", "off"])
        // Slow responses are not failures.
        .args(["--request-timeout", "3600", "--suppress-health-check", "too_slow"])
        .args(STREAMS)
        .args(args)
        .env("TOKENS", tokens)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", root.join("tests/schemathesis"))
        .current_dir(root.join("target"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut counts = text.lines().filter(|line| line.contains(" generated, "));
    let passed = counts.find_map(|line| line.trim().strip_suffix(" passed")?.split(' ').next_back());
    let passed = passed.and_then(|n| n.replace(',', "").parse().ok());
    passed.unwrap_or_else(|| panic!("no count in\n{text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_as_it_is_described() {
    let service = Service::start_with(&ENV, |settings| settings.auth = Auth::Jwt).await;
    let n = rounds(60, 600).to_string();
    let alone = tokio::task::block_in_place(|| {
        schemathesis(&service, &["--phases", "examples,coverage,fuzzing", "-n", &n])
    });
    let sequences = tokio::task::block_in_place(|| {
        schemathesis(&service, &[&NOT_LINKED[..], &["--phases", "stateful", "-n", &n]].concat())
    });
    println!("{alone} requests alone, {sequences} in sequences");
    let n_expected = if crate::support::is_soak() { 5_000 } else { 1_000 };
    assert!(alone + sequences >= n_expected, "{alone} + {sequences}");
    assert!(sequences >= 200, "{sequences}");
    service.stop().await;
}
