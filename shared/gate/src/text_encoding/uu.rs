//! Decodes uuencode (POSIX.1-2024, `uuencode`) and xxencode, line by line: its length, then four characters
//! for three bytes each.

use std::io::{self, Read};

use super::decoder;
use crate::blob::Blob;
use crate::mail::{Breaks, Lines};

type Bits = fn(u8) -> Option<u32>;

/// A way to read one line: what it decodes to, nothing, or that the data end before it.
enum Taken {
    Bytes(Vec<u8>),
    End,
}

/// Every way to read the lines behind a `begin` line. If that may be prose, they must look like data.
pub(super) fn readings(body: &Blob, breaks: Breaks, is_sure: bool) -> io::Result<Vec<Box<dyn Read>>> {
    let first = first_line(body, breaks)?;
    let mut readings: Vec<Box<dyn Read>> = Vec::new();
    // Busybox does not care about the mode, but about the length of a line.
    let is_data = is_sure || fits_to_the_letter(&first);
    if is_data {
        readings.push(reading(body, breaks, whatever_it_is));
    }
    if is_data || fits(&first, uu_bits) {
        readings.push(reading(body, breaks, strictly));
    }
    readings.push(reading(body, breaks, |line| skipping(line, uu_bits)));
    readings.push(reading(body, breaks, |line| skipping(line, xx_bits)));
    Ok(readings)
}

fn reading(body: &Blob, breaks: Breaks, take: fn(&[u8]) -> Taken) -> Box<dyn Read> {
    let mut lines = Lines::new(body, breaks);
    Box::new(decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        if line.text.trim_ascii().eq_ignore_ascii_case(b"end") {
            return Ok(None);
        }
        Ok(match take(line.text) {
            Taken::Bytes(bytes) => Some(bytes),
            Taken::End => None,
        })
    }))
}

/// The first line that is not blank.
fn first_line(body: &Blob, breaks: Breaks) -> io::Result<Vec<u8>> {
    let mut lines = Lines::new(body, breaks);
    while let Some(line) = lines.next_line()? {
        if !line.text.trim_ascii().is_empty() {
            return Ok(line.text.to_vec());
        }
    }
    Ok(Vec::new())
}

/// As Python does: a character that means nothing ends the data; an empty line of data does not.
fn strictly(line: &[u8]) -> Taken {
    let Some((length, text)) = line.split_first() else { return Taken::Bytes(Vec::new()) };
    let n_bytes = any_bits(*length);
    let text = &text[..text.len().min(n_characters(n_bytes))];
    if text.iter().all(|byte| uu_bits(*byte).is_some()) {
        Taken::Bytes(decode_line(text, n_bytes, |byte| uu_bits(byte).unwrap_or(0)))
    } else {
        Taken::End
    }
}

/// As sharutils does: every character means something, and an empty line of data ends them.
fn whatever_it_is(line: &[u8]) -> Taken {
    match line.split_first() {
        Some((length, text)) if any_bits(*length) > 0 => {
            Taken::Bytes(decode_line(text, any_bits(*length), any_bits))
        }
        _ => Taken::End,
    }
}

/// As uudeview does: what is no line of data is skipped, and white space in front of one.
fn skipping(line: &[u8], bits: Bits) -> Taken {
    let line = if fits(line, bits) { line } else { line.trim_ascii_start() };
    match line.split_first() {
        Some((length, text)) if fits(line, bits) => {
            let n_bytes = bits(*length).unwrap_or(0);
            Taken::Bytes(decode_line(text, n_bytes, |byte| bits(byte).unwrap_or(0)))
        }
        _ => Taken::Bytes(Vec::new()),
    }
}

/// Returns whether a line looks like data: as long as it says, or with spaces cut off its end.
fn fits(line: &[u8], bits: Bits) -> bool {
    let Some((length, text)) = line.split_first() else { return false };
    let n_wanted = n_characters(bits(*length).unwrap_or(0));
    let text = &text[..text.len().min(n_wanted)];
    n_wanted > 0 && text.len() > n_wanted / 2 && text.iter().all(|byte| bits(*byte).is_some())
}

