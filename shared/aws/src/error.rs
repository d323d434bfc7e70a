//! Classifies errors of AWS into the few kinds that callers distinguish.

use std::fmt;

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use thiserror::Error;

/// A failed operation of storage, ledger or queue. `Display` names the operation; the source has the details.
#[derive(Debug, Error)]
#[error("{operation}: {kind}")]
pub struct StoreError {
    pub operation: &'static str,
    pub kind: StoreErrorKind,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure that callers handle differently. Any reasonable implementation could have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// There is no such object or version.
    NotFound,
    /// Another writer came first: HTTP status 412, or a failed condition.
    PreconditionFailed,
    /// A temporary failure, such as throttling, a timeout or no connection. Retry later.
    Unavailable,
    /// The stored data does not have the format that this service writes.
    Corrupt,
    /// Any other failure: a bug or a missing permission.
    Unexpected,
}

impl fmt::Display for StoreErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::PreconditionFailed => "precondition failed",
            Self::Unavailable => "unavailable",
            Self::Corrupt => "unreadable",
            Self::Unexpected => "unexpected error",
        })
    }
}

impl StoreError {
    pub fn new(operation: &'static str, kind: StoreErrorKind) -> Self {
        Self { operation, kind, source: None }
    }

    pub(crate) fn caused(
        operation: &'static str,
        kind: StoreErrorKind,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { operation, kind, source: Some(source.into()) }
    }

    /// Classifies an SDK error by its transport failure or its code.
    #[expect(clippy::needless_pass_by_value, reason = "the error ends here; callers map it")]
    pub(crate) fn of_sdk<E, R>(operation: &'static str, error: SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        R: fmt::Debug + Send + Sync + 'static,
    {
        let kind = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                StoreErrorKind::Unavailable
            }
            SdkError::ServiceError(service) => kind_of_code(service.err().code().unwrap_or_default()),
            _ => StoreErrorKind::Unexpected,
        };
        let text = DisplayErrorContext(&error).to_string();
        Self::caused(operation, kind, text)
    }
}

fn kind_of_code(code: &str) -> StoreErrorKind {
    match code {
        "NoSuchKey" | "NoSuchVersion" | "NotFound" | "NoSuchUpload" | "ResourceNotFoundException" => {
            StoreErrorKind::NotFound
        }
        "PreconditionFailed" | "ConditionalRequestConflict" | "ConditionalCheckFailedException" => {
            StoreErrorKind::PreconditionFailed
        }
        "SlowDown"
        | "ServiceUnavailable"
        | "InternalError"
        | "InternalServerError"
        | "RequestTimeout"
        | "ThrottlingException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TransactionConflictException" => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds() {
        for (code, kind) in [
            ("NoSuchVersion", StoreErrorKind::NotFound),
            ("PreconditionFailed", StoreErrorKind::PreconditionFailed),
            ("SlowDown", StoreErrorKind::Unavailable),
            ("AccessDenied", StoreErrorKind::Unexpected),
            ("", StoreErrorKind::Unexpected),
        ] {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }
}
