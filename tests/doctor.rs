//! `airlock doctor` tries what a browser needs through the public names, and says what to change in a proxy.

use std::process::Command;

use serde_json::Value;

use crate::support::process::binary;
use crate::support::public_proxy::{Fault, PublicProxy};
use crate::support::{Service, process};

/// What the doctor finds behind these two proxies: the exit code and the findings by check.
async fn findings(api: Fault, storage: Fault, allows_page: bool, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (api, storage) = (PublicProxy::listen(api).await, PublicProxy::listen(storage).await);
    let (_, s3_port) = process::free_ports();
    let origins = if allows_page { api.url.clone() } else { String::new() };
    let service = Service::start_with(&[("ALLOWED_ORIGINS", &*origins)], |options| {
        options.s3_url = Some(storage.url.parse().unwrap());
        options.s3_listen = ([127, 0, 0, 1], s3_port).into();
    })
    .await;
    api.forward_to(&service.local.report().url);
    storage.forward_to(&format!("http://127.0.0.1:{s3_port}"));
    let output = tokio::task::block_in_place(|| {
        let mut doctor = Command::new(binary());
        doctor.args(["--url", &api.url, "--output", "json", "doctor"]).args(more).env_remove("AIRLOCK_TOKEN");
        doctor.output().unwrap()
    });
    let (_, list) = service.get("/files").await;
    assert_eq!(list["files"], Value::Array(vec![]), "it leaves nothing behind");
    service.stop().await;
    let findings = serde_json::from_slice(&output.stdout);
    (output.status.code(), findings.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))))
}

fn found<'a>(findings: &'a [Value], what: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("no `{what}`: {findings:#?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn right_proxies_pass() {
    let (code, findings) = findings(Fault::None, Fault::None, true, &[]).await;
    for what in [
        "upload",
        "live events",
        "public name",
        "CORS for the page",
        "bodies to storage",
        "bodies to the API",
    ] {
        assert_eq!(found(&findings, what)["state"], "ok", "{findings:#?}");
    }
    assert_eq!(code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_not_airlock_is_reported() {
    let (code, findings) = findings(Fault::LeadsNowhere, Fault::None, true, &[]).await;
    assert_eq!(found(&findings, "service")["state"], "FAIL", "{findings:#?}");
    assert_eq!(code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_proxy_gets_its_remedy() {
    let (right, wrong) = (Fault::None, "https://other.example");
    for (api, storage, allows_page, more, what, state, advice) in [
        (right, Fault::ForgetsHost, true, &[][..], "upload", "FAIL", "proxy_set_header Host"),
        (right, Fault::LeadsNowhere, true, &[], "upload", "FAIL", "does not pass the request on"),
        (Fault::ForgetsHost, right, true, &[], "public name", "FAIL", "X-Forwarded-Proto"),
        (right, Fault::LimitsBodies, true, &[], "bodies to storage", "FAIL", "client_max_body_size"),
        (Fault::LimitsBodies, right, true, &[], "bodies to the API", "FAIL", "client_max_body_size"),
        (Fault::IsApiGateway, right, true, &[], "bodies to the API", "ok", ""),
        (right, Fault::RefusesOptions, true, &[], "CORS for the page", "FAIL", "let proxies pass OPTIONS on"),
        (right, right, false, &[], "CORS for the page", "FAIL", "set PUBLIC_URL to"),
        (
            right,
            right,
            true,
            &["--origin", wrong],
            "CORS for --origin",
            "FAIL",
            "add https://other.example to",
        ),
        (Fault::Buffers, right, true, &[], "live events", "warn", "proxy_buffering off"),
    ] {
        let (code, findings) = findings(api, storage, allows_page, more).await;
        let finding = found(&findings, what);
        assert_eq!(finding["state"], state, "{api:?} {storage:?}: {findings:#?}");
        assert!(finding["advice"].as_str().unwrap().contains(advice), "{finding}");
        assert_eq!(code, Some(i32::from(state == "FAIL")), "{api:?} {storage:?}");
    }
}
