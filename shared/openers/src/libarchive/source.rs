//! Serves a blob to the library, which reads, skips and seeks in it.

#![expect(unsafe_code, reason = "the library calls these functions")]

use std::ffi::{c_int, c_void};
use std::io::{self, BufRead as _, Seek as _, SeekFrom};

use gate::{Blob, BlobReader};

use super::library::Archive;

/// `ARCHIVE_FATAL`; any negative number is an error.
const FAILED: i64 = -30;
const READ_FAILED: isize = -30;

#[derive(Debug)]
pub(super) struct Source {
    reader: BlobReader,
    size_bytes: u64,
    /// The blob could not be read, so an error of the library says nothing about the bytes.
    pub is_unreadable: bool,
}

impl Source {
    pub(super) fn new(blob: &Blob) -> Self {
        Self { reader: blob.reader(), size_bytes: blob.size_bytes(), is_unreadable: false }
    }

    /// Returns the bytes from the position on, as far as they are buffered. They are valid until the next
    /// call.
    fn read(&mut self) -> io::Result<(*const u8, usize)> {
        let bytes = self.reader.fill_buf()?;
        let (start, n_bytes) = (bytes.as_ptr(), bytes.len());
        self.reader.consume(n_bytes);
        Ok((start, n_bytes))
    }

    /// Skips `request` bytes, up to the end. Returns how many were skipped.
    fn skip(&mut self, request: i64) -> io::Result<i64> {
        let position = self.reader.stream_position()?;
        let left = self.size_bytes.saturating_sub(position);
        let n_bytes = u64::try_from(request).unwrap_or(0).min(left);
        self.reader.seek(SeekFrom::Start(position + n_bytes))?;
        i64::try_from(n_bytes).map_err(io::Error::other)
    }

    fn seek(&mut self, offset: i64, whence: c_int) -> io::Result<i64> {
        let target = match whence {
            libc::SEEK_SET => SeekFrom::Start(u64::try_from(offset).map_err(io::Error::other)?),
            libc::SEEK_CUR => SeekFrom::Current(offset),
            libc::SEEK_END => SeekFrom::End(offset),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        i64::try_from(self.reader.seek(target)?).map_err(io::Error::other)
    }
}

pub(super) unsafe extern "C" fn read(
    _: *mut Archive,
    client: *mut c_void,
    buffer: *mut *const c_void,
) -> isize {
    // SAFETY: the library passes the source that it was opened with, which outlives it, and no other
    // reference to it exists during a call.
    let source = unsafe { &mut *client.cast::<Source>() };
    let Ok((start, n_bytes)) = source.read() else {
        source.is_unreadable = true;
        return READ_FAILED;
    };
    // SAFETY: the address of a pointer, which the library gives.
    unsafe { *buffer = start.cast() };
    n_bytes.cast_signed()
}

pub(super) unsafe extern "C" fn skip(_: *mut Archive, client: *mut c_void, request: i64) -> i64 {
    // SAFETY: as in `read`.
    let source = unsafe { &mut *client.cast::<Source>() };
    source.skip(request).unwrap_or(FAILED)
}

pub(super) unsafe extern "C" fn seek(
    _: *mut Archive,
    client: *mut c_void,
    offset: i64,
    whence: c_int,
) -> i64 {
    // SAFETY: as in `read`.
    let source = unsafe { &mut *client.cast::<Source>() };
    source.seek(offset, whence).unwrap_or(FAILED)
}
