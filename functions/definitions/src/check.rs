//! Is a set any good? The scanners' own engine loads it, finds what it must and passes what it must.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clamd::{Engine, EngineError, Transport, harmless};
use domain::verdict::{EngineReply, EngineVersion};
use thiserror::Error;

use crate::Context;

/// Why a set is not published.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error("the engine does not work with these definitions")]
    Engine(#[from] EngineError),
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("`{file}`, which is harmless, is found to be `{reply:?}`")]
    FalseAlarm { file: PathBuf, reply: EngineReply },
}

const SCAN_TIMEOUT: Duration = Duration::from_mins(1);

/// Loads what freshclam left, and ends the engine again.
pub(crate) async fn check(context: &Context) -> Result<EngineVersion, CheckError> {
    let made = std::fs::create_dir_all(&context.engine.run_directory);
    made.map_err(EngineError::TemporaryDirectory)?;
    let engine = Engine::new(context.engine.clone(), Transport::Stream);
    let checked = check_with(context, &engine).await;
    engine.stop().await;
    checked
}

async fn check_with(context: &Context, engine: &Engine) -> Result<EngineVersion, CheckError> {
    let stamp = engine.check().await?;
    for path in &context.known_good {
        let file = File::open(path).map_err(|error| CheckError::Unreadable(path.clone(), error))?;
        pass(engine, path, &file).await?;
    }
    for (name, bytes) in harmless::DOCUMENTS {
        let written = tempfile::tempfile_in(&context.engine.run_directory).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
        let file = written.map_err(EngineError::TemporaryDirectory)?;
        pass(engine, name.as_ref(), &file).await?;
    }
    Ok(stamp)
}

async fn pass(engine: &Engine, path: &std::path::Path, file: &File) -> Result<(), CheckError> {
    let metadata = file.metadata().map_err(|error| CheckError::Unreadable(path.to_owned(), error))?;
    let scan = engine.scan(file, metadata.len(), vec![], SCAN_TIMEOUT).await?;
    if !(scan.canary_found_before && scan.canary_found_after) {
        return Err(EngineError::NoCanary.into());
    }
    match scan.replies.into_iter().find(|reply| *reply != EngineReply::Ok) {
        None => Ok(()),
        Some(reply) => Err(CheckError::FalseAlarm { file: path.to_owned(), reply }),
    }
}
