//! Tests of the settings: values, errors, secrets, and current documentation.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod checks;
mod documents;
mod secrets;
mod variables;
