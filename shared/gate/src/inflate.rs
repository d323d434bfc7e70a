//! Decodes a deflate stream up to the last byte before damage. `flate2` withholds what it has written when it
//! finds the damage.

use std::io::{self, BufRead, Read};

use flate2::bufread::DeflateDecoder;

pub(crate) struct Inflate<R> {
    decoder: DeflateDecoder<R>,
    n_given: u64,
    damage: Option<io::ErrorKind>,
}

impl<R: BufRead> Inflate<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { decoder: DeflateDecoder::new(source), n_given: 0, damage: None }
    }
}

impl<R: BufRead> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(damage) = self.damage {
            return Err(damage.into());
        }
        match self.decoder.read(buffer) {
            Ok(n_bytes) => {
                self.n_given += crate::blob::to_u64(n_bytes);
                Ok(n_bytes)
            }
            // The bytes are in the buffer, and only the total tells how many.
            Err(damage) => {
                self.damage = Some(damage.kind());
                let n_bytes = self.decoder.total_out().saturating_sub(self.n_given);
                if n_bytes > 0 { Ok(crate::blob::to_usize(n_bytes)) } else { Err(damage) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_byte_before_the_damage_is_there() {
        // A stored block of five bytes that is not the last one, then a block of an invalid type.
        let damaged = [&[0, 5, 0, 0xfa, 0xff][..], b"short", &[0x07]].concat();
        for n_at_once in [1, 2, 5, 100] {
            let (mut inflate, mut found) = (Inflate::new(damaged.as_slice()), vec![]);
            let mut buffer = vec![0; n_at_once];
            let error = loop {
                match inflate.read(&mut buffer) {
                    Ok(n_bytes) => found.extend_from_slice(&buffer[..n_bytes]),
                    Err(error) => break error,
                }
            };
            assert_eq!(
                (found.as_slice(), error.kind()),
                (&b"short"[..], io::ErrorKind::InvalidInput),
                "{n_at_once}"
            );
            assert!(inflate.read(&mut buffer).is_err(), "{n_at_once}");
        }
    }
}
