//! The packages for Lambda are within Lambda's limits and our own, which keep starts short.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::layer;

const FUNCTIONS: [&str; 7] = ["api", "definitions", "download", "live", "notify", "scan", "sweep"];
/// Our own limit, because a larger package takes longer to start.
const LARGEST_PACKAGE_BYTES: u64 = 6_000_000;
/// Lambda's limit for a function and all its layers, unzipped.
const LARGEST_UNZIPPED_BYTES: u64 = 250_000_000;
/// The libc of `provided.al2023`.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

/// Every function as it is built for this machine's architecture, and for arm64 as well where `make arm64` or
/// `make lambda` has built that.
fn functions() -> Vec<(&'static str, PathBuf)> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
    let mut directories = vec![target.join("lambda")];
    let for_arm64 = target.join("lambda-arm64");
    if for_arm64.try_exists().unwrap() {
        directories.push(for_arm64);
    } else {
        println!("not checked for arm64: `make arm64` builds it");
    }
    let built = |directory: PathBuf| FUNCTIONS.map(|name| (name, directory.join(name).join("bootstrap")));
    directories.into_iter().flat_map(built).collect()
}

#[test]
fn packages_are_small() {
    let directory = tempfile::tempdir().unwrap();
    for (function, bootstrap) in functions() {
        let package = directory.path().join(format!("{function}.zip"));
        // `zip` would add to an older package.
        let _ = std::fs::remove_file(&package);
        let zipped = Command::new("zip").args(["-qj9"]).arg(&package).arg(&bootstrap).status();
        assert!(zipped.unwrap().success());
        let n_bytes = std::fs::metadata(&package).unwrap().len();
        println!("{}: {n_bytes} bytes", bootstrap.display());
        assert!(n_bytes <= LARGEST_PACKAGE_BYTES, "{function}: {n_bytes} bytes");
    }
}

#[test]
fn the_layer_and_the_largest_function_fit_together() {
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let largest = functions().iter().map(|(_, bootstrap)| size(bootstrap)).max().unwrap();
    for arch in ["x86_64", "arm64"] {
        let n_bytes = layer::unzipped_bytes(arch) + largest;
        println!("{arch}: {n_bytes} bytes");
        assert!(n_bytes < LARGEST_UNZIPPED_BYTES, "{arch}: {n_bytes} bytes");
    }
}

#[test]
fn functions_need_no_newer_libc_than_lambda_has() {
    for (function, bootstrap) in functions() {
        let mut readelf = Command::new("readelf");
        let listed = readelf.args(["--version-info", "--wide"]).arg(&bootstrap).output().unwrap();
        assert!(listed.status.success());
        let text = String::from_utf8(listed.stdout).unwrap();
        let versions = text.split("GLIBC_").skip(1).filter_map(|rest| {
            let mut parts = rest.split(|letter: char| !letter.is_ascii_digit());
            Some((parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?))
        });
        let newest = versions.max().unwrap();
        assert!(newest <= NEWEST_GLIBC, "{function} needs glibc {newest:?}");
    }
}

#[test]
fn functions_for_arm64_are_for_arm64() {
    /// `EM_AARCH64`, in an ELF header's `e_machine`.
    const AARCH64: [u8; 2] = [183, 0];
    let for_arm64 = |path: &Path| path.components().any(|part| part.as_os_str() == "lambda-arm64");
    for (function, bootstrap) in functions().iter().filter(|(_, path)| for_arm64(path)) {
        let program = std::fs::read(bootstrap).unwrap();
        assert_eq!(program[18..20], AARCH64, "{function}");
    }
}
