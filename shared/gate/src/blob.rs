//! Bytes that can be read at any offset, in memory or in an unnamed file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::scratch::{Range, Scratch};

/// How much is searched at a time: little enough to stay in the processor's cache, and for the allocator to
/// use again.
pub(crate) const SEARCH_WINDOW: usize = 64 * 1024;

/// A range of bytes. Cheap to clone and to slice.
#[derive(Clone, Debug)]
pub struct Blob {
    store: Store,
    offset: u64,
    size_bytes: u64,
}

#[derive(Clone, Debug)]
enum Store {
    Memory(Arc<Vec<u8>>),
    /// The whole of a small inspected file, so that it is read once.
    Loaded(Arc<Vec<u8>>),
    File(Arc<File>),
    Scratch(Arc<Range>),
}

/// Where the bytes of a [`Blob`] are, for another process that has the same files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    pub place_in: PlaceIn,
    pub offset: u64,
    pub size_bytes: u64,
}

/// One of the two files of an inspection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceIn {
    Inspected,
    Scratch,
}

/// A failure of the file system, as opposed to damaged bytes. Passes through the decompressors inside
/// `io::Error`.
#[derive(Debug, thiserror::Error)]
#[error("stored bytes could not be read")]
pub(crate) struct StorageTrouble(#[source] io::Error);

impl Blob {
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let size_bytes = to_u64(bytes.len());
        Self { store: Store::Memory(Arc::new(bytes)), offset: 0, size_bytes }
    }

    /// Returns the whole of a file, whatever its position. A small one is read into memory.
    pub fn from_file(file: File) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len();
        let blob = Self { store: Store::File(Arc::new(file)), offset: 0, size_bytes };
        if size_bytes > to_u64(MAX_IN_MEMORY) {
            return Ok(blob);
        }
        let bytes = blob.bytes_at(0, to_usize(size_bytes))?;
        Ok(Self { store: Store::Loaded(Arc::new(bytes)), ..blob })
    }

    /// Returns a part of a file. Fails if the file ends before the part does.
    pub fn in_file(file: Arc<File>, offset: u64, size_bytes: u64) -> io::Result<Self> {
        let end = offset.checked_add(size_bytes);
        if end.is_none_or(|end| file.metadata().is_ok_and(|metadata| end > metadata.len())) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { store: Store::File(file), offset, size_bytes })
    }

    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Returns where the bytes are; `None` while they are in memory alone.
    pub fn place(&self) -> Option<Place> {
        let place_in = match self.store {
            Store::Memory(_) => return None,
            Store::File(_) | Store::Loaded(_) => PlaceIn::Inspected,
            Store::Scratch(_) => PlaceIn::Scratch,
        };
        Some(Place { place_in, offset: self.offset, size_bytes: self.size_bytes })
    }

    /// Returns the same bytes, moved to `scratch` if they are in memory alone.
    pub(crate) fn kept_in(self, scratch: &Scratch) -> io::Result<Self> {
        if !matches!(self.store, Store::Memory(_)) {
            return Ok(self);
        }
        let mut range = scratch.begin();
        range.append(self.in_memory().unwrap_or_default())?;
        Ok(Self::in_range(range, self.size_bytes))
    }

    /// Returns the bytes, if they are in memory.
    fn in_memory(&self) -> Option<&[u8]> {
        match &self.store {
            Store::Memory(bytes) | Store::Loaded(bytes) => {
                let start = to_usize(self.offset);
                Some(&bytes[start..start + to_usize(self.size_bytes)])
            }
            Store::File(_) | Store::Scratch(_) => None,
        }
    }

    fn in_range(range: Range, size_bytes: u64) -> Self {
        Self { offset: range.start(), store: Store::Scratch(Arc::new(range)), size_bytes }
    }

    /// Returns `n_bytes` from `offset` on, cut at the blob's end.
    pub(crate) fn slice(&self, offset: u64, n_bytes: u64) -> Self {
        let start = offset.min(self.size_bytes);
        let size_bytes = n_bytes.min(self.size_bytes - start);
        Self { store: self.store.clone(), offset: self.offset + start, size_bytes }
    }

    /// Returns where these bytes start and end in `outer`; `None` if they are not a part of it.
    pub(crate) fn range_in(&self, outer: &Self) -> Option<(u64, u64)> {
        let is_same = match (&self.store, &outer.store) {
            (Store::Memory(this), Store::Memory(other)) | (Store::Loaded(this), Store::Loaded(other)) => {
                Arc::ptr_eq(this, other)
            }
            (Store::File(this), Store::File(other)) => Arc::ptr_eq(this, other),
            (Store::Scratch(this), Store::Scratch(other)) => Arc::ptr_eq(this, other),
            _ => false,
        };
        let start = self.offset.checked_sub(outer.offset).filter(|_| is_same)?;
        let end = start + self.size_bytes;
        (end <= outer.size_bytes).then_some((start, end))
    }

    pub(crate) fn tail(&self, offset: u64) -> Self {
        self.slice(offset, u64::MAX)
    }

    /// Reads up to `n_bytes` at `offset`; fewer only where the blob ends.
    pub(crate) fn bytes_at(&self, offset: u64, n_bytes: usize) -> io::Result<Vec<u8>> {
        let slice = self.slice(offset, to_u64(n_bytes));
        if let Some(bytes) = slice.in_memory() {
            return Ok(bytes.to_vec());
        }
        let mut bytes = Vec::new();
        slice.read_at(0, n_bytes, &mut bytes)?;
        Ok(bytes)
    }

    /// Lends up to `n_bytes` at `offset`, from memory or from `buffer`, into which they are read.
    fn lent<'a>(&'a self, offset: u64, n_bytes: usize, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        if let Some(bytes) = self.in_memory() {
            let start = to_usize(offset).min(bytes.len());
            return Ok(&bytes[start..start.saturating_add(n_bytes).min(bytes.len())]);
        }
        self.read_at(offset, n_bytes, buffer)?;
        Ok(buffer)
    }

    fn read_at(&self, offset: u64, n_bytes: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let slice = self.slice(offset, to_u64(n_bytes));
        buffer.resize(to_usize(slice.size_bytes), 0);
        match &slice.store {
            Store::Memory(_) | Store::Loaded(_) => {
                buffer.copy_from_slice(slice.in_memory().unwrap_or_default());
                Ok(())
            }
            Store::File(file) => file.read_exact_at(buffer, slice.offset).map_err(storage_trouble),
            Store::Scratch(range) => range.read_exact_at(buffer, slice.offset).map_err(storage_trouble),
        }
    }

    /// Returns windows of [`SEARCH_WINDOW`] bytes, from `from` on, each with `n_more` bytes of the next one.
    pub(crate) fn windows(&self, from: u64, n_more: usize) -> Windows<'_> {
        Windows { blob: self, at: from, n_more, buffer: Vec::new() }
    }

    /// Returns where the next `word` stands, from `from` on.
    pub(crate) fn find(&self, from: u64, word: &[u8]) -> io::Result<Option<u64>> {
        let mut windows = self.windows(from, word.len());
        while let Some((at, window)) = windows.next_window()? {
            if let Some(hit) = memchr::memmem::find(window, word) {
                return Ok(Some(at + to_u64(hit)));
            }
        }
        Ok(None)
    }

    /// Returns a buffered reader from the start.
    pub fn reader(&self) -> BlobReader {
        BlobReader { blob: self.clone(), position: 0, buffer: Vec::new(), buffer_start: 0 }
    }
}

