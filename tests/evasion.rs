//! What any ordinary tool can unpack malware from is never clean: a differential test against unzip, 7z, bsdtar, Python and jar.
//!
//! `evasion/corpus.py` hides the EICAR test file in every known way, and in random changes to the headers of every container kind.
//! All of it goes through the whole service. `evasion/oracle.py` then tries to get it out again.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::support::{Service, is_soak, rounds};

/// Writes the corpus and returns its files, by name.
pub(crate) fn corpus(directory: &Path, n_mutations: usize, seed: usize) -> Vec<PathBuf> {
    let (samples, files) = (directory.join("samples"), directory.join("files"));
    for directory in [&samples, &files] {
        std::fs::create_dir_all(directory).unwrap();
    }
    for sample in gate::Sample::ALL {
        std::fs::write(samples.join(format!("{:?}", sample.method)), sample.unmasked()).unwrap();
    }
    let status = Command::new("python3")
        .arg("evasion/corpus.py")
        .args([&files, &samples])
        .args([n_mutations.to_string(), seed.to_string()])
        .status();
    assert!(status.unwrap().success());
    let mut files = std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    files
}

/// Which of these files some tool gets EICAR out of, and which tool.
fn extractable(files: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    const AT_ONCE: usize = 2;
    let oracles = files.chunks(files.len().div_ceil(AT_ONCE).max(1)).map(|files| {
        let files = files.to_vec();
        std::thread::spawn(move || ask_oracle(&files))
    });
    oracles.collect::<Vec<_>>().into_iter().flat_map(|oracle| oracle.join().unwrap()).collect()
}

fn ask_oracle(files: &[PathBuf]) -> Vec<(PathBuf, String)> {
    let mut oracle = Command::new("python3")
        .arg("evasion/oracle.py")
        .env("ORACLE_JAR", if is_soak() { "1" } else { "0" })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
    let mut stdin = oracle.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = oracle.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(path, tool)| (path.into(), tool.into()))
        .collect()
}

/// Uploads one file and returns its status, with the reason or the signature.
async fn judge(service: &Service, bytes: &[u8]) -> (String, String) {
    let file_id = service.upload("sample", bytes).await;
    let info = service.ended(&file_id).await;
    let result = &info["scan_result"];
    let why = result["reason"].as_str().or(result["signature"].as_str()).unwrap_or_default();
    (info["scan_status"].as_str().unwrap().to_owned(), why.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_tool_unpacks_is_clean() {
    let directory = tempfile::tempdir().unwrap();
    let files = corpus(directory.path(), rounds(400, 4_000), rounds(1, 3));
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let verdicts = stream::iter(files.clone())
        .map(|path| async {
            let verdict = judge(&service, &std::fs::read(&path).unwrap()).await;
            (path, verdict)
        })
        .buffered(16)
        .collect::<BTreeMap<_, _>>()
        .await;
    let mut counts = BTreeMap::new();
    for (status, why) in verdicts.values() {
        let kind = if status == "infected" { status.clone() } else { format!("{status} {why}") };
        *counts.entry(kind).or_insert(0) += 1;
    }
    let extractable = tokio::task::spawn_blocking(move || extractable(&files)).await.unwrap();
    println!("{} files, {} of them extractable; verdicts: {counts:?}", verdicts.len(), extractable.len());
    let wrong = verdicts.iter().filter(|(path, (status, _))| {
        extractable.contains_key(*path) && !matches!(status.as_str(), "infected" | "unscannable")
    });
    let wrong = wrong.map(|(path, verdict)| {
        json!([path.file_name().unwrap().to_string_lossy(), verdict, extractable[path]])
    });
    let wrong = wrong.collect::<Vec<_>>();
    // What is clean and not extractable was spoilt by its mutation, or hides nothing.
    assert!(wrong.is_empty(), "{} evasions: {wrong:#?}", wrong.len());
    assert!(extractable.len() >= 400, "the corpus hides too little: {}", extractable.len());
    service.stop().await;
}
