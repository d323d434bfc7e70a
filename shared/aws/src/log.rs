//! Writes the functions' logs as one JSON object per line. The keys are those of AWS Powertools' loggers, so
//! that their queries work here; Lambda's log-level filter needs the RFC 3339 `timestamp` and the `level`
//! (AWS, "Log-level filtering"). The level is `AWS_LAMBDA_LOG_LEVEL`, or `debug` with `DEBUG=true`.
//!
//! Never logged: tokens, query strings, secrets, file names and file contents. Files are identified by their
//! ids.

mod line;

use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::verdict::Verdict;
use settings::{ConfigError, Environment, LambdaSettings, LogSettings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::metrics;

/// Filters for verbose libraries, and for `s3s`, which logs every mistake of a client as an error.
const QUIET: &str = "hyper=warn,aws_config=warn,aws_smithy_runtime=error,aws_sdk=error,s3s=off,\
                     dynoxide=error,h2=warn,rustls=warn,reqwest=warn";

/// Formats an error with all its sources. Structured logs show only the error's own message, which does not
/// repeat its source's.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Logs the file, the reason and `seen` as a warning if the record received a verdict other than clean at
/// `now`. `seen` must not contain the file's name or content.
pub fn verdict(record: &Record, seen: &str, now: Timestamp) {
    let Some(judgement) = record.judgement().filter(|judgement| judgement.judged_at == now) else { return };
    let (status, reason) = match &judgement.verdict {
        Verdict::Clean(_) => return,
        Verdict::Infected { signature } => ("infected", signature.as_str()),
        Verdict::Unscannable { reason } => ("unscannable", reason.code()),
        Verdict::Error { reason } => ("error", reason.code()),
    };
    tracing::warn!(file.id = %record.file_id, scan.status = status, scan.reason = reason, seen, "not clean");
}

/// Logs as JSON to stdout, for the function `service`, and counts its cold start.
pub fn to_cloudwatch(service: &'static str, env: &Environment) -> Result<(), ConfigError> {
    let LogSettings { is_debug, lambda_level } = LogSettings::read(env)?;
    let lambda = LambdaSettings::read(env)?;
    let level = if is_debug { "debug" } else { &lambda_level };
    let layer = line::Lines::new(service, &lambda, std::io::stdout);
    let _ = tracing_subscriber::registry().with(filter(level)).with(layer).try_init();
    let function_name = lambda.function_name.unwrap_or_else(|| service.to_owned());
    metrics::emit(&metrics::MetricEvent {
        service,
        dimensions: &[("function_name", &function_name)],
        metrics: &[metrics::count("ColdStart", 1)],
        at: crate::clock::now(),
    });
    Ok(())
}

/// Logs as text to stderr, for a terminal.
pub fn to_terminal(is_debug: bool) {
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let subscriber =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).with_ansi(is_terminal);
    let _ = subscriber.with_env_filter(filter(if is_debug { "debug" } else { "warn" })).try_init();
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::try_new(format!("{},{QUIET}", level.to_lowercase())).unwrap_or_else(|_| EnvFilter::new("info"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoreError, StoreErrorKind};

    #[test]
    fn a_chain_includes_every_source() {
        let cause = std::io::Error::other("the line is cut");
        let error = StoreError::caused("open an object", StoreErrorKind::Unavailable, cause);
        assert_eq!(chain(&error), "open an object: unavailable: the line is cut");
    }
}