/// Iterates over the windows of a blob.
#[derive(Debug)]
pub(crate) struct Windows<'a> {
    blob: &'a Blob,
    at: u64,
    /// How many bytes of the next window are lent with each.
    n_more: usize,
    buffer: Vec<u8>,
}

impl Windows<'_> {
    /// Returns where the next window starts, and its bytes; `None` at the end.
    pub(crate) fn next_window(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        let at = self.at;
        if at >= self.blob.size_bytes {
            return Ok(None);
        }
        self.at += to_u64(SEARCH_WINDOW);
        let window = self.blob.lent(at, SEARCH_WINDOW + self.n_more, &mut self.buffer)?;
        Ok(Some((at, window)))
    }
}

/// Reads a [`Blob`], buffered. Its position is that of the last byte consumed, which the decompressors' own
/// buffers hide.
#[derive(Debug)]
pub struct BlobReader {
    blob: Blob,
    position: u64,
    buffer: Vec<u8>,
    buffer_start: u64,
}

const BUFFER_BYTES: usize = 64 * 1024;

impl BlobReader {
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Returns another reader of the same blob, from its start.
    pub(crate) fn rewound(&self) -> Self {
        self.blob.reader()
    }
}

impl io::BufRead for BlobReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.blob.in_memory().is_some() {
            return self.blob.lent(self.position, BUFFER_BYTES, &mut self.buffer);
        }
        let buffer_end = self.buffer_start.saturating_add(to_u64(self.buffer.len()));
        if self.position < self.buffer_start || self.position >= buffer_end {
            // Nothing of it counts if reading fails.
            self.buffer_start = u64::MAX;
            self.blob.read_at(self.position, BUFFER_BYTES, &mut self.buffer)?;
            self.buffer_start = self.position;
        }
        let start = to_usize(self.position - self.buffer_start).min(self.buffer.len());
        Ok(&self.buffer[start..])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.position += to_u64(n_bytes);
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = io::BufRead::fill_buf(self)?;
        let n_bytes = available.len().min(buffer.len());
        buffer[..n_bytes].copy_from_slice(&available[..n_bytes]);
        io::BufRead::consume(self, n_bytes);
        Ok(n_bytes)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(delta) => self.blob.size_bytes.checked_add_signed(delta),
            SeekFrom::Current(delta) => self.position.checked_add_signed(delta),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Collects a member: in memory while it is small, then in the scratch file.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    scratch: Scratch,
    memory: Vec<u8>,
    range: Option<Range>,
    size_bytes: u64,
}

const MAX_IN_MEMORY: usize = 4 * 1024 * 1024;

impl BlobWriter {
    pub(crate) fn new(scratch: &Scratch) -> Self {
        Self { scratch: scratch.clone(), memory: Vec::new(), range: None, size_bytes: 0 }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size_bytes += to_u64(bytes.len());
        if self.range.is_none() && self.memory.len() + bytes.len() > MAX_IN_MEMORY {
            let mut range = self.scratch.begin();
            range.append(&std::mem::take(&mut self.memory))?;
            self.range = Some(range);
        }
        if let Some(range) = &mut self.range {
            return range.append(bytes);
        }
        self.memory.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds all of another blob.
    pub(crate) fn write_blob(&mut self, blob: &Blob) -> io::Result<()> {
        let mut reader = blob.reader();
        loop {
            let bytes = io::BufRead::fill_buf(&mut reader)?;
            let n_bytes = bytes.len();
            if n_bytes == 0 {
                return Ok(());
            }
            self.write(bytes)?;
            io::BufRead::consume(&mut reader, n_bytes);
        }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(crate) fn finish(self) -> Blob {
        match self.range {
            Some(range) => Blob::in_range(range, self.size_bytes),
            None => Blob::from_bytes(self.memory),
        }
    }
}

fn storage_trouble(error: io::Error) -> io::Error {
    io::Error::other(StorageTrouble(error))
}

pub(crate) fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Converts an offset into memory. One that does not fit is out of every slice's range.
pub(crate) fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
