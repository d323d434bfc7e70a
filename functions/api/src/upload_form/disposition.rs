//! What a part of a form says about itself: the name of its field, and of its file, as clients send them.
//!
//! RFC 7578 wants the file's name in UTF-8, in `filename`. Browsers escape `"`, CR and LF (WHATWG HTML, "multipart/form-data encoding
//! algorithm"); .NET and PowerShell send an encoded word (RFC 2047), some Python clients only `filename*` (RFC 8187), and old clients bytes in
//! their system's encoding, which nothing names. What can be told is decoded; a byte that cannot is shown as U+FFFD. A name is never a reason
//! not to see the file.
//!
//! Percent-encoding in `filename` is left as it is, but for the three that browsers write: `50%25.txt` is a name that a file may have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

/// The two names. Neither is checked here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: Option<String>,
    pub(super) file_name: Option<String>,
}

impl Disposition {
    /// Reads the value of a `Content-Disposition`. What cannot be read is absent. `filename*` counts before `filename` (RFC 6266, 4.3).
    pub(super) fn parse(value: &[u8]) -> Self {
        let parameters = parameters(value);
        let first = |wanted: &str| parameters.iter().find(|(key, _)| key == wanted).map(|(_, value)| value);
        let (plain, extended) = (first("filename"), first("filename*"));
        let exact = extended.and_then(|value| extended_value(value));
        let written = plain.map(|value| plain_value(value));
        // Not what it says it is: better than no name.
        let raw = extended.map(|value| String::from_utf8_lossy(value).into_owned());
        Self { name: first("name").map(|value| plain_value(value)), file_name: exact.or(written).or(raw) }
    }
}

/// What follows the first `;`: names in lower case, and values without their quotes.
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

/// What follows the first `byte`; nothing where there is none.
fn after(text: &[u8], byte: u8) -> &[u8] {
    text.iter().position(|found| *found == byte).map_or(&[], |at| &text[at + 1..])
}

/// The text up to the closing quote, and what follows it. Only quotes and backslashes are escaped, so that `C:\a.txt` is whole. A backslash before
/// the last quote is a character: it is the second byte of some in Shift_JIS, and no browser escapes with it.
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

/// A value without a charset of its own.
fn plain_value(value: &[u8]) -> String {
    encoded_words(value).unwrap_or_else(|| {
        let text = String::from_utf8_lossy(value);
        text.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
    })
}

/// RFC 8187: `charset'language'percent-encoded`. `None` unless all of it is in a charset that it names and that we know.
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

/// RFC 2047, where the whole value is made of it: `=?charset?B?...?=`, or `Q`, one or more.
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
    // RFC 2231 puts a language behind the charset.
    let charset = charset.split('*').next().unwrap_or_default();
    if charset.eq_ignore_ascii_case("iso-8859-1") {
        return Some(bytes.into_iter().map(char::from).collect());
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The Q encoding: `_` is a space, `=C3` a byte; an escape that is none stays.
fn quoted_printable(encoded: &str) -> Vec<u8> {
    let percent_like = encoded.replace('%', "=25").replace('_', " ").replace('=', "%");
    percent_decode(percent_like.as_bytes()).collect()
}

#[cfg(test)]
mod tests;