/// Returns whether a line has as many characters as it says, or one more, which may be a checksum. Of prose,
/// one line of thirty does.
fn fits_to_the_letter(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let Some((length, text)) = line.split_first() else { return false };
    let n_wanted = n_characters(any_bits(*length));
    n_wanted > 0 && (n_wanted..=n_wanted + 1).contains(&text.len()) && !text.contains(&b' ')
}

fn n_characters(n_bytes: u32) -> usize {
    n_bytes.div_ceil(3) as usize * 4
}

fn uu_bits(byte: u8) -> Option<u32> {
    (0x20..=0x60).contains(&byte).then(|| any_bits(byte))
}

fn any_bits(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(0x20) % 64)
}

fn xx_bits(byte: u8) -> Option<u32> {
    const DIGITS: &[u8; 64] = b"+-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    memchr::memchr(byte, DIGITS).and_then(|bits| u32::try_from(bits).ok())
}

/// Characters that are missing at the end count as zero.
fn decode_line(text: &[u8], n_bytes: u32, bits: impl Fn(u8) -> u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for group in text[..text.len().min(n_characters(n_bytes))].chunks(4) {
        let digit = |at: usize| group.get(at).map_or(0, |byte| bits(*byte));
        let word = (0..4).fold(0, |word, at| word << 6 | digit(at));
        bytes.extend_from_slice(&word.to_be_bytes()[1..]);
    }
    bytes.resize(n_bytes as usize, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, is_sure: bool) -> Vec<String> {
        let body = Blob::from_bytes(text.as_bytes().to_vec());
        let read = |mut reading: Box<dyn Read>| {
            let mut bytes = Vec::new();
            reading.read_to_end(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        readings(&body, Breaks::Any, is_sure).unwrap().into_iter().map(read).collect()
    }

    #[test]
    fn every_reader_decodes_what_it_can() {
        for text in [
            "#0V%T\n`\nend\n",
            "#0V%T\n \nend\n",
            "#0V%T\r\n`\r\nend\r\n",
            "#0V%T\r",
            "#0V%Tx\nend\n",
            "#0V%T`\nend",
            "\n#0V%T\nend",
            "  #0V%T\nend",
            "#0V%T\n#0V%T\x7f\n`\nend\n",
        ] {
            let all = decoded(text, true);
            assert!(all.iter().any(|bytes| bytes == "Cat" || bytes == "CatCat"), "{text:?} {all:?}");
        }
        assert!(decoded("#0V%T\n`\n#0V%T\nend\n#0V%T\n", true).contains(&"CatCat".to_owned()));
        assert!(decoded("#0V%T\nprose between\n#0V%T\nend\n", true).contains(&"CatCat".to_owned()));
        assert!(decoded("#0V%\nend", true).contains(&"Ca@".to_owned()), "a stripped space counts as zero");
        assert!(decoded("#pV%T\nend", true).contains(&"Cat".to_owned()), "a character beyond the last");
    }

    #[test]
    fn prose_is_not_decoded() {
        for prose in [
            "with something else\nand more\n",
            "",
            "\n\n",
            "  x := 1;\nend;\n",
            "END\n",
            "UPDATE t SET a = 1;\n",
        ] {
            assert!(decoded(prose, false).iter().all(String::is_empty), "{prose}");
        }
        assert!(decoded("#0V%T\nend\n", false).contains(&"Cat".to_owned()));
        assert!(decoded("c0V%T\nend\n", false).contains(&"Cat".to_owned()), "a length beyond the last");
    }

    #[test]
    fn xxencoded_lines_are_decoded() {
        assert!(decoded("1Eq3o\n+\nend\n", true).contains(&"Cat".to_owned()));
        assert!(decoded("1Eq3o\n+\nend\n", false).contains(&"Cat".to_owned()));
    }
}
