//! The repository's own invariants.

mod circles;
mod language;
mod names;
mod rooms;
mod width;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The names of everything that a crate is built from.
fn dependencies(package: &str) -> BTreeSet<String> {
    let mut cargo = Command::new("cargo");
    cargo.args(["tree", "--offline", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}"]);
    let output = cargo.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(ToOwned::to_owned).collect()
}

fn sources() -> Vec<(PathBuf, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    let read = |name: &str| Some((PathBuf::from(name), std::fs::read_to_string(root().join(name)).ok()?));
    names.lines().filter_map(read).collect()
}

#[test]
fn the_domain_is_pure() {
    // Crates for values and text, and proc macros: none waits or does I/O.
    let allowed: BTreeSet<&str> = [
        "domain",
        "base64",
        "deranged",
        "num-conv",
        "percent-encoding",
        "powerfmt",
        "proc-macro2",
        "quote",
        "serde",
        "serde_core",
        "serde_derive",
        "syn",
        "thiserror",
        "thiserror-impl",
        "time",
        "time-core",
        "time-macros",
        "tinyvec",
        "tinyvec_macros",
        "unicode-ident",
        "unicode-normalization",
        "uuid",
        // SHA-256, for ids that are derived from content.
        "sha2",
        "digest",
        "block-buffer",
        "crypto-common",
        "hybrid-array",
        "typenum",
        "const-oid",
        "cpufeatures",
        "itoa",
        "getrandom",
        "libc",
        "cfg-if",
        "rand_core",
    ]
    .into();
    let found = dependencies("domain");
    let unexpected: Vec<_> = found.iter().filter(|name| !allowed.contains(name.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert!(found.contains("serde"), "the list is empty, so it proves nothing: {found:?}");
}

#[test]
fn no_function_is_built_from_a_stand_in() {
    for function in ["api", "scan", "download", "definitions", "sweep", "live", "notify"] {
        let found = dependencies(function);
        assert!(found.contains("domain"));
        for name in ["standin", "local", "s3s", "dynoxide-rs", "rusqlite"] {
            assert!(!found.contains(name), "{function} is built from {name}");
        }
    }
    assert!(dependencies("local").contains("standin"));
    for function in ["api", "download", "sweep"] {
        assert!(!dependencies(function).contains("clamd"), "{function} is built from the engine");
    }
}

#[test]
fn files_are_small() {
    let mut n_checked = 0;
    for (path, text) in sources() {
        let is_code = path
            .extension()
            .is_some_and(|extension| ["rs", "js", "mjs", "css", "py"].iter().any(|code| extension == *code));
        if !is_code {
            continue;
        }
        n_checked += 1;
        let is_main = path.starts_with("functions") && path.ends_with("src/main.rs");
        let limit = if is_main { 40 } else { 400 };
        let n_lines = text.lines().count();
        assert!(n_lines <= limit, "{} has {n_lines} lines; the limit is {limit}", path.display());
    }
    assert!(n_checked > 60, "{n_checked}");
}

#[test]
fn every_crate_obeys_the_workspace_lints_and_licence() {
    let manifests = sources()
        .into_iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml") && path.components().count() > 1)
        // A separate workspace under another licence.
        .filter(|(path, _)| !path.starts_with("clamav-layer/engine"));
    let mut n_checked = 0;
    for (path, text) in manifests {
        n_checked += 1;
        // One calls libraries in C and C++ and the other forks, so neither can forbid `unsafe`; their own
        // tables have the workspace's other lints.
        let may_be_unsafe = ["shared/openers/Cargo.toml", "shared/confine/Cargo.toml"]
            .map(Path::new)
            .contains(&path.as_path());
        let has_lints = if may_be_unsafe { "unsafe_code = \"deny\"" } else { "[lints]\nworkspace = true" };
        assert!(text.contains(has_lints), "{}", path.display());
        assert!(text.contains("license.workspace = true"), "{}", path.display());
        let has_version = text.lines().any(|line| line.contains("version = \""));
        assert!(!has_version, "{}: versions are stated in the workspace", path.display());
    }
    assert!(n_checked >= 11, "{n_checked}");
}

#[test]
fn every_module_begins_with_a_sentence() {
    for (path, text) in sources() {
        if path.extension().is_some_and(|extension| extension == "rs") {
            assert!(text.starts_with("//! "), "{} has no first sentence", path.display());
        }
    }
}

#[test]
fn only_the_table_makes_errors() {
    for (path, text) in sources() {
        let in_function =
            path.starts_with("functions") && path.extension().is_some_and(|extension| extension == "rs");
        if !in_function {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        for status in [
            "BAD_REQUEST",
            "NOT_FOUND",
            "FORBIDDEN",
            "UNAUTHORIZED",
            "INTERNAL_SERVER_ERROR",
            "CONFLICT",
            "GONE",
        ] {
            assert!(
                !code.contains(&format!("StatusCode::{status}")),
                "{} makes an error of its own",
                path.display()
            );
        }
    }
}

/// What an `Environment` holds is private to its crate, so nothing else can read a variable from one either.
#[test]
fn only_settings_reads_the_environment() {
    let reads = ["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];
    let readers = sources().into_iter().filter(|(path, text)| {
        let is_code = path.extension().is_some_and(|extension| extension == "rs");
        let is_test = path.components().any(|part| part.as_os_str() == "tests");
        let code = text.split("#[cfg(test)]").next().unwrap();
        is_code && !is_test && reads.iter().any(|call| code.contains(call))
    });
    let readers: Vec<_> = readers.map(|(path, _)| path).collect();
    assert_eq!(readers, [Path::new("shared/settings/src/environment.rs")]);
}
