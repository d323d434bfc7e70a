//! Checks a set before it is published: the scanners' own engine loads it, finds the canary and passes
//! harmless files.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clamd::{Engine, EngineError, Scan, Transport, clean_samples};
use domain::verdict::{EngineReply, EngineVersion};
use thiserror::Error;

use crate::PublisherContext;

/// Why a set is not published.
#[derive(Debug, Error)]
pub enum CheckError {
    #[error("the engine does not work with these definitions")]
    Engine(#[from] EngineError),
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    #[error("the harmless file `{file}` is reported as `{reply:?}`")]
    FalseAlarm { file: PathBuf, reply: EngineReply },
}

const SCAN_TIMEOUT: Duration = Duration::from_mins(1);

/// Starts an engine with the set that freshclam left, checks it and stops the engine. Returns the versions of
/// the engine and its definitions.
pub(crate) async fn check(context: &PublisherContext) -> Result<EngineVersion, CheckError> {
    let made = std::fs::create_dir_all(&context.engine.run_directory);
    made.map_err(EngineError::TemporaryDirectory)?;
    let engine = Engine::new(context.engine.clone(), Transport::Stream);
    let checked = check_with(context, &engine).await;
    engine.stop().await;
    checked
}

async fn check_with(context: &PublisherContext, engine: &Engine) -> Result<EngineVersion, CheckError> {
    let stamp = engine.check().await?;
    for path in &context.known_good {
        let file = File::open(path).map_err(|error| CheckError::Unreadable(path.clone(), error))?;
        pass(engine, path, &file).await?;
    }
    for (name, bytes) in clean_samples::DOCUMENTS {
        let written = tempfile::tempfile_in(&context.engine.run_directory).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
        let file = written.map_err(EngineError::TemporaryDirectory)?;
        pass(engine, name.as_ref(), &file).await?;
    }
    Ok(stamp)
}

async fn pass(engine: &Engine, path: &Path, file: &File) -> Result<(), CheckError> {
    let metadata = file.metadata().map_err(|error| CheckError::Unreadable(path.to_owned(), error))?;
    let scan = engine.scan(file, metadata.len(), vec![], SCAN_TIMEOUT).await?;
    harmless_scan(path, scan)
}

/// Refuses a scan of a harmless file that found something, or whose engine missed the canary.
fn harmless_scan(path: &Path, scan: Scan) -> Result<(), CheckError> {
    if !(scan.canary_found_before && scan.canary_found_after) {
        return Err(EngineError::NoCanary.into());
    }
    match scan.replies.into_iter().find(|reply| *reply != EngineReply::Ok) {
        None => Ok(()),
        Some(reply) => Err(CheckError::FalseAlarm { file: path.to_owned(), reply }),
    }
}

#[cfg(test)]
mod tests {
    use fixtures::{engine, evidence};

    use super::*;

    fn scan() -> Scan {
        let (replies, engine) = (evidence().replies, engine("1"));
        let (canary_found_before, canary_found_after) = (true, true);
        Scan { replies, n_bytes: 10, canary_found_before, canary_found_after, n_engine_errors: 0, engine }
    }

    #[test]
    fn a_finding_in_a_harmless_file_or_a_missed_canary_stops_the_publication() {
        let path = Path::new("/bin/true");
        assert!(harmless_scan(path, scan()).is_ok());
        let found = Scan { replies: vec![EngineReply::Ok, EngineReply::Found("Eicar".to_owned())], ..scan() };
        let alarm = harmless_scan(path, found).unwrap_err();
        assert_eq!(alarm.to_string(), "the harmless file `/bin/true` is reported as `Found(\"Eicar\")`");
        for blind in
            [Scan { canary_found_before: false, ..scan() }, Scan { canary_found_after: false, ..scan() }]
        {
            let error = harmless_scan(path, blind).unwrap_err();
            assert!(matches!(error, CheckError::Engine(EngineError::NoCanary)), "{error}");
        }
    }
}
