//! Real clients that save what a URL returns: curl, Python's requests, Chromium.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{python, sha256, text};

/// What curl saved, and the headers that came with it, by their names in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) sha256: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Saved {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// `curl URL --output FILE`, with more options; the error is what curl prints.
pub(crate) fn curl(url: &str, options: &[&str]) -> Result<Saved, String> {
    let directory = tempfile::tempdir().unwrap();
    let (file, head) = (directory.path().join("file"), directory.path().join("head"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "60"]).args(options);
    curl.arg("--output").arg(&file).arg("--dump-header").arg(&head).arg(url);
    let output = curl.output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let head = std::fs::read_to_string(head).unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    Ok(Saved {
        sha256: sha256(&std::fs::read(file).unwrap_or_default()),
        headers: headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect(),
    })
}

const REQUESTS: &str = r#"
import hashlib, json, sys, brotli, requests
def saved(url):
    try:
        return hashlib.sha256(requests.get(url, timeout=60).content).hexdigest()
    except Exception as error:
        return f"error: {error}"
print(json.dumps([saved(url) for url in json.load(sys.stdin)]))
"#;

/// The digests of what requests saves, which decodes gzip, deflate and, with the package `brotli`, br.
pub(crate) fn requests(urls: &[String]) -> Vec<String> {
    digests(&python(REQUESTS, &json!(urls)))
}

/// The digests of what Chromium saves into its downloads.
pub(crate) fn chromium(urls: &[String]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/save");
    let output = Command::new(script).args(urls).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    digests(&String::from_utf8(output.stdout).unwrap())
}

fn digests(printed: &str) -> Vec<String> {
    let digests: Value = serde_json::from_str(printed).unwrap();
    digests.as_array().unwrap().iter().map(text).collect()
}
