//! The packages for Lambda are within Lambda's limits and our own, which keep starts short.

use std::path::Path;
use std::process::Command;

use crate::layer;
use crate::support::runtime_api::bootstrap;

const FUNCTIONS: [&str; 7] = ["api", "definitions", "download", "live", "notify", "scan", "sweep"];
/// Our own limit, because a larger package takes longer to start.
const LARGEST_PACKAGE_BYTES: u64 = 6_000_000;
/// Lambda's limit for a function and all its layers, unzipped.
const LARGEST_UNZIPPED_BYTES: u64 = 250_000_000;
/// The libc of `provided.al2023`.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

#[test]
fn packages_are_small() {
    let directory = tempfile::tempdir().unwrap();
    for function in FUNCTIONS {
        let package = directory.path().join(format!("{function}.zip"));
        let zipped = Command::new("zip").args(["-qj9"]).arg(&package).arg(bootstrap(function)).status();
        assert!(zipped.unwrap().success());
        let n_bytes = std::fs::metadata(&package).unwrap().len();
        println!("{function}: {n_bytes} bytes");
        assert!(n_bytes <= LARGEST_PACKAGE_BYTES, "{function}: {n_bytes} bytes");
    }
}

#[test]
fn the_layer_and_the_largest_function_fit_together() {
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let largest = FUNCTIONS.iter().map(|function| size(&bootstrap(function))).max().unwrap();
    for arch in ["x86_64", "arm64"] {
        let n_bytes = layer::unzipped_bytes(arch) + largest;
        println!("{arch}: {n_bytes} bytes");
        assert!(n_bytes < LARGEST_UNZIPPED_BYTES, "{arch}: {n_bytes} bytes");
    }
}

#[test]
fn functions_need_no_newer_libc_than_lambda_has() {
    for function in FUNCTIONS {
        let listed = Command::new("objdump").arg("-T").arg(bootstrap(function)).output().unwrap();
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
