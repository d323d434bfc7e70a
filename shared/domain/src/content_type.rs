//! The media type that the uploader declares, and the one that downloads are served with.
//!
//! The declared type is a claim. It is shown and signed into the upload, but never trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::IdError;

/// A media type, with or without parameters (RFC 9110, 8.3.1): printable ASCII, `type/subtype`, at most 127
/// bytes. It is kept unchanged, because it is signed into the upload.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentType(String);

impl ContentType {
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let well_formed =
            essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        let acceptable = well_formed && printable && text.len() <= 127;
        if acceptable { Ok(Self(text.trim().to_owned())) } else { Err(IdError("content type")) }
    }

    pub fn octet_stream() -> Self {
        Self("application/octet-stream".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type that a download is served with: the declared one if no browser executes it, otherwise
    /// `application/octet-stream`. Every download is also served as an attachment; this is a second
    /// safeguard.
    pub fn for_download(&self) -> &'static str {
        let essence = self.0.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        INERT.iter().find(|inert| **inert == essence).copied().unwrap_or("application/octet-stream")
    }
}

/// Types that carry no script in any browser.
const INERT: [&str; 14] = [
    "application/gzip",
    "application/json",
    "application/pdf",
    "application/zip",
    "audio/mpeg",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/png",
    "image/webp",
    "text/csv",
    "text/plain",
    "video/mp4",
];

/// RFC 9110 `token`.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl TryFrom<String> for ContentType {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<ContentType> for String {
    fn from(content_type: ContentType) -> String {
        content_type.0
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_media_types_are_types() {
        for good in [
            "text/plain",
            "application/vnd.ms-excel",
            "text/plain; charset=utf-8",
            "text/plain;charset=UTF-8",
            "TEXT/Plain ; Charset=\"utf-8\"",
            " text/plain ",
            "text/plain;",
            "application/vnd.openxmlformats-officedocument.presentationml.presentation; charset=binary",
            "video/webm; codecs=\"vp8, vorbis\"",
            "image/svg+xml",
        ] {
            assert!(ContentType::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "text",
            "/",
            "a/b/c",
            "text/",
            "te xt/plain",
            "text/plain\r\nx: y",
            &format!("a/{}", "b".repeat(126)),
        ] {
            assert!(ContentType::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_browser_could_run_is_served_as_octets() {
        for (declared, served) in [
            ("image/png", "image/png"),
            ("Text/Plain; charset=utf-8", "text/plain"),
            ("text/html", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("application/xhtml+xml", "application/octet-stream"),
            ("text/xml", "application/octet-stream"),
        ] {
            assert_eq!(ContentType::parse(declared).unwrap().for_download(), served, "{declared}");
        }
    }
}
