//! What the settings promise: values, errors, secrets, and documentation that is current.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod checks;
mod documents;
mod secrets;
mod variables;
