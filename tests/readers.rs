//! A file from which an ordinary reader extracts malware is never clean: a differential test against more
//! than eighty programs and libraries.
//!
//! `readers/generate.py` hides the EICAR test file in every family of formats that they open, and
//! `evasion/corpus.py` in every way known to hide something in a zip, a tar or a mail; both change headers at
//! random as well. All of it goes through the whole service. `readers/oracle.py` then tries to get the test
//! file out of what is clean.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::support::{Service, is_soak, rounds, venv};

/// Variants of one family, all of which must be inspected.
struct Family {
    name: String,
    files: Vec<PathBuf>,
}

#[expect(clippy::disallowed_methods, reason = "a choice of tests, as a filter is")]
fn chosen_families() -> Option<String> {
    std::env::var("FAMILIES").ok()
}

/// The families of `generate.py`, and the evasions as one more. `FAMILIES=pdf,pdflib` are those alone.
fn families(directory: &Path) -> Vec<Family> {
    install_libraries_of_node();
    let variants = directory.join("variants");
    let part = if is_soak() { "all" } else { "small" };
    let chosen = chosen_families();
    let options = chosen.iter().flat_map(|chosen| chosen.split(',')).map(|name| format!("--family={name}"));
    run(python().arg("readers/generate.py").arg(&variants).args(["--part", part]).args(options));
    let mut by_family = BTreeMap::<String, Vec<PathBuf>>::new();
    for path in files_in(&variants) {
        let name = path.file_name().unwrap().to_string_lossy();
        let family = name.split_once('-').unwrap().0.to_owned();
        by_family.entry(family).or_default().push(path);
    }
    if chosen.is_none() {
        let n_variants = by_family.values().map(Vec::len).sum::<usize>();
        let promised = rounds(550, 30_000);
        assert!(n_variants >= promised, "{n_variants} variants; {promised} are promised");
        by_family.insert("evasion".to_owned(), evasions(directory, rounds(400, 4_000), rounds(1, 3)));
    }
    by_family.into_iter().map(|(name, files)| Family { name, files }).collect()
}

