//! Ordinary files do not suffer: packages, documents, programs and archives, as common tools make them, are clean.
//!
//! `ordinary/README.md` lists what the corpus holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use futures_util::{StreamExt as _, stream};

use crate::support::{Service, rounds};

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

/// All packages and all made archives; of what the packages hold, some of each kind.
pub(crate) fn corpus(directory: &Path, n_of_a_kind: usize) -> BTreeMap<String, Vec<PathBuf>> {
    let mut kinds = BTreeMap::<String, Vec<PathBuf>>::new();
    for part in ["packages", "made", "unpacked"] {
        let mut files = vec![];
        files_below(&directory.join(part), &mut files);
        files.sort();
        for path in files {
            let extension =
                path.extension().map_or(String::new(), |text| text.to_string_lossy().to_lowercase());
            let kind = kinds.entry(if part == "unpacked" { format!(".{extension}") } else { part.into() });
            let kind = kind.or_default();
            if part != "unpacked" || kind.len() < n_of_a_kind {
                kind.push(path);
            }
        }
    }
    kinds
}

#[tokio::test(flavor = "multi_thread")]
async fn ordinary_files_are_clean() {
    let directory = tokio::task::spawn_blocking(fetched).await.unwrap();
    let kinds = corpus(&directory, rounds(12, 10_000));
    let counts = kinds.iter().map(|(kind, files)| (kind, files.len())).collect::<BTreeMap<_, _>>();
    let files = kinds.values().flatten().cloned().collect::<Vec<_>>();
    println!("{} files: {counts:?}", files.len());
    let service = Service::start_with(&[("ALLOWED_EXTENSIONS", "*")], |_| {}).await;
    let refused = stream::iter(files.clone())
        .map(|path| async {
            let file_id = service.upload("sample", &std::fs::read(&path).unwrap()).await;
            let info = service.ended(&file_id).await;
            (info["scan_status"] != "clean").then(|| (path, info["scan_result"].clone()))
        })
        .buffer_unordered(8)
        .filter_map(|refused| async { refused })
        .collect::<Vec<_>>()
        .await;
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(files.len() >= 300, "the corpus is too small: {}", files.len());
    service.stop().await;
}
