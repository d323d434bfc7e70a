//! How do functions log? One JSON object per line, with `level` and an RFC 3339 `timestamp`, as Lambda's log-level
//! filter needs (AWS, "Log-level filtering"). Levels: `AWS_LAMBDA_LOG_LEVEL`, or `debug` with `DEBUG=true`.

use tracing_subscriber::EnvFilter;

use crate::env::Env;

/// Chatty libraries, and `s3s`, which calls every client's mistake an error.
const QUIET: &str = "hyper=warn,aws_config=warn,aws_smithy_runtime=error,aws_sdk=error,s3s=off,dynoxide=error,h2=warn,rustls=warn";

/// An error with everything that caused it. Structured logs show an error's own sentence only, and that does not repeat its source's.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// For the functions: JSON on stdout.
pub fn to_cloudwatch() {
    let env = Env::read();
    let level = if env.get("DEBUG") == Some("true") {
        "debug"
    } else {
        env.get("AWS_LAMBDA_LOG_LEVEL").unwrap_or("info")
    };
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let _ = subscriber.with_env_filter(filter(level)).try_init();
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
    use crate::{Kind, StoreError};

    #[test]
    fn a_chain_names_every_cause() {
        let cause = std::io::Error::other("the line is cut");
        let error = StoreError::caused("open an object", Kind::Unavailable, cause);
        assert_eq!(chain(&error), "open an object: unavailable: the line is cut");
    }
}
