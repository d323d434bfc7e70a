//! Decodes bytes that are written as two hexadecimal digits each.

use std::io::{BufRead as _, Read};

use super::decoder;
use crate::blob::Blob;

/// Reads a blob decoded. What is no digit is skipped.
pub(super) fn decoded(body: &Blob) -> impl Read + use<> {
    let (mut reader, mut high) = (body.reader(), None);
    decoder(move || {
        let buffer = reader.fill_buf()?;
        let n_bytes = buffer.len();
        let mut bytes = Vec::with_capacity(n_bytes / 2 + 1);
        for digit in buffer.iter().filter_map(|byte| digit(*byte)) {
            match high.take() {
                Some(high) => bytes.push(high << 4 | digit),
                None => high = Some(digit),
            }
        }
        reader.consume(n_bytes);
        Ok((n_bytes > 0).then_some(bytes))
    })
}

pub(crate) fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_paired_over_whatever_stands_between() {
        for (text, expected) in [("436174", "Cat"), ("43 6\n1 7", "Ca"), ("4a4B", "JK"), ("", "")] {
            let mut bytes = Vec::new();
            decoded(&Blob::from_bytes(text.into())).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, expected.as_bytes(), "{text:?}");
        }
        let mut bytes = Vec::new();
        decoded(&Blob::from_bytes(b"0x\n".repeat(100_001))).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, vec![0; 50_000]);
    }
}
