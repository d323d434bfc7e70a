//! What may a file be called, and how is that name sent to a browser?
//!
//! A name is shown and offered on download; it is never a path, a key or a verdict's identity.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

/// The longest name that common file systems take, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a name is refused. Names are made harmless where that is possible; these two cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum InvalidName {
    #[error("the file name is empty")]
    Empty,
    #[error("the file name is longer than {MAX_NAME_BYTES} bytes")]
    TooLong,
}

/// A harmless display name: NFC, one path part, no control or direction-changing characters, not a device name.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// Makes `text` harmless, or says why it cannot be. Sanitizing a sanitized name changes nothing.
    pub fn sanitize(text: &str) -> Result<Self, InvalidName> {
        let last_part = text.rsplit(['/', '\\']).next().unwrap_or_default();
        let visible: String = last_part.nfc().filter(|c| !is_hidden(*c)).map(replace_reserved).collect();
        // Windows drops trailing dots and spaces, so "a.exe." would be saved as "a.exe".
        let trimmed = visible.trim().trim_end_matches(['.', ' ']).trim_end();
        let safe = if is_device_name(trimmed) { format!("_{trimmed}") } else { trimmed.to_owned() };
        if safe.trim_matches('.').is_empty() {
            return Err(InvalidName::Empty);
        }
        if safe.len() > MAX_NAME_BYTES { Err(InvalidName::TooLong) } else { Ok(Self(safe)) }
    }

    /// For a file whose uploader gave it no name.
    pub fn nameless() -> Self {
        Self("file".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last dot, in lower case; `None` when there is no dot or nothing before it.
    pub fn extension(&self) -> Option<String> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
    }

    /// `attachment` with an ASCII fallback and the exact name (RFC 6266, RFC 8187).
    pub fn content_disposition(&self) -> String {
        let fallback: String = self.0.chars().map(|c| if is_quotable(c) { c } else { '_' }).collect();
        let exact = utf8_percent_encode(&self.0, EXTENDED_VALUE);
        format!("attachment; filename=\"{fallback}\"; filename*=UTF-8''{exact}")
    }
}

/// Everything but RFC 8187's `attr-char` is percent-encoded.
const EXTENDED_VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `%` is replaced in the fallback too: some browsers decode it there.
fn is_quotable(c: char) -> bool {
    matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%')
}

/// Characters that change what a reader sees without being seen: controls, line and paragraph separators,
/// bidirectional marks, overrides and isolates, zero-width joiners' harmful cousins, the byte order mark, noncharacters.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Characters that Windows does not allow in a name.
fn replace_reserved(c: char) -> char {
    if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }
}

/// Windows opens a device for these, whatever the extension.
fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut digits = rest.chars();
            matches!((digits.next(), digits.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
        })
    };
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$")
        || numbered("COM")
        || numbered("LPT")
}

impl TryFrom<String> for FileName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::sanitize(&text)
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> String {
        name.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "name#{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_harmless() {
        for (given, expected) in [
            ("report.pdf", "report.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.txt", "a.txt"),
            ("cafe\u{301}.txt", "caf\u{e9}.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\r\nSet-Cookie: x.txt", "aSet-Cookie_ x.txt"),
            ("CON.txt", "_CON.txt"),
            ("com1", "_com1"),
            ("lpt\u{b9}.a", "_lpt\u{b9}.a"),
            ("command.txt", "command.txt"),
            ("  spaced .txt. . ", "spaced .txt"),
            ("what?.txt", "what_.txt"),
            (".profile", ".profile"),
        ] {
            assert_eq!(FileName::sanitize(given).map(String::from), Ok(expected.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_made_harmless_are_refused() {
        for empty in ["", ".", "..", "a/", "\u{202e}", " . ", "\0"] {
            assert_eq!(FileName::sanitize(empty), Err(InvalidName::Empty), "{empty:?}");
        }
        assert!(FileName::sanitize(&"x".repeat(255)).is_ok());
        assert_eq!(FileName::sanitize(&"x".repeat(256)), Err(InvalidName::TooLong));
        assert_eq!(FileName::sanitize(&"\u{e9}".repeat(128)), Err(InvalidName::TooLong));
    }

    #[test]
    fn the_extension_is_what_follows_the_last_dot() {
        let extension = |name: &str| FileName::sanitize(name).unwrap().extension();
        assert_eq!(extension("a.tar.GZ"), Some("gz".to_owned()));
        assert_eq!(extension("noext"), None);
        assert_eq!(extension(".profile"), None);
    }

    #[test]
    fn the_header_holds_a_fallback_and_the_exact_name() {
        let header = FileName::sanitize("na\u{ef}ve \"100%\".pdf").unwrap().content_disposition();
        assert_eq!(
            header,
            "attachment; filename=\"na_ve _100__.pdf\"; filename*=UTF-8''na%C3%AFve%20_100%25_.pdf"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_text_gives_a_stable_name_or_a_reason(text in any::<String>()) {
            if let Ok(name) = FileName::sanitize(&text) {
                prop_assert_eq!(FileName::sanitize(name.as_str()), Ok(name.clone()));
                prop_assert!(name.as_str().len() <= MAX_NAME_BYTES);
                prop_assert!(!name.as_str().contains(['/', '\\', '"', '\r', '\n']));
                prop_assert!(!name.as_str().chars().any(is_hidden));
            }
        }

        #[test]
        fn the_header_is_printable_ascii_and_reads_back(text in any::<String>()) {
            if let Ok(name) = FileName::sanitize(&text) {
                let header = name.content_disposition();
                prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
                prop_assert_eq!(header.matches('"').count(), 2);
                let (_, exact) = header.split_once("filename*=UTF-8''").unwrap();
                let decoded = percent_decode_str(exact).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), name.as_str());
            }
        }
    }
}
