//! Decodes MSZIP: deflate blocks of up to 32 KiB, each of which may refer to the one before ([MS-MCI]).

use std::io::{self, Read as _};

const SIGNATURE: &[u8] = b"CK";
const WINDOW: usize = 32 * 1024;

/// Unpacks block after block of one folder.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    previous: Vec<u8>,
}

impl Decoder {
    /// Unpacks one block to exactly `n_bytes`.
    pub(crate) fn unpack(&mut self, block: &[u8], n_bytes: usize) -> io::Result<&[u8]> {
        let deflated = block.strip_prefix(SIGNATURE).ok_or(io::ErrorKind::InvalidData)?;
        // The decompressor takes no dictionary, so the window goes in first, as a stored block of deflate's
        // own.
        let input = [&self.stored_window(), deflated].concat();
        let mut output = Vec::new();
        let limit = crate::blob::to_u64(self.previous.len() + n_bytes + 1);
        flate2::bufread::DeflateDecoder::new(input.as_slice()).take(limit).read_to_end(&mut output)?;
        if output.len() != self.previous.len() + n_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let start = output.len() - n_bytes;
        self.previous = output.split_off(start.saturating_sub(WINDOW - n_bytes.min(WINDOW)).min(start));
        let start = self.previous.len() - n_bytes;
        Ok(&self.previous[start..])
    }

    /// Not the last block, stored, length and its complement, the bytes (RFC 1951, 3.2.4).
    fn stored_window(&self) -> Vec<u8> {
        let window = &self.previous[self.previous.len().saturating_sub(WINDOW)..];
        let length = u16::try_from(window.len()).unwrap_or(0);
        [&[0], length.to_le_bytes().as_slice(), &(!length).to_le_bytes(), window].concat()
    }
}
