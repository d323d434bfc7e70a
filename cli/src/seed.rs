//! `definitions seed`: uploads official definitions from this machine for a stack that no mirror serves.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws::{DefinitionBucket, Sdk};
use clamd::freshclam::{Databases, Freshclam, Mirror};
use clamd::{DaemonConfig, Engine, EngineLimits, EngineProgram, Transport};
use definition_set::Seed;
use settings::Environment;

const DATABASES: [&str; 3] = ["main", "daily", "bytecode"];
/// For 250 MB over a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_hours(2);
/// clamd loads a full set in 10 to 60 seconds.
const LOAD_TIMEOUT: Duration = Duration::from_mins(5);

/// Uploads the databases in `from`, or those that freshclam downloads now, to `bucket`, after clamd has
/// verified them.
pub(crate) async fn seed(bucket: String, from: Option<&Path>) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("there is no temporary space")?;
    let databases = work.path().join("databases");
    std::fs::create_dir(&databases).context("there is no temporary space")?;
    match from {
        Some(from) => copy(from, &databases)?,
        None => download(&databases).await?,
    }
    let definitions = clamd::definitions::read(&databases)?;
    let seed = Seed::describe(&databases, definitions)?;
    println!("loading definitions {} of {}", seed.definitions.version, seed.definitions.built_at);
    verify(&databases, &work.path().join("run")).await?;
    let n_bytes: u64 = seed.files.iter().map(|file| file.size_bytes).sum();
    println!("verified; uploading {} MB to `{bucket}`", n_bytes / 1_000_000);
    let target = DefinitionBucket::new(&Sdk::from_environment().await, bucket);
    seed.upload(&target, &databases).await?;
    println!(
        "uploaded; the stack's next update publishes them. To start it now:\n  \
         aws lambda invoke --function-name \"$DEFINITIONS_FUNCTION\" --payload '{{\"action\":\"update\"}}' \
         --cli-binary-format raw-in-base64-out /dev/stdout"
    );
    Ok(())
}

/// Copies the three databases. Patched ones (`.cld`) are refused, because they have no signature.
fn copy(from: &Path, databases: &Path) -> anyhow::Result<()> {
    for name in DATABASES {
        let (signed, patched) = (format!("{name}.cvd"), from.join(format!("{name}.cld")));
        let source = from.join(&signed);
        if !source.is_file() && patched.is_file() {
            bail!(
                "`{}` has been patched by freshclam and carries no signature; \
                 leave `--from` out to download `{signed}`",
                patched.display()
            );
        }
        std::fs::copy(&source, databases.join(&signed))
            .with_context(|| format!("`{}` cannot be read", source.display()))?;
    }
    Ok(())
}

async fn download(databases: &Path) -> anyhow::Result<()> {
    let proxy = Environment::of_process().proxy();
    let freshclam = Freshclam {
        program: "freshclam".into(),
        directory: databases.to_owned(),
        mirror: Mirror::Official,
        databases: Databases::Official,
        certificates: None,
        proxy: proxy.iter().map(|(name, value)| (name.clone(), value.exposed().to_owned())).collect(),
    };
    freshclam.run(DOWNLOAD_TIMEOUT, |line| println!("  {line}")).await?;
    // freshclam's own state is no database.
    let _ = std::fs::remove_file(databases.join(clamd::freshclam::STATE_FILE));
    Ok(())
}

/// Loads the databases, which verifies their signatures, and finds the canary with them.
async fn verify(databases: &Path, run_directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(run_directory).context("there is no temporary space")?;
    let config = DaemonConfig {
        program: EngineProgram::Clamd("clamd".into()),
        launcher: vec![],
        run_directory: run_directory.to_owned(),
        definitions_directory: databases.to_owned(),
        limits: EngineLimits { max_file_size: 1 << 20, max_scan_time: Duration::from_mins(1) },
        start_timeout: LOAD_TIMEOUT,
    };
    let engine = Engine::new(config, Transport::Stream);
    let checked = engine.check().await;
    engine.stop().await;
    checked.map(drop).context("the definitions are not intact")
}
