//! Reads bytes of a blob at an offset.

use std::io::{self, Read as _, Seek as _, SeekFrom};

use gate::Blob;

/// Reads up to `n_bytes` at `offset`; fewer only where the blob ends.
pub(super) fn bytes_at(blob: &Blob, offset: u64, n_bytes: u64) -> io::Result<Vec<u8>> {
    let mut reader = blob.reader();
    reader.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    reader.take(n_bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}
