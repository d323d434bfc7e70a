//! Sanitizes file names, and encodes them for `Content-Disposition`.
//!
//! A name is only shown and offered on download; it is never used as a path, as a key or to identify a
//! verdict.

mod visible;

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

/// The longest name that Windows and macOS take, in UTF-16 code units; up to 765 bytes of UTF-8. Linux takes
/// 255 bytes; programs that save files there must shorten longer names.
pub const MAX_NAME_UNITS: usize = 255;

/// Why a name is refused. All other names are sanitized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum FileNameError {
    #[error("the file name is empty")]
    Empty,
    #[error("the file name is longer than {MAX_NAME_UNITS} characters (UTF-16 code units)")]
    TooLong,
}

/// A harmless display name: NFC, one path part, no control or direction-changing characters, not a device
/// name.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl FileName {
    /// Makes `text` a harmless name, or returns why it cannot. Idempotent.
    pub fn sanitize(text: &str) -> Result<Self, FileNameError> {
        let last_part = text.rsplit(['/', '\\']).next().unwrap_or_default();
        // Composed last, when characters hidden between a letter and its accent are already removed.
        let composed: String = visible::visible(last_part).chars().map(replace_reserved).nfc().collect();
        // Windows drops trailing dots and spaces, so "a.exe." would be saved as "a.exe".
        let trimmed = composed.trim_start().trim_end_matches(|c: char| c == '.' || c.is_whitespace());
        let safe = if is_device_name(trimmed) { format!("_{trimmed}") } else { trimmed.to_owned() };
        if safe.trim_matches('.').is_empty() {
            return Err(FileNameError::Empty);
        }
        if safe.encode_utf16().count() > MAX_NAME_UNITS {
            Err(FileNameError::TooLong)
        } else {
            Ok(Self(safe))
        }
    }

    /// The name of a file without a valid one.
    pub fn nameless() -> Self {
        Self("file".to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text after the last dot, in lower case; `None` if there is no dot or no text on either side of it.
    pub fn extension(&self) -> Option<String> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
    }

    /// The name in at most `n_bytes` bytes of UTF-8, for file systems that count those (Linux: 255). The stem
    /// is cut; the extension is kept, unless it is longer than a quarter of `n_bytes`.
    pub fn within_bytes(&self, n_bytes: usize) -> String {
        if self.0.len() <= n_bytes {
            return self.0.clone();
        }
        let dot = self.0.rfind('.').filter(|dot| *dot > 0 && self.0.len() - dot <= n_bytes / 4);
        let (stem, extension) = self.0.split_at(dot.unwrap_or(self.0.len()));
        let room = n_bytes - extension.len();
        let end = (0..=room).rev().find(|end| stem.is_char_boundary(*end)).unwrap_or(0);
        format!("{}{extension}", &stem[..end])
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
    type Error = FileNameError;

    fn try_from(text: String) -> Result<Self, FileNameError> {
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
            ("a.\u{2000}.", "a"),
            ("e\u{200b}\u{301}.txt", "\u{e9}.txt"),
            (
                "Alba \u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}.txt",
                "Alba \u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}.txt",
            ),
        ] {
            assert_eq!(FileName::sanitize(given).map(String::from), Ok(expected.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn names_that_cannot_be_made_harmless_are_refused() {
        for empty in ["", ".", "..", "a/", "\u{202e}", " . ", "\0"] {
            assert_eq!(FileName::sanitize(empty), Err(FileNameError::Empty), "{empty:?}");
        }
        assert!(FileName::sanitize(&"x".repeat(255)).is_ok());
        assert_eq!(FileName::sanitize(&"x".repeat(256)), Err(FileNameError::TooLong));
        for (character, n_units) in [("\u{e9}", 1), ("\u{3042}", 1), ("\u{1f600}", 2), ("\u{2f81d}", 1)] {
            let longest = 255 / n_units;
            assert!(FileName::sanitize(&character.repeat(longest)).is_ok(), "{character:?}");
            let too_long = FileName::sanitize(&character.repeat(longest + 1));
            assert_eq!(too_long, Err(FileNameError::TooLong), "{character:?}");
        }
    }

    #[test]
    fn the_extension_is_what_follows_the_last_dot() {
        let extension = |name: &str| FileName::sanitize(name).unwrap().extension();
        assert_eq!(extension("a.tar.GZ"), Some("gz".to_owned()));
        assert_eq!(extension("noext"), None);
        assert_eq!(extension(".profile"), None);
    }

    #[test]
    fn a_name_is_shortened_before_its_extension() {
        let within = |name: &str, n_bytes| FileName::sanitize(name).unwrap().within_bytes(n_bytes);
        assert_eq!(within("short.txt", 255), "short.txt");
        assert_eq!(
            within(&format!("{}.tar.gz", "\u{3042}".repeat(248)), 255),
            format!("{}.gz", "\u{3042}".repeat(84))
        );
        assert_eq!(
            within(&format!("{}.txt", "\u{1f600}".repeat(125)), 255),
            format!("{}.txt", "\u{1f600}".repeat(62))
        );
        assert_eq!(within(&"\u{3042}".repeat(255), 255), "\u{3042}".repeat(85), "no extension");
        let all_extension = format!("a.{}", "\u{3042}".repeat(200));
        assert_eq!(within(&all_extension, 255), format!("a.{}", "\u{3042}".repeat(84)));
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
                prop_assert!(name.as_str().encode_utf16().count() <= MAX_NAME_UNITS);
                prop_assert!(!name.as_str().contains(['/', '\\', '"', '\r', '\n']));
                prop_assert_eq!(visible::visible(name.as_str()), name.as_str());
            }
        }

        /// Combines characters that join, combine, hide or are reserved, in any order.
        #[test]
        fn any_row_of_odd_characters_gives_a_stable_name(
            text in "[ae.\\ <\\\\\u{301}\u{338}\u{200b}\u{200c}\u{200d}\u{fe0f}\u{e0067}\u{e007f}\u{1f3f4}\
                     \u{212a}\u{37e}\u{2000}\u{958}]{0,12}",
        ) {
            if let Ok(name) = FileName::sanitize(&text) {
                prop_assert_eq!(FileName::sanitize(name.as_str()), Ok(name.clone()));
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
