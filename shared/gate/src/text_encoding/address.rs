//! Decodes `data:` URLs (RFC 2397) whose data are not base64: text with percent-encoding, which a browser
//! saves as a file. Those in base64 are found as runs.

use std::io::Read;

use super::decoder;
use super::hexadecimal::digit;
use crate::blob::Blob;
use crate::mail::holds;

/// How an address begins.
pub(crate) const SCHEME: &[u8] = b"data:";
/// The longest media type with its parameters.
const LONGEST_TYPE: usize = 256;
/// The shortest data that are looked at. The EICAR test file has 68 bytes.
const SHORTEST: usize = 64;

/// Where the data of an address begin, in `head`, which begins as one. `None` for data in base64, or that are
/// short.
pub(crate) fn data_at(head: &[u8]) -> Option<usize> {
    let media_type = &head[SCHEME.len().min(head.len())..head.len().min(LONGEST_TYPE)];
    let comma = memchr::memchr(b',', media_type)?;
    let is_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"/;=-+._\"'% ".contains(byte);
    let media_type = &media_type[..comma];
    if !media_type.iter().all(is_type) || holds(media_type, b"base64") {
        return None;
    }
    let data_at = SCHEME.len() + comma + 1;
    let data = &head[data_at..];
    let end = data.iter().position(|byte| ends(*byte)).unwrap_or(data.len());
    (end >= SHORTEST).then_some(data_at)
}

/// What an address ends with in markup, style sheets and scripts.
fn ends(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b')')
        || byte.is_ascii_whitespace()
        || byte.is_ascii_control()
}

/// The data, decoded: up to the byte that ends the address.
pub(crate) fn decoded(data: &Blob) -> impl Read + use<> {
    let mut bytes = data.reader().bytes();
    let mut is_over = false;
    decoder(move || {
        const PIECE: usize = 4096;
        let mut piece = Vec::with_capacity(PIECE);
        while !is_over && piece.len() < PIECE {
            match bytes.next().transpose()? {
                Some(byte) if !ends(byte) => piece.push(byte),
                _ => is_over = true,
            }
        }
        // An escape is not cut in two.
        while !is_over && piece.iter().rev().take(2).any(|byte| *byte == b'%') {
            match bytes.next().transpose()? {
                Some(byte) if !ends(byte) => piece.push(byte),
                _ => is_over = true,
            }
        }
        Ok((!piece.is_empty()).then(|| unescaped(&piece)))
    })
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some((first, behind)) = rest.split_first() {
        let escaped = match (first, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            bytes.push(high << 4 | low);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_decoded_up_to_the_end_of_the_address() {
        let long = "X5O%21P%25".repeat(2000);
        for (media_type, quote) in
            [("text/plain", "\""), ("", "'"), ("a/b;charset=utf-8", ")"), ("application/octet-stream", " ")]
        {
            let text = format!("data:{media_type},{long}{quote}rest");
            let data_at = data_at(text.as_bytes()).unwrap();
            let mut bytes = Vec::new();
            decoded(&Blob::from_bytes(text.as_bytes()[data_at..].to_vec())).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, b"X5O!P%".repeat(2000), "{media_type}");
        }
    }

    #[test]
    fn what_is_no_address_or_is_found_as_base64_is_left() {
        let long = "a".repeat(100);
        for text in [
            format!("data:text/plain;base64,{long}"),
            format!("data:;BASE64,{long}"),
            format!("data: {{a: b}}, {long}"),
            format!("data:text/plain,{}\"{long}", &long[..60]),
            format!("data:{long}"),
        ] {
            assert_eq!(data_at(text.as_bytes()), None, "{text}");
        }
    }
}
