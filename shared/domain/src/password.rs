//! The password that opens a file, given by the uploader for one scan.
//!
//! Invariant: no log line, error or `Debug` output holds a password.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A password of a file. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Password(String);

impl Password {
    /// In characters. Office takes 255, 7-Zip and PDF fewer.
    pub const LONGEST: usize = 255;

    /// Accepts 1 to 255 characters without control characters, which no program accepts in a password.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        if text.is_empty() || text.chars().count() > Self::LONGEST || text.chars().any(char::is_control) {
            return Err(PasswordError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The password itself, for the code that opens files with it or encrypts it.
    pub fn exposed(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// A password, encrypted for the scan function. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealedPassword(String);

impl SealedPassword {
    /// Wraps an encrypted password; [`SealedPassword::text`] returns it.
    pub fn of(text: String) -> Self {
        Self(text)
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SealedPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealedPassword(..)")
    }
}

/// The message does not repeat the text, which may be a mistyped password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "`password` must have 1 to {longest} characters, and no control characters",
    longest = Password::LONGEST
)]
pub struct PasswordError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_shown_nowhere() {
        let password = Password::parse("correct horse").unwrap();
        assert_eq!(format!("{password:?}"), "Password(..)");
        assert_eq!(password.exposed(), "correct horse");
    }

    #[test]
    fn what_no_program_takes_is_none() {
        for text in ["", "a\nb", "\0", &"x".repeat(256)] {
            assert_eq!(Password::parse(text), Err(PasswordError), "{text:?}");
        }
        for text in [" ", "a b", "пароль", &"ü".repeat(255)] {
            assert!(Password::parse(text).is_ok(), "{text:?}");
        }
    }
}
