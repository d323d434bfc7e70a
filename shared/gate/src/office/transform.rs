//! Reads bytes that are decrypted in their order.

use std::io::{self, Read};

use crate::blob::{Blob, BlobReader};

pub(super) struct Transformed<F> {
    source: BlobReader,
    transform: F,
}

impl<F: FnMut(&mut [u8])> Transformed<F> {
    pub(super) fn of(blob: &Blob, transform: F) -> Self {
        Self { source: blob.reader(), transform }
    }
}

impl<F: FnMut(&mut [u8])> Read for Transformed<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.source.read(buffer)?;
        (self.transform)(&mut buffer[..n_bytes]);
        Ok(n_bytes)
    }
}
