//! For every available archive, the opener returns all content that bsdtar extracts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use gate::Sample;

use crate::{described, digest, libarchive};

#[test]
fn all_that_bsdtar_extracts_is_given() {
    let mut libarchive = libarchive();
    let mut n_extracted = 0;
    let samples = Sample::ALL.iter().map(|sample| (format!("{:?}", sample.method), sample.unmasked()));
    let files = files(Path::new("/usr/share/clamav-testfiles"));
    let files = files.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap()));
    for (name, bytes) in samples.chain(files) {
        let extracted = extracted(&bytes);
        n_extracted += extracted.len();
        let given = described(&mut libarchive, bytes);
        for content in extracted {
            assert!(given.contains(&format!("- {content} ")), "{name}: {content} is not in\n{given}");
        }
    }
    assert!(n_extracted >= 20, "{n_extracted}");
}

/// The files that `bsdtar -x` writes.
fn extracted(archive: &[u8]) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("archive");
    std::fs::write(&path, archive).unwrap();
    let into = directory.path().join("into");
    std::fs::create_dir(&into).unwrap();
    let output = Command::new("bsdtar").arg("-xf").arg(&path).current_dir(&into).output();
    let _ = output.unwrap();
    let contents = files(&into).into_iter().map(|path| std::fs::read(path).unwrap());
    // A member that bsdtar cannot unpack becomes a file of zeros.
    contents.filter(|content| content.iter().any(|byte| *byte != 0)).map(|content| digest(&content)).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
