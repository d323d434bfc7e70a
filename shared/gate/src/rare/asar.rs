//! Hands the files in archives of Electron (`asar`, README "Format"): a header in JSON, the files one behind
//! another.

use domain::verdict::Unscannable;

use super::hand;
use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, malformed, refuse};

/// Two sizes of pickles (Chromium), each with its own size in front.
const HEADER: u64 = 16;
const MOST_JSON: u64 = 64 * 1024 * 1024;

pub(super) fn begins(start: &[u8]) -> bool {
    start.u32_le(0) == 4
        && start.u32_le(4) > start.u32_le(8)
        && start.u32_le(8) > start.u32_le(12)
        && start.u8_at(16) == b'{'
}

pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let start = blob.bytes_at(0, to_usize(HEADER))?;
    let (files_at, n_json) = (8 + u64::from(start.u32_le(4)), u64::from(start.u32_le(12)));
    if n_json > MOST_JSON {
        return refuse(Unscannable::TooManyFiles, "asar: a header that is larger than the limit");
    }
    let json = blob.bytes_at(HEADER, to_usize(n_json))?;
    for (offset, size_bytes) in places(&json) {
        let file = blob.slice(files_at.saturating_add(offset), size_bytes);
        if file.size_bytes() != size_bytes {
            return malformed("asar: a file behind the end");
        }
        hand(walk, &file, depth)?;
    }
    Ok(())
}

/// The offset and size of each object that has both, with the last value of each.
fn places(json: &[u8]) -> Vec<(u64, u64)> {
    let (mut found, mut open, mut key, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while let Some(byte) = json.get(at) {
        let value = match byte {
            b'{' => {
                open.push((None, None));
                None
            }
            b'}' => {
                if let Some((Some(offset), Some(size))) = open.pop() {
                    found.push((offset, size));
                }
                None
            }
            b'"' => {
                let (text, n_bytes) = string(&json[at..]);
                at += n_bytes;
                let is_key = json[at..].trim_ascii_start().first() == Some(&b':');
                if is_key {
                    key.clone_from(&text);
                }
                Some(text).filter(|_| !is_key)
            }
            b'0'..=b'9' => {
                let n_digits = json[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                at += n_digits;
                Some(json[at - n_digits..at].to_vec())
            }
            _ => None,
        };
        if let (Some(value), Some((offset, size))) = (&value, open.last_mut()) {
            let number = std::str::from_utf8(value).ok().and_then(|digits| digits.trim().parse::<u64>().ok());
            match key.as_slice() {
                b"offset" => *offset = number,
                b"size" => *size = number,
                _ => {}
            }
        }
        // Strings and numbers have been passed.
        at += usize::from(value.is_none() && *byte != b'"');
    }
    found
}

/// The string that begins here, with escapes resolved, and how many bytes it takes.
fn string(json: &[u8]) -> (Vec<u8>, usize) {
    let (mut text, mut at) = (Vec::new(), 1);
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return (text, at + 1),
            b'\\' if json.get(at + 1) == Some(&b'u') => {
                let digits = std::str::from_utf8(json.at(at + 2, 4)).unwrap_or_default();
                text.push(u8::from_str_radix(digits, 16).unwrap_or(b'?'));
                at += 6;
            }
            b'\\' => {
                text.extend(json.get(at + 1));
                at += 2;
            }
            byte => {
                text.push(*byte);
                at += 1;
            }
        }
    }
    (text, at.min(json.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_the_header_says() {
        for (json, expected) in [
            (
                r#"{"files":{"a":{"size":68,"offset":"0"},"b":{"offset":"68","size":9}}}"#,
                vec![(0, 68), (68, 9)],
            ),
            (r#"{"files":{"d":{"files":{"a":{"o\u0066fset" : "7" , "size": 1}}}}}"#, vec![(7, 1)]),
            (r#"{"files":{"a":{"offset":"1","size":5,"offset":"2","integrity":{"x":["9"]}}}}"#, vec![(2, 5)]),
            (r#"{"files":{"a\"{":{"size":68,"unpacked":true}}}"#, vec![]),
            (r#"{"offset":"1","size":"2"#, vec![]),
        ] {
            assert_eq!(places(json.as_bytes()), expected, "{json}");
        }
        assert_eq!(string(br#""a\n\u0062"c"#), (b"anb".to_vec(), 11));
    }
}
