//! The errors of settings.

use thiserror::Error;

/// Why the configuration is refused. Such an error ends the start, never a request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    #[error("`{0}` is not set")]
    Missing(&'static str),
    #[error("`{name}` is `{value}`: {why}")]
    Invalid { name: &'static str, value: String, why: String },
    /// The value is a secret, so the message does not repeat it.
    #[error("`{name}` {why}")]
    InvalidSecret { name: &'static str, why: String },
    #[error("`{0}` is not a setting of Airlock; docs/settings.md lists them")]
    Unknown(String),
    #[error("{0}")]
    Unsafe(String),
}
