//! The gate gets everything that `7z x` extracts, from ClamAV's test files, the gate's own samples and the
//! archives made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gate::Sample;

use crate::{all_made, holds, open, sorted_entries};

/// The files that `7z x` extracts; `None` if it reads the file as a program, which does not count as a
/// container here.
fn extracted(archive: &Path, into: &Path) -> Option<Vec<Vec<u8>>> {
    // -aou renames a file whose name exists already. -mmt1: with several threads, 7-Zip loses later streams
    // of a damaged bzip2.
    let words = ["x", "-y", "-bd", "-aou", "-p-", "-mmt1"];
    let output =
        Command::new("7z").args(words).arg(format!("-o{}", into.display())).arg(archive).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if said.lines().any(|line| ["Type = PE", "Type = ELF", "Type = COFF"].contains(&line)) {
        return None;
    }
    let mut found = Vec::new();
    let mut directories = vec![into.to_owned()];
    while let Some(directory) = directories.pop() {
        if !directory.is_dir() {
            continue;
        }
        for path in sorted_entries(&directory) {
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                found.push(fs::read(path).unwrap());
            }
        }
    }
    found.retain(|bytes| !bytes.is_empty());
    Some(found)
}

/// The members and their members: 7-Zip opens the main member of some archives too, such as a package's data,
/// and the gate inspects every member.
fn everything(bytes: &[u8], depth: usize) -> Vec<Vec<u8>> {
    let members = open(bytes).1.given.into_iter().map(|(member, _)| member);
    let mut all: Vec<_> = members.collect();
    if depth > 1 {
        let inner: Vec<_> = all.iter().flat_map(|member| everything(member, depth - 1)).collect();
        all.extend(inner);
    }
    all
}

/// Returns how many files were compared.
fn compare(archive: &Path) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let Some(expected) = extracted(archive, &directory.path().join("out")) else { return 0 };
    let given = everything(&fs::read(archive).unwrap(), 4);
    let (given, expected): (Vec<_>, Vec<_>) =
        (given.iter().map(Vec::as_slice).collect(), expected.iter().map(Vec::as_slice).collect());
    let sizes = |members: &[&[u8]]| members.iter().map(|bytes| bytes.len()).collect::<Vec<_>>();
    assert!(
        holds(&given, &expected),
        "{}: {:?} for {:?}",
        archive.display(),
        sizes(&given),
        sizes(&expected)
    );
    expected.len()
}

#[test]
fn of_clamavs_test_files() {
    let files = sorted_entries(Path::new("/usr/share/clamav-testfiles"));
    assert!(files.len() > 40, "apt-get install clamav-testfiles");
    let n_compared: usize = files.iter().map(|file| compare(file)).sum();
    assert!(n_compared >= 70, "{n_compared}");
}

#[test]
fn of_the_gates_samples() {
    let directory = tempfile::tempdir().unwrap();
    let mut n_compared = 0;
    for (number, sample) in Sample::ALL.iter().enumerate() {
        let path = directory.path().join(number.to_string());
        fs::write(&path, sample.unmasked()).unwrap();
        n_compared += compare(&path);
    }
    assert!(n_compared >= 17, "{n_compared}");
}

#[test]
fn of_everything_made_here() {
    let directory = tempfile::tempdir().unwrap();
    let mut n_compared = 0;
    for made in all_made() {
        let path = directory.path().join(&made.name);
        fs::write(&path, &made.archive).unwrap();
        n_compared += compare(&path);
    }
    assert!(n_compared > 120, "{n_compared}");
}

/// Behind a program, and in the middle of other bytes, 7-Zip finds archives by their signatures.
#[test]
fn of_everything_made_here_behind_something_else() {
    let directory = tempfile::tempdir().unwrap();
    let program = fs::read("/bin/true").unwrap();
    let mut n_compared = 0;
    // Sparse disk images are large, and their formats are searched for like all others.
    for made in all_made().into_iter().filter(|made| made.archive.len() < 1 << 20) {
        for (what, before, after) in [
            ("program", program.as_slice(), b"".as_slice()),
            ("text", b"This is no archive.\n".as_slice(), b"Nor is this.".as_slice()),
        ] {
            let path: PathBuf = directory.path().join(format!("{}-behind-{what}", made.name));
            fs::write(&path, [before, &made.archive, after].concat()).unwrap();
            n_compared += compare(&path);
        }
    }
    assert!(n_compared > 120, "{n_compared}");
}
