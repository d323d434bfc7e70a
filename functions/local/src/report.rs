//! The addresses and the state of the service, as printed at start.

use std::fmt;

use clamd::EngineProgram;
use domain::freshness::{Definitions, DefinitionsKind};
use settings::Auth;

/// The addresses and the state of a running service.
#[derive(Clone, Debug)]
pub struct StartReport {
    /// The API's address on this machine.
    pub url: String,
    /// The URL by which clients reach the page and the API.
    pub public_url: String,
    /// The URL by which clients reach the storage.
    pub s3_url: String,
    pub storage: String,
    pub data_dir: String,
    pub engine_version: String,
    pub engine: EngineProgram,
    pub definitions: Definitions,
    pub auth: Auth,
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let definitions = &self.definitions;
        let url = &self.public_url;
        writeln!(f, "\nAirlock is running: {url}\n")?;
        writeln!(f, "  page and API   {url}   (reference: {url}/docs)")?;
        if *url != self.url {
            writeln!(f, "  proxied to     {}", self.url)?;
        }
        writeln!(f, "  monitor        {url}/monitor")?;
        writeln!(f, "  storage        {}   ({})", self.s3_url, self.storage)?;
        writeln!(f, "  data           {}", self.data_dir)?;
        let auth = match self.auth {
            Auth::None => "none: every program on this machine is the user `local`",
            Auth::Jwt => "bearer tokens",
        };
        writeln!(f, "  access         {auth}")?;
        let engine = match &self.engine {
            EngineProgram::Clamd(_) => format!("{} in clamd", self.engine_version),
            EngineProgram::AirlockEngine(_) => format!("{} in airlock-engine", self.engine_version),
        };
        match definitions.kind {
            DefinitionsKind::Official => writeln!(
                f,
                "  scanner        {engine}, definitions {} of {}, {} signatures",
                definitions.version, definitions.built_at, definitions.n_signatures
            )?,
            DefinitionsKind::TestSet => {
                writeln!(f, "  scanner        {engine}, TEST DEFINITIONS")?;
                writeln!(
                    f,
                    "\n  WARNING: the virus definitions could not be downloaded. This service knows only the \
                     EICAR"
                )?;
                writeln!(f, "  test file and ClamAV's own test files. Do not rely on its verdicts.")?;
            }
        }
        write!(f, "\nCtrl-C stops it.")
    }
}
