//! Decodes yEnc 1.3: every byte is 42 more than it stands for, and a few are escaped.

use std::io::Read;

use super::decoder;
use crate::blob::Blob;
use crate::mail::{Breaks, Lines};

/// Reads the blocks between `=ybegin` and `=yend`, one after another: parts of one file follow each other.
pub(super) fn decoded(body: &Blob) -> impl Read + use<> {
    let mut lines = Lines::new(body, Breaks::Any);
    let mut is_in_block = false;
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        let is_mark = line.begins && line.text.starts_with(b"=y");
        if is_mark {
            is_in_block = !line.text.starts_with(b"=yend");
        }
        Ok(Some(if is_in_block && !is_mark { decode_line(line.text) } else { Vec::new() }))
    })
}

fn decode_line(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut text = text.iter();
    while let Some(byte) = text.next() {
        let byte = match byte {
            b'=' => text.next().map(|byte| byte.wrapping_sub(64)),
            byte => Some(*byte),
        };
        bytes.extend(byte.map(|byte| byte.wrapping_sub(42)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_decoded() {
        let mut text = b"=ybegin part=1 line=128 size=6 name=a\r\n=ypart begin=1 end=3\r\n".to_vec();
        text.extend(b"m\x8b\x9e\r\n=yend size=3\r\nbetween\r\n");
        text.extend(b"=ybegin part=2 line=128\r\n=}\x8b\x9e\r\n=yend\r\nbehind");
        let mut bytes = Vec::new();
        decoded(&Blob::from_bytes(text)).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"Cat\x13at");
    }
}