/// Writes the corpus of evasions and returns its files, by name.
pub(crate) fn evasions(directory: &Path, n_mutations: usize, seed: usize) -> Vec<PathBuf> {
    let (samples, files) = (directory.join("samples"), directory.join("evasions"));
    for directory in [&samples, &files] {
        std::fs::create_dir_all(directory).unwrap();
    }
    for sample in gate::Sample::ALL {
        std::fs::write(samples.join(format!("{:?}", sample.method)), sample.unmasked()).unwrap();
    }
    let counts = [n_mutations.to_string(), seed.to_string()];
    run(Command::new("python3").arg("evasion/corpus.py").args([&files, &samples]).args(counts));
    files_in(&files)
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Installs the libraries of Node that write and read documents and mail, unless they are there as pinned.
fn install_libraries_of_node() {
    const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/readers/node");
    let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readers-node.lock");
    let lock = std::fs::File::create(lock).unwrap();
    lock.lock().unwrap();
    let (wanted, installed) =
        (Path::new(HERE).join("package-lock.json"), "node_modules/.installed-lock.json");
    let installed = Path::new(HERE).join(installed);
    let is_same = |bytes| std::fs::read(&installed).is_ok_and(|before| before == bytes);
    if !is_same(std::fs::read(&wanted).unwrap()) {
        run(Command::new("npm")
            .args(["ci", "--silent", "--ignore-scripts", "--omit=optional"])
            .current_dir(HERE));
        std::fs::copy(&wanted, &installed).unwrap();
    }
}

/// Python with the libraries that read documents.
fn python() -> Command {
    let mut command = Command::new(venv("readers").join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// The files from which some reader extracts the test file, with the chain of readers. `options` may limit
/// which are asked.
fn extractable(files: &[PathBuf], options: &[&str]) -> BTreeMap<PathBuf, String> {
    install_libraries_of_node();
    let mut oracle = python();
    oracle.arg("readers/oracle.py").args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut oracle = oracle.spawn().unwrap();
    let lines = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
    let mut stdin = oracle.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = oracle.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let found = text.lines().map(|line| line.split_once('\t').unwrap());
    found.map(|(path, readers)| (path.into(), readers.to_owned())).collect()
}

/// Uploads one file under its own name and returns its status, with the reason or the signature.
async fn judge(service: &Service, path: &Path) -> (String, String) {
    let name = path.file_name().unwrap().to_string_lossy();
    let file_id = service.upload(&name, &std::fs::read(path).unwrap()).await;
    let info = service.ended(&file_id).await;
    let result = &info["scan_result"];
    let why = result["reason"].as_str().or(result["signature"].as_str()).unwrap_or_default();
    (info["scan_status"].as_str().unwrap().to_owned(), why.to_owned())
}

async fn judge_all(service: &Service, files: &[PathBuf]) -> BTreeMap<PathBuf, (String, String)> {
    let verdicts = stream::iter(files)
        .map(|path| async move { (path.clone(), judge(service, path).await) })
        .buffer_unordered(16);
    verdicts.collect().await
}

/// At most N of them, spread from the first to the last.
fn evenly(files: &[PathBuf], n: usize) -> impl Iterator<Item = &PathBuf> {
    files.iter().step_by(files.len().div_ceil(n).max(1))
}

#[test]
fn every_reader_is_installed() {
    install_libraries_of_node();
    let output = python().args(["readers/oracle.py", "--missing"]).output().unwrap();
    let missing = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(missing.is_empty(), "`tools/install test` installs these readers:\n{missing}");
}

/// A browser that does not start, or whose pages fail, would find nothing and break no other test.
#[test]
fn chromium_gets_files_out_of_documents_and_pages() {
    install_libraries_of_node();
    let directory = tempfile::tempdir().unwrap();
    for (reader, families) in [("pdf.js in Chromium", ["pdf", "pdflib"]), ("Chromium", ["markup", "text"])] {
        let variants = directory.path().join(reader);
        let mut generate = python();
        generate.arg("readers/generate.py").arg(&variants).args(["--part", "small"]);
        run(generate.args(families.map(|family| format!("--family={family}"))));
        let shows = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            // Bare, and in what the reader opens itself.
            name.contains("eicar.") && (name.ends_with("pdf") || name.ends_with("html"))
        };
        let files: Vec<_> = files_in(&variants).into_iter().filter(shows).collect();
        let found = extractable(&files, &["--reader", reader]);
        assert!(found.len() >= 4 && found.len() * 5 >= files.len() * 4, "{reader}: {found:?} of {files:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_reader_opens_is_clean() {
    let directory = tempfile::tempdir().unwrap();
    let families = families(directory.path());
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let all: Vec<_> = families.iter().flat_map(|family| family.files.clone()).collect();
    let verdicts = judge_all(&service, &all).await;
    let is_clean = |path: &PathBuf| !matches!(verdicts[path].0.as_str(), "infected" | "unscannable");

    // Whatever the verdicts, a reader must extract the test file from some files of each family: a generator
    // that hides it from every reader proves nothing.
    let samples = families.iter().flat_map(|family| evenly(&family.files, rounds(4, 20)));
    let asked: BTreeSet<_> = samples.chain(all.iter().filter(|path| is_clean(path))).cloned().collect();
    let asked: Vec<_> = asked.into_iter().collect();
    let found = tokio::task::spawn_blocking(move || extractable(&asked, &[])).await.unwrap();

    for family in &families {
        let mut counts = BTreeMap::<&str, usize>::new();
        for path in &family.files {
            *counts.entry(verdicts[path].0.as_str()).or_default() += 1;
        }
        let n_false = family.files.iter().filter(|path| is_clean(path) && found.contains_key(*path)).count();
        println!("{}: {} variants {counts:?}, {n_false} false cleans", family.name, family.files.len());
    }
    let wrong = all.iter().filter(|path| is_clean(path) && found.contains_key(*path));
    let wrong: Vec<_> = wrong
        .map(|path| json!([path.file_name().unwrap().to_string_lossy(), verdicts[path], found[path]]))
        .collect();
    assert!(wrong.is_empty(), "{} false cleans: {wrong:#?}", wrong.len());
    let blind = families.iter().filter(|family| !family.files.iter().any(|path| found.contains_key(path)));
    let blind: Vec<_> = blind.map(|family| &family.name).collect();
    assert!(blind.is_empty(), "no reader extracts anything from the samples of {blind:?}");
    service.stop().await;
}
