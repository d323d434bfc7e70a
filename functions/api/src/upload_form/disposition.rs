//! Parses the `Content-Disposition` of a form field, as real clients write it: the names of the field and of
//! the file.
//!
//! RFC 7578 requires the file's name in UTF-8, in `filename`. Browsers escape `"`, CR and LF (WHATWG HTML,
//! "multipart/form-data encoding algorithm"); .NET and PowerShell send an encoded word (RFC 2047), some
//! Python clients only `filename*` (RFC 8187), and old clients bytes in their system's encoding, which the
//! request does not name. Known encodings are decoded; a byte that is not UTF-8 becomes U+FFFD. A name that
//! cannot be decoded is never a reason to miss the file.
//!
//! Percent-encoding in `filename` is left as it is, except for the three escapes that browsers write:
//! `50%25.txt` is a valid file name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

/// The names of the field and of the file. Neither is checked here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disposition {
    pub(crate) name: Option<String>,
    pub(crate) file_name: Option<String>,
}

impl Disposition {
    /// Parses the value of a `Content-Disposition`. A parameter that cannot be parsed is absent. `filename*`
    /// takes precedence over `filename` (RFC 6266, 4.3).
    pub(crate) fn parse(value: &[u8]) -> Self {
        let parameters = parameters(value);
        let first = |wanted: &str| parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
        let (plain, extended) = (first("filename"), first("filename*"));
        let exact = extended.and_then(|value| extended_value(value));
        let written = plain.map(|value| plain_value(value));
        // An invalid `filename*` is still better than no name.
        let raw = extended.map(|value| String::from_utf8_lossy(value).into_owned());
        Self { name: first("name").map(|value| plain_value(value)), file_name: exact.or(written).or(raw) }
    }
}

/// The parameters after the first `;`: names in lower case, and values without quotes.
fn parameters(value: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    let mut rest = after(value, b';');
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| b";=".contains(byte)).unwrap_or(rest.len());
        let key = String::from_utf8_lossy(rest[..end].trim_ascii()).to_lowercase();
        if rest.get(end) != Some(&b'=') {
            rest = after(rest, b';');
            continue;
        }
        let begun = rest[end + 1..].trim_ascii_start();
        let (text, left) = if let Some(quoted) = begun.strip_prefix(b"\"") {
            unquote(quoted)
        } else {
            let end = begun.iter().position(|byte| *byte == b';').unwrap_or(begun.len());
            (begun[..end].trim_ascii().to_owned(), &begun[end..])
        };
        found.push((key, text));
        rest = after(left, b';');
    }
    found
}

/// The text after the first `byte`; empty if there is none.
fn after(text: &[u8], byte: u8) -> &[u8] {
    text.iter().position(|found| *found == byte).map_or(&[], |at| &text[at + 1..])
}

/// The text up to the closing quote, and the rest. A backslash escapes only quotes and backslashes, so that
/// `C:\a.txt` stays complete. A backslash before the last quote is literal: in Shift_JIS it is the second
/// byte of some characters, and no browser escapes with it.
fn unquote(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = vec![];
    let mut at = 0;
    while let Some(byte) = quoted.get(at) {
        let next = quoted.get(at + 1);
        let is_closed_later = || quoted[at + 2..].contains(&b'"');
        match (byte, next) {
            (b'"', _) => return (text, &quoted[at + 1..]),
            (b'\\', Some(b'\\' | b'"')) if is_closed_later() => {
                text.extend(next);
                at += 2;
            }
            _ => {
                text.push(*byte);
                at += 1;
            }
        }
    }
    (text, &[])
}

/// Decodes a value that does not name its charset in RFC 8187's form.
fn plain_value(value: &[u8]) -> String {
    encoded_words(value).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(value);
        text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
    })
}

/// Decodes RFC 8187's `charset'language'percent-encoded`. `None` if the charset is unknown or the bytes are
/// not valid in it.
fn extended_value(value: &[u8]) -> Option<String> {
    let mut parts = value.splitn(3, |byte| *byte == b'\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes: Vec<u8> = percent_decode(encoded).collect();
    match charset.to_ascii_lowercase().as_slice() {
        b"utf-8" => String::from_utf8(bytes).ok(),
        b"iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
}

/// Decodes a value that consists of RFC 2047's encoded words: `=?charset?B?...?=`, or `Q`. `None` if it does
/// not.
fn encoded_words(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let words: Option<Vec<String>> = text.split_ascii_whitespace().map(encoded_word).collect();
    words.filter(|words| !words.is_empty()).map(|words| words.concat())
}

fn encoded_word(word: &str) -> Option<String> {
    let inner = word.strip_prefix("=?")?.strip_suffix("?=")?;
    let mut parts = inner.splitn(3, '?');
    let (charset, encoding, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(encoded).ok()?,
        "Q" | "q" => quoted_printable(encoded),
        _ => return None,
    };
    // RFC 2231 allows a language after the charset.
    let charset = charset.split('*').next().unwrap_or_default();
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        return Some(bytes.into_iter().map(char::from).collect());
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Decodes the Q encoding: `_` is a space, `=C3` a byte. An invalid escape stays as it is.
fn quoted_printable(encoded: &str) -> Vec<u8> {
    let percent_like = encoded.replace('%', "=25").replace('_', " ").replace('=', "%");
    percent_decode(percent_like.as_bytes()).collect()
}

#[cfg(test)]
mod tests;
