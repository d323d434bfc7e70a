//! Programs for clamav-rest-api and clamav-rest work unchanged, and take nothing for clean that is not.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Service, eicar, python};

/// `curl` with these forms, as the documentation of both servers shows it: the status and the body.
fn curl(url: &str, forms: &[String]) -> (u16, Value) {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"]);
    for form in forms {
        curl.args(["-F", form]);
    }
    let output = curl.arg(url).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or_else(|_| panic!("{text}")))
}

/// Files of each kind, by their names.
fn files() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("good.rnd", vec![7; 100_000]),
        ("eicar_com.txt", eicar()),
        ("locked.zip", b"PK\x03\x04 not a zip that anybody could open".to_vec()),
        ("empty.txt", vec![]),
        ("large.bin", vec![b'x'; 300_000]),
    ] {
        std::fs::write(directory.path().join(name), bytes).unwrap();
    }
    directory
}

async fn service() -> Service {
    Service::start_with(&[("MAX_SCAN_BODY_SIZE", "200000")], |_| {}).await
}

#[tokio::test(flavor = "multi_thread")]
async fn clamav_rest_api_is_answered_for() {
    let (service, directory) = (service().await, files());
    let form = |field: &str, name: &str| format!("{field}=@{}", directory.path().join(name).display());
    let scan = |forms: &[String]| tokio::task::block_in_place(|| curl(&service.url("/api/v1/scan"), forms));
    let (status, answer) = scan(&[form("FILES", "good.rnd"), form("FILES", "eicar_com.txt")]);
    let clean = json!({ "name": "good.rnd", "is_infected": false, "viruses": [] });
    let viruses = json!(["Eicar-Test-Signature.UNOFFICIAL"]);
    let infected = json!({ "name": "eicar_com.txt", "is_infected": true, "viruses": viruses });
    let expected = json!({ "success": true, "data": { "result": [clean, infected] } });
    assert_eq!((status, answer), (200, expected));
    // A client has no other word for what is not clean.
    let (status, answer) = scan(&[form("FILES", "locked.zip"), form("FILES", "empty.txt")]);
    let results = answer["data"]["result"].as_array().unwrap();
    assert_eq!((status, results.len()), (200, 2), "{answer}");
    for (result, name) in results.iter().zip(["encrypted", "empty"]) {
        let viruses = json!([format!("Airlock.Unscannable.{name}")]);
        assert_eq!((&result["is_infected"], &result["viruses"]), (&json!(true), &viruses), "{answer}");
    }
    let five = vec![form("FILES", "good.rnd"); 5];
    for (forms, status, code) in [
        (vec![form("OTHER", "good.rnd")], 422, "wrong_number_of_files"),
        (vec!["FILES=text".to_owned()], 422, "wrong_number_of_files"),
        (five, 422, "wrong_number_of_files"),
        (vec![form("FILES", "good.rnd"), form("FILES", "large.bin")], 413, "use_direct_upload"),
    ] {
        let (found, problem) = scan(&forms);
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{problem}");
    }
    service.stop().await;
}

/// The example of its documentation in Python.
const REQUESTS: &str = "
import json, sys, requests
given = json.load(sys.stdin)
files = [('FILES', open(name, 'rb')) for name in given['files']]
print(json.dumps(requests.post(given['url'], files=files).json()))
";

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_works() {
    let (service, directory) = (service().await, files());
    let names = ["good.rnd", "eicar_com.txt"].map(|name| directory.path().join(name));
    let given = json!({ "url": service.url("/api/v1/scan"), "files": names });
    let printed = tokio::task::block_in_place(|| python(REQUESTS, &given));
    let answer: Value = serde_json::from_str(&printed).unwrap();
    let found: Vec<_> = answer["data"]["result"].as_array().unwrap().iter().collect();
    assert_eq!((&found[0]["is_infected"], &found[1]["is_infected"]), (&json!(false), &json!(true)));
    service.stop().await;
}

fn result(status: &str, description: &str, name: &str) -> Value {
    json!({ "Status": status, "Description": description, "FileName": name })
}

#[tokio::test(flavor = "multi_thread")]
async fn clamav_rest_is_answered_for() {
    let (service, directory) = (service().await, files());
    let form = |name: &str| format!("file=@{}", directory.path().join(name).display());
    let clean = result("OK", "", "good.rnd");
    let infected = result("FOUND", "Eicar-Test-Signature.UNOFFICIAL", "eicar_com.txt");
    let locked = result("PARSE ERROR", "unscannable: encrypted", "locked.zip");
    let large = result("PARSE ERROR", "File size limit exceeded", "large.bin");
    for (names, status, expected) in [
        (&["good.rnd"][..], 200, json!([clean])),
        (&["eicar_com.txt"], 406, json!([infected])),
        (&["locked.zip", "good.rnd"], 412, json!([locked, clean])),
        (&["eicar_com.txt", "locked.zip"], 406, json!([infected, locked])),
        (&["large.bin"], 413, json!([large])),
    ] {
        let forms: Vec<_> = names.iter().map(|name| form(name)).collect();
        let answer = tokio::task::block_in_place(|| curl(&service.url("/v2/scan"), &forms));
        assert_eq!(answer, (status, expected), "{names:?}");
    }
    assert_eq!(service.get("/files").await.1["files"], json!([]), "nothing is kept");
    service.stop().await;
}
