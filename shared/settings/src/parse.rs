//! Parsers of variables; they return `None` for a value that is not allowed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::public_url::PublicUrl;
use crate::secret::SecretText;

/// Shorter keys could be guessed.
const MIN_KEY_BYTES: usize = 32;

#[expect(clippy::unnecessary_wraps, reason = "the shape of every parser")]
pub(crate) fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every parser")]
pub(crate) fn path(value: &str) -> Option<PathBuf> {
    Some(value.into())
}

pub(crate) fn socket_address(value: &str) -> Option<SocketAddr> {
    value.parse().ok()
}

pub(crate) fn public_url(value: &str) -> Option<PublicUrl> {
    value.parse().ok()
}

pub(crate) fn number<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok()
}

pub(crate) fn seconds(value: &str) -> Option<Duration> {
    number(value).map(Duration::from_secs)
}

pub(crate) fn hours(value: &str) -> Option<Duration> {
    number(value).map(|hours: u64| Duration::from_secs(hours.saturating_mul(60 * 60)))
}

pub(crate) fn days(value: &str) -> Option<Duration> {
    number(value).map(|days: u64| Duration::from_secs(days.saturating_mul(24 * 60 * 60)))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every parser")]
pub(crate) fn is_true(value: &str) -> Option<bool> {
    Some(value == "true")
}

/// For settings that a typing error must not turn off, or on.
pub(crate) fn yes_or_no(value: &str) -> Option<bool> {
    value.parse().ok()
}

/// A key for signatures or encryption.
pub(crate) fn key(value: &str) -> Option<SecretText> {
    (value.len() >= MIN_KEY_BYTES).then(|| SecretText::new(value.to_owned()))
}

pub(crate) fn public_key(value: &str) -> Option<[u8; 32]> {
    STANDARD.decode(value).ok()?.try_into().ok()
}

/// Separated by white space.
#[expect(clippy::unnecessary_wraps, reason = "the shape of every parser")]
pub(crate) fn words(value: &str) -> Option<Vec<String>> {
    Some(value.split_whitespace().map(ToOwned::to_owned).collect())
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of every parser")]
pub(crate) fn secret_words(value: &str) -> Option<Vec<SecretText>> {
    Some(value.split_whitespace().map(|word| SecretText::new(word.to_owned())).collect())
}

/// Web origins, separated by commas. The wildcard `*` is not allowed.
pub(crate) fn origins(value: &str) -> Option<Vec<String>> {
    let origins = value.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    let origins: Vec<String> = origins.map(ToOwned::to_owned).collect();
    (!origins.iter().any(|origin| origin == "*")).then_some(origins)
}
