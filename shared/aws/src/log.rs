//! How do functions log? One JSON object per line, with the keys of AWS Powertools' loggers, whose queries then work here, and an RFC 3339
//! `timestamp` and a `level`, as Lambda's log-level filter needs (AWS, "Log-level filtering"). Levels: `AWS_LAMBDA_LOG_LEVEL`, or `debug`
//! with `DEBUG=true`.
//!
//! Never logged: tokens, query strings, secrets, file names, owners' files' contents. Files are named by their ids.

mod line;

use domain::record::Record;
use domain::timestamp::Timestamp;
use domain::verdict::Verdict;
use settings::{ConfigError, Environment, LambdaSettings, LogSettings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::metrics;

/// Chatty libraries, and `s3s`, which calls every client's mistake an error.
const QUIET: &str = "hyper=warn,aws_config=warn,aws_smithy_runtime=error,aws_sdk=error,s3s=off,dynoxide=error,h2=warn,rustls=warn,reqwest=warn";

/// An error with everything that caused it. Structured logs show an error's own sentence only, and that does not repeat its source's.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One line, at a level that every deployment shows, if the record got a verdict other than clean at this moment: which file, why, and what was
/// seen. `seen` says nothing of the file's own: no name, no content.
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

/// For the function called `service`: JSON on stdout. Counts its cold start.
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

/// For a terminal: text on stderr.
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
    fn a_chain_names_every_cause() {
        let cause = std::io::Error::other("the line is cut");
        let error = StoreError::caused("open an object", StoreErrorKind::Unavailable, cause);
        assert_eq!(chain(&error), "open an object: unavailable: the line is cut");
    }
}
