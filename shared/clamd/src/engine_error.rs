//! Why a scan has no result.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::client::ClientError;
use crate::daemon::StartError;

/// There is no scan result. The engine was killed if it was at fault; the next scan starts another one.
#[derive(Debug, Error)]
pub enum EngineError {
    #[error("the engine could not be started")]
    Start(#[from] StartError),
    #[error("the engine failed")]
    Client(#[from] ClientError),
    #[error("the engine has {free_bytes} bytes of temporary space and may need {needed_bytes}")]
    NoSpace { free_bytes: u64, needed_bytes: u64 },
    #[error("the engine's temporary directory cannot be used")]
    TemporaryDirectory(#[source] io::Error),
    #[error("the time for this scan ended before the engine was free")]
    Busy,
    #[error("the engine does not find the canary: its definitions are damaged or incomplete")]
    NoCanary,
    #[error("the definitions were changed under the engine")]
    DefinitionsChanged,
    /// This concerns the file and not the engine: another attempt would end the same way.
    #[error("the scan took more than {limit:?} of processor time")]
    TooCostly { limit: Duration },
}
