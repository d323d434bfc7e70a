//! Puts errors into plain words, and maps them to exit codes.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::anyhow;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::verdict;

/// The exit code of a program whose output was closed, as shells report SIGPIPE: 128 + 13.
const OUTPUT_CLOSED: u8 = 141;
/// The exit code of a program that Ctrl-C ended, as shells report SIGINT: 128 + 2.
pub(crate) const INTERRUPTED: u8 = 130;
/// The exit code of an error that has no code of its own.
const FAILED: u8 = 1;

/// A refusal by the service, with its stable code.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail} ({code})")]
pub(crate) struct RefusalError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) detail: String,
}

/// Ctrl-C was pressed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct InterruptedError;

/// Returns the service's own refusal, or one that says that the answer came from something else.
pub(crate) fn refusal(status: StatusCode, body: &Value) -> RefusalError {
    let (code, detail) = match (body["code"].as_str(), body["detail"].as_str()) {
        (Some(code), Some(detail)) => (code.to_owned(), detail.to_owned()),
        _ => (
            "unknown".to_owned(),
            format!("the answer is not Airlock's: {status}; check --url and the proxy"),
        ),
    };
    RefusalError { status, code, detail }
}

/// Returns why no HTTP client can be made: with these settings, only for lack of certificates.
pub(crate) fn no_client() -> anyhow::Error {
    anyhow!(
        "no certificates of certification authorities, such as /etc/ssl/certs/ca-certificates.crt, can be \
         read: install the package `ca-certificates`, or set SSL_CERT_FILE to a file with them in PEM"
    )
}

/// Returns the exit code of a command that ended with this error.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    if is_closed_output(error) {
        return OUTPUT_CLOSED;
    }
    match error.downcast_ref::<RefusalError>().map(|refusal| refusal.code.as_str()) {
        Some("infected") => verdict::INFECTED,
        Some("unscannable") => verdict::UNSCANNABLE,
        Some("scan_failed") => verdict::SCAN_FAILED,
        Some("file_gone") => verdict::GONE,
        Some("not_scanned_yet") => verdict::NO_VERDICT,
        _ => FAILED,
    }
}

/// Whether the reader of the output closed it: `airlock ls | head -1`.
pub(crate) fn is_closed_output(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<std::io::Error>();
    io_error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// An error for programs: `{"code", "message", "status"}`.
pub(crate) fn as_json(error: &anyhow::Error) -> Value {
    let message = format!("{error:#}");
    match error.downcast_ref::<RefusalError>() {
        Some(refusal) => {
            json!({ "code": refusal.code, "message": message, "status": refusal.status.as_u16() })
        }
        None => json!({ "code": "failed", "message": message }),
    }
}

/// An error of the operating system about a path, in plain words.
pub(crate) fn of_path(doing: &str, path: &Path, error: &std::io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot {doing} `{}`: {}", path.display(), plain(error))
}

/// An error of the operating system about a file that the message names already.
pub(crate) fn unreadable(error: &std::io::Error) -> anyhow::Error {
    anyhow::anyhow!("cannot read it: {}", plain(error))
}

/// An error of the operating system, without its number.
pub(crate) fn plain(error: &std::io::Error) -> String {
    let words = match error.kind() {
        ErrorKind::NotFound => "there is no such file or directory",
        ErrorKind::PermissionDenied => "permission denied",
        ErrorKind::AlreadyExists => "it exists already",
        ErrorKind::IsADirectory => "it is a directory",
        ErrorKind::NotADirectory => "a part of the path is not a directory",
        ErrorKind::StorageFull => "the disk is full",
        ErrorKind::QuotaExceeded => "your disk quota is used up",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::ConnectionRefused => "it refuses connections: is it running?",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => "it closed the connection",
        ErrorKind::TimedOut => "it did not answer in time",
        _ => {
            let text = error.to_string();
            return text.split(" (os error").next().unwrap_or_default().to_lowercase();
        }
    };
    words.to_owned()
}

/// Why a request got no answer, in plain words.
pub(crate) fn no_answer(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        if let Some(error) = source.downcast_ref::<std::io::Error>()
            && error.raw_os_error().is_some()
        {
            return plain(error);
        }
        cause = source;
    }
    let text = cause.to_string();
    if text.starts_with("failed to lookup address") {
        return "its name cannot be resolved".to_owned();
    }
    if text.starts_with("invalid peer certificate") {
        return certificate(&text).to_owned();
    }
    text
}

/// What is wrong with a certificate, by the name of the TLS library's error.
fn certificate(error: &str) -> &'static str {
    let is = |name| error.contains(name);
    match () {
        () if is("Expired") || is("expired") => "its TLS certificate has expired",
        () if is("NotValidForName") || is("not valid for name") => "its TLS certificate is for another name",
        () => "its TLS certificate is not signed by an authority that this machine trusts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> anyhow::Error {
        refusal(StatusCode::FORBIDDEN, &json!({ "code": code, "detail": "Why." })).into()
    }

    #[test]
    fn every_denied_download_has_the_exit_code_of_its_verdict() {
        for (refused_with, expected) in [
            ("infected", 10),
            ("unscannable", 11),
            ("scan_failed", 12),
            ("file_gone", 13),
            ("not_scanned_yet", 14),
            ("file_not_found", 1),
        ] {
            let error = refused(refused_with).context("`a.pdf`");
            assert_eq!(code(&error), expected, "{refused_with}");
        }
        assert_eq!(code(&std::io::Error::from(ErrorKind::BrokenPipe).into()), 141);
        assert_eq!(code(&anyhow::anyhow!("anything else")), 1);
    }

    #[test]
    fn an_answer_without_a_problem_document_names_its_status() {
        let error = refusal(StatusCode::BAD_GATEWAY, &Value::Null);
        assert_eq!(
            error.to_string(),
            "the answer is not Airlock's: 502 Bad Gateway; check --url and the proxy (unknown)"
        );
        assert_eq!(as_json(&refused("infected"))["status"], 403);
        assert_eq!(as_json(&anyhow::anyhow!("no disk"))["message"], "no disk");
    }

    #[test]
    fn certificates_are_described_in_words() {
        for (error, expected) in [
            ("invalid peer certificate: Expired", "expired"),
            ("invalid peer certificate: certificate not valid for name \"a\"", "another name"),
            ("invalid peer certificate: UnknownIssuer", "authority"),
        ] {
            assert!(certificate(error).contains(expected), "{error}");
        }
    }

    #[test]
    fn errors_of_the_system_have_no_numbers() {
        for number in [1, 2, 13, 17, 20, 21, 24, 28, 36, 104, 111] {
            let words = plain(&std::io::Error::from_raw_os_error(number));
            assert!(!words.is_empty() && !words.contains("os error"), "{number}: {words}");
        }
    }
}
