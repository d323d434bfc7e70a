//! Measures how long a function's process takes from its start to its first request for an event, with the
//! release builds of `tools/lambda`.
//!
//! The time includes what the init phase fetches; secrets are in the environment, so no request leaves the
//! machine.

use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

const ROUNDS: usize = 21;
const ENVIRONMENT: [(&str, &str); 12] = [
    ("AIRLOCK_SCAN_QUEUE_URL", "http://127.0.0.1:1/queue"),
    ("AIRLOCK_TABLE", "airlock"),
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("AWS_LAMBDA_FUNCTION_NAME", "f"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("JWKS_URL", "https://issuer.example/keys"),
    ("JWT_AUDIENCE", "airlock"),
    ("JWT_ISSUER", "https://issuer.example"),
    ("SECRET_KEY", "a secret of at least thirty-two bytes"),
];

pub(crate) fn run() -> anyhow::Result<()> {
    for function in ["api", "download", "sweep"] {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lambda").join(function).join("bootstrap");
        let mut taken = (0..ROUNDS).map(|_| once(&program, function)).collect::<anyhow::Result<Vec<_>>>()?;
        taken.sort();
        println!("{function}: median {:?}, slowest {:?}", taken[ROUNDS / 2], taken[ROUNDS - 1]);
    }
    Ok(())
}

fn once(program: &Path, function: &str) -> anyhow::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let names_queue = function != "download";
    let environment = ENVIRONMENT.iter().filter(|(name, _)| names_queue || *name != "AIRLOCK_SCAN_QUEUE_URL");
    let began = Instant::now();
    let mut child = Command::new(program)
        .env_clear()
        .envs(environment.copied())
        .env("S3_BUCKET_NAME", "airlock")
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("`{}` cannot be run: tools/lambda builds it", program.display()))?;
    let (mut asking, _) = listener.accept()?;
    let mut question = [0; 64];
    let n_bytes = asking.read(&mut question)?;
    let taken = began.elapsed();
    anyhow::ensure!(
        question[..n_bytes].starts_with(b"GET /2018-06-01/runtime/invocation/next"),
        "{function} asks for something else"
    );
    child.kill()?;
    child.wait()?;
    Ok(taken)
}
