//! Decodes `data:` URLs (RFC 2397) whose data are not base64: text with percent-encoding, which a browser
//! saves as a file. Those in base64 are found as runs.

use std::io::{self, Read};

use super::decoder;
use super::hexadecimal::digit;
use crate::blob::{Blob, to_u64, to_usize};
use crate::mail::holds;
use crate::walk::{Walk, Walked};

/// How an address begins.
pub(crate) const SCHEME: &[u8] = b"data:";
/// The longest media type with its parameters that is looked for where nothing says that an address begins.
const LONGEST_TYPE: usize = 256;
/// The shortest data that are looked at. The EICAR test file has 68 bytes.
const SHORTEST: usize = 64;

/// Where an address stands, which says what ends it. URLs may hold everything but a `#`, and browsers leave
/// out tabs and line breaks (WHATWG URL, 4.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In some text: whatever may end one in markup, style sheets and scripts does.
    Anywhere,
    /// Behind a quote or a bracket: up to the one that closes it.
    Before(u8),
    /// A value without quotes.
    Bare,
    /// All of what is read.
    Whole,
}

impl Place {
    /// By the byte in front of it.
    fn behind(byte: u8) -> Option<Self> {
        match byte {
            b'"' | b'\'' | b'`' => Some(Self::Before(byte)),
            b'(' => Some(Self::Before(b')')),
            b'=' => Some(Self::Bare),
            _ => None,
        }
    }

    fn ends(self, byte: u8) -> bool {
        match self {
            Self::Anywhere => {
                matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>' | b')')
                    || byte.is_ascii_whitespace()
                    || byte.is_ascii_control()
            }
            Self::Before(closing) => byte == closing || byte == b'#',
            Self::Bare => byte.is_ascii_whitespace() || byte == b'>' || byte == b'#',
            Self::Whole => byte == b'#',
        }
    }

    fn leaves_out(self, byte: u8) -> bool {
        self != Self::Anywhere && matches!(byte, b'\t' | b'\r' | b'\n')
    }
}

/// Hands over the data of an address that is not in base64, if one begins at `at`: up to whatever may end it
/// anywhere, and up to what ends it in its place.
pub(crate) fn hand(walk: &mut Walk<'_>, blob: &Blob, at: u64, depth: u32) -> Walked {
    const HEAD: usize = 4 * 1024;
    const NEAR: u64 = 16;
    let address = blob.tail(at);
    let head = address.bytes_at(0, HEAD)?;
    if let Some(data_at) = data_at(&head) {
        walk.reading(&mut decoded(&address.tail(to_u64(data_at)), Place::Anywhere), depth)?;
    }
    let near = blob.bytes_at(at.saturating_sub(NEAR), to_usize(at.min(NEAR)))?;
    let Some(place) = near.trim_ascii_end().last().and_then(|byte| Place::behind(*byte)) else {
        return Ok(());
    };
    if let Some(data_at) = data_in(&address, place)?
        && !is_base64(&address, data_at)?
    {
        let data = address.tail(data_at);
        let first = data.bytes_at(0, SHORTEST)?;
        if first.len() == SHORTEST && !first.iter().any(|byte| place.ends(*byte)) {
            walk.reading(&mut decoded(&data, place), depth)?;
        }
    }
    Ok(())
}

/// Where the data of an address begin, in `head`, which begins as one. `None` for data in base64, or that are
/// short.
fn data_at(head: &[u8]) -> Option<usize> {
    let media_type = &head[SCHEME.len().min(head.len())..head.len().min(LONGEST_TYPE)];
    let comma = memchr::memchr(b',', media_type)?;
    let is_type = |byte: &u8| byte.is_ascii_alphanumeric() || b"/;=-+._\"'% ".contains(byte);
    let media_type = &media_type[..comma];
    if !media_type.iter().all(is_type) || holds(media_type, b"base64") {
        return None;
    }
    let data_at = SCHEME.len() + comma + 1;
    let data = &head[data_at..];
    let end = data.iter().position(|byte| Place::Anywhere.ends(*byte)).unwrap_or(data.len());
    (end >= SHORTEST).then_some(data_at)
}

/// Where the data of an address begin: behind the first comma, however far that is.
pub(crate) fn data_in(address: &Blob, place: Place) -> io::Result<Option<u64>> {
    let mut windows = address.windows(to_u64(SCHEME.len()), 0);
    while let Some((at, window)) = windows.next_window()? {
        if let Some(found) = window.iter().position(|byte| *byte == b',' || place.ends(*byte)) {
            return Ok((window[found] == b',').then(|| at + to_u64(found + 1)));
        }
    }
    Ok(None)
}

/// Returns whether the data of an address, which begin at `data_at`, are in base64.
pub(crate) fn is_base64(address: &Blob, data_at: u64) -> io::Result<bool> {
    const NEAR: u64 = 64;
    let end = data_at.saturating_sub(1);
    let start = end.saturating_sub(NEAR);
    let media_type = address.bytes_at(start, to_usize(end - start))?;
    Ok(media_type.trim_ascii_end().to_ascii_lowercase().ends_with(b"base64"))
}

/// The data, decoded: up to the byte that ends the address.
pub(crate) fn decoded(data: &Blob, place: Place) -> impl Read + use<> {
    let mut bytes = data.reader().bytes();
    let mut is_over = false;
    decoder(move || {
        const PIECE: usize = 4096;
        let mut piece = Vec::with_capacity(PIECE);
        // An escape is not cut in two.
        while !is_over && (piece.len() < PIECE || piece.iter().rev().take(2).any(|byte| *byte == b'%')) {
            match bytes.next().transpose()? {
                Some(byte) if !place.ends(byte) => {
                    if !place.leaves_out(byte) {
                        piece.push(byte);
                    }
                }
                _ => is_over = true,
            }
        }
        Ok((!piece.is_empty()).then(|| unescaped(&piece)))
    })
}

/// All of a text, decoded.
pub(crate) fn unescaped_all(text: &Blob) -> impl Read + use<> {
    let mut bytes = text.reader().bytes();
    decoder(move || {
        const PIECE: usize = 4096;
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE || piece.iter().rev().take(2).any(|byte| *byte == b'%') {
            let Some(byte) = bytes.next().transpose()? else { break };
            piece.push(byte);
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
            let data = Blob::from_bytes(text.as_bytes()[data_at..].to_vec());
            decoded(&data, Place::Anywhere).read_to_end(&mut bytes).unwrap();
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
