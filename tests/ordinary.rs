//! Ordinary files are clean: packages, documents, programs and archives, as common tools make them.
//!
//! `ordinary/README.md` lists what the corpus holds.

use std::collections::BTreeMap;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::{StreamExt as _, stream};

use crate::support::{Service, rounds};

/// The extensions of documents.
const DOCUMENTS: &[&str] = &[
    "doc", "docm", "docx", "eml", "epub", "fb2", "fods", "fodt", "htm", "html", "ics", "mht", "msg", "odg",
    "odp", "ods", "odt", "pdf", "ppt", "pptm", "pptx", "rtf", "tex", "vcf", "xls", "xlsb", "xlsm", "xlsx",
];

/// Downloads are kept between runs, beside the build's own results.
pub(crate) fn fetched() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ordinary");
    let status = Command::new("./ordinary/fetch").arg(&directory).status();
    assert!(status.unwrap().success(), "packages could not be fetched from PyPI, npm and Debian");
    directory
}

fn files_below(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let is_link = path.is_symlink();
        if path.is_dir() && !is_link {
            files_below(&path, files);
        } else if path.is_file() && !is_link && std::fs::metadata(&path).unwrap().len() > 0 {
            files.push(path);
        }
    }
}

fn extension(path: &Path) -> String {
    path.extension().map_or(String::new(), |text| text.to_string_lossy().to_lowercase())
}

/// Snappy's frames: only tests of libraries hold them, and no program of a desktop opens them.
const UNUSUAL: &str = "sz";

/// All packages and all made files; of what the packages hold, some of each extension, taken from one package
/// after the other.
pub(crate) fn corpus(directory: &Path, n_of_a_kind: usize) -> BTreeMap<String, Vec<PathBuf>> {
    let mut kinds = BTreeMap::<String, Vec<PathBuf>>::new();
    for part in ["packages", "made"] {
        let mut files = vec![];
        files_below(&directory.join(part), &mut files);
        files.sort();
        for path in files {
            kinds.entry(extension(&path)).or_default().push(path);
        }
    }
    // Each file with its rank among its package's files of this extension, so that the first file of every
    // package precedes all second ones.
    let mut unpacked = BTreeMap::<String, Vec<(usize, PathBuf)>>::new();
    for package in std::fs::read_dir(directory.join("unpacked")).unwrap() {
        let mut files = vec![];
        files_below(&package.unwrap().path(), &mut files);
        files.sort();
        let mut n_of_package = BTreeMap::<String, usize>::new();
        for path in files {
            let rank = n_of_package.entry(extension(&path)).or_default();
            *rank += 1;
            unpacked.entry(extension(&path)).or_default().push((*rank, path));
        }
    }
    unpacked.remove(UNUSUAL);
    for (extension, mut files) in unpacked {
        files.sort();
        kinds.entry(extension).or_default().extend(files.into_iter().take(n_of_a_kind).map(|(_, path)| path));
    }
    kinds
}

/// The number of documents by producer, as `ordinary/producers` reads it from the files.
fn producers<'a>(files: impl Iterator<Item = &'a PathBuf>) -> BTreeMap<String, usize> {
    let mut paths = files.map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
    paths.push('\n');
    let mut list = tempfile::tempfile().unwrap();
    list.write_all(paths.as_bytes()).unwrap();
    list.rewind().unwrap();
    let output = Command::new("./ordinary/producers").stdin(list).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut counts = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (producer, _) = line.split_once('\t').unwrap();
        *counts.entry(producer.to_owned()).or_default() += 1;
    }
    counts
}

/// The files that are refused, by the end of their path, with the reason that they must have.
fn exceptions() -> BTreeMap<&'static str, &'static str> {
    let rows = include_str!("ordinary/exceptions.txt").lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split_once(": ").unwrap()).map(|(reason, path)| (path, reason)).collect()
}

/// The expected result for a file: the reason of its refusal, or null.
fn expected(exceptions: &BTreeMap<&str, &str>, path: &Path) -> serde_json::Value {
    let reason = exceptions.iter().find(|(end, _)| path.ends_with(end)).map(|(_, reason)| *reason);
    reason.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_files_are_clean() {
    let directory = tokio::task::spawn_blocking(fetched).await.unwrap();
    let kinds = corpus(&directory, rounds(9, 10_000));
    let counts = kinds.iter().map(|(kind, files)| (kind, files.len())).collect::<BTreeMap<_, _>>();
    let files = kinds.values().flatten().cloned().collect::<Vec<_>>();
    println!("{} files of {} kinds: {counts:?}", files.len(), kinds.len());
    assert!(files.len() >= 1_500, "the corpus is too small: {}", files.len());
    assert!(kinds.len() >= 120, "the corpus has too few kinds: {}", kinds.len());
    let documents = DOCUMENTS.iter().filter_map(|kind| kinds.get(*kind)).flatten();
    let producers = producers(documents);
    let n_documents = producers.values().sum::<usize>();
    println!("{n_documents} documents of {} producers: {producers:?}", producers.len());
    assert!(n_documents >= 600, "the corpus has too few documents: {n_documents}");
    assert!(producers.len() >= 40, "the corpus has documents of too few producers: {}", producers.len());
    let exceptions = &exceptions();
    assert!(exceptions.len() * 200 <= files.len(), "more than 0.5 % of the corpus are exceptions");

    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let uploaded_to = &service;
    let surprising = stream::iter(files)
        .map(|path| async move {
            let file_id = uploaded_to.upload("sample", &std::fs::read(&path).unwrap()).await;
            let info = uploaded_to.ended(&file_id).await;
            let reason = &info["scan_result"]["reason"];
            let is_clean = info["scan_status"] == "clean";
            let expected = expected(exceptions, &path);
            let is_expected = if expected.is_null() { is_clean } else { *reason == expected };
            (!is_expected).then(|| (path, info["scan_result"].clone()))
        })
        .buffer_unordered(8)
        .filter_map(|surprising| async { surprising })
        .collect::<Vec<_>>()
        .await;
    assert!(surprising.is_empty(), "{surprising:#?}");
    service.stop().await;
}
