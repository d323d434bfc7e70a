//! Clients that are generated from openapi.json compile and work: they upload, wait for the verdict, list
//! with a filter, and download.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::Service;

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/generated");

/// Runs a command and returns its standard output. Panics with both outputs if it fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{stdout}{stderr}");
    stdout.into_owned()
}

/// The programs of the pinned npm packages, which are installed if they are missing.
fn npm_programs() -> PathBuf {
    let packages = Path::new(HERE).join("node_modules");
    if !packages.join(".package-lock.json").try_exists().unwrap() {
        run(Command::new("npm").args(["ci", "--silent"]).current_dir(HERE));
    }
    packages.join(".bin")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_python_client_works() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/venv");
        let venv = PathBuf::from(run(Command::new(tool).arg("generated")).trim());
        let made = tempfile::tempdir().unwrap();
        let package = made.path().join("airlock_api");
        let mut generate = Command::new(venv.join("bin/openapi-python-client"));
        generate
            .args(["generate", "--url", &service.url("/openapi.json"), "--meta", "none"])
            // The generator omits an operation that it cannot express, with a warning.
            .arg("--fail-on-warning")
            .args(["--config", &format!("{HERE}/python.yaml"), "--output-path"])
            .arg(&package);
        run(&mut generate);
        let python = || Command::new(venv.join("bin/python"));
        run(python().args(["-m", "compileall", "-q"]).arg(&package));
        let client = format!("{HERE}/client.py");
        let said = run(python().args([&client, &service.url("")]).env("PYTHONPATH", made.path()));
        assert_eq!(said.trim(), "ok");
    });
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_python_client_works() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let made = tempfile::tempdir().unwrap();
        let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/dist/python");
        let wheel = run(Command::new(pack).arg(made.path()));
        let venv = made.path().join("venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
        let python = || Command::new(venv.join("bin/python"));
        // From the wheel alone: it has no dependencies.
        run(python().args(["-m", "pip", "install", "--quiet", "--no-index", wheel.trim()]));
        let client = format!("{HERE}/published.py");
        let said = run(python().args([&client, &service.url("")]));
        assert_eq!(said.trim(), "ok");
    });
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_typescript_client_works() {
    let service = Service::start().await;
    tokio::task::block_in_place(|| {
        let programs = npm_programs();
        // In a directory below the packages, so that the compiler and Node.js find them.
        let made = tempfile::tempdir_in(Path::new(HERE).join("node_modules")).unwrap();
        let types = made.path().join("api.d.ts");
        let mut generate = Command::new(programs.join("openapi-typescript"));
        run(generate.arg(service.url("/openapi.json")).arg("--output").arg(&types));
        let source = made.path().join("client.mts");
        std::fs::copy(format!("{HERE}/client.mts"), &source).unwrap();
        let mut compile = Command::new(programs.join("tsc"));
        compile
            .args(["--strict", "--noUncheckedIndexedAccess", "--target", "es2023"])
            .args(["--lib", "es2023,dom,dom.iterable", "--module", "nodenext"])
            .args(["--moduleResolution", "nodenext"])
            .arg(&source);
        run(&mut compile);
        let compiled = made.path().join("client.mjs");
        let said = run(Command::new("node").arg(compiled).arg(service.url("")));
        assert_eq!(said.trim(), "ok");
    });
    service.stop().await;
}
