//! Serves a blob to the library as a stream that it reads and seeks in.

#![expect(unsafe_code, reason = "the library calls these functions with its own buffers")]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::fmt;
use std::io::{self, BufRead as _, Read as _, Seek as _, SeekFrom};
use std::rc::Rc;

use gate::{Blob, BlobReader};

use super::abi::{Guid, InStream, Status};
use super::object::{self, Object, Served};

/// The one reader of a blob.
struct Source {
    reader: RefCell<BlobReader>,
    has_failed: Cell<bool>,
}

impl Source {
    fn at<T>(&self, offset: u64, read: impl FnOnce(&mut BlobReader) -> io::Result<T>) -> Option<T> {
        let mut reader = self.reader.borrow_mut();
        let done = reader.seek(SeekFrom::Start(offset)).and_then(|_| read(&mut reader));
        if done.is_err() {
            self.has_failed.set(true);
        }
        done.ok()
    }
}

/// A blob from a place on, to its end.
pub(super) struct Input {
    source: Rc<Source>,
    start: u64,
    size_bytes: u64,
    position: Cell<u64>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("start", &self.start).finish_non_exhaustive()
    }
}

impl Input {
    pub(super) fn new(blob: &Blob) -> Rc<Object<Self>> {
        Object::new(Self {
            source: Rc::new(Source { reader: RefCell::new(blob.reader()), has_failed: Cell::new(false) }),
            start: 0,
            size_bytes: blob.size_bytes(),
            position: Cell::new(0),
        })
    }

    /// The same bytes without the first `n_bytes`.
    pub(super) fn tail(&self, n_bytes: u64) -> Rc<Object<Self>> {
        let n_bytes = n_bytes.min(self.size_bytes);
        Object::new(Self {
            source: self.source.clone(),
            start: self.start + n_bytes,
            size_bytes: self.size_bytes - n_bytes,
            position: Cell::new(0),
        })
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn seek_to(&self, position: u64) {
        self.position.set(position);
    }

    /// Returns whether the blob could not be read somewhere. Formats take that for an end, or for another
    /// format.
    pub(super) fn has_failed(&self) -> bool {
        self.source.has_failed.get()
    }

    /// Up to `n_bytes` at `offset`; fewer only where the blob ends, or cannot be read.
    pub(super) fn bytes_at(&self, offset: u64, n_bytes: u64) -> Vec<u8> {
        let n_there = n_bytes.min(self.size_bytes.saturating_sub(offset));
        let mut bytes = Vec::with_capacity(usize::try_from(n_there).unwrap_or(0));
        let read = self.source.at(self.start + offset, |reader| reader.take(n_bytes).read_to_end(&mut bytes));
        read.map_or_else(Vec::new, |_| bytes)
    }

    /// Lends up to `n_bytes` from the position on to `take`, and steps behind them. At least one, unless the
    /// end is reached or none is wanted. `None` if the blob cannot be read.
    fn read(&self, n_bytes: usize, take: impl FnOnce(&[u8])) -> Option<usize> {
        let position = self.position.get();
        if position >= self.size_bytes {
            return Some(0);
        }
        let n_read = self.source.at(self.start + position, |reader| {
            let bytes = reader.fill_buf()?;
            let bytes = &bytes[..bytes.len().min(n_bytes)];
            take(bytes);
            Ok(bytes.len())
        })?;
        self.position.set(position + u64::try_from(n_read).unwrap_or(u64::MAX));
        Some(n_read)
    }

    fn seek(&self, delta: i64, origin: u32) -> Option<u64> {
        let from = match origin {
            0 => 0,
            1 => self.position.get(),
            2 => self.size_bytes,
            _ => return None,
        };
        // The interface's positions are signed in practice.
        let target = from.checked_add_signed(delta).filter(|target| i64::try_from(*target).is_ok())?;
        self.position.set(target);
        Some(target)
    }
}

impl Served for Input {
    type Functions = InStream;

    const FUNCTIONS: &'static InStream = &InStream { unknown: object::unknown::<Self>(), read, seek };
    const INTERFACES: &'static [Guid] = &[Guid::IN_STREAM, Guid::SEQUENTIAL_IN_STREAM];
}

unsafe extern "C" fn read(this: *mut c_void, data: *mut c_void, size: u32, n_read: *mut u32) -> Status {
    // SAFETY: called through the table of `Input`.
    let input = unsafe { object::state::<Input>(this) };
    let read = input.read(size as usize, |bytes| {
        // SAFETY: the library owns `size` bytes there for the time of the call, which no reference of ours
        // covers; `bytes` are at most as many.
        unsafe { data.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    });
    if !n_read.is_null() {
        // SAFETY: not null, so the address of a number.
        unsafe { *n_read = u32::try_from(read.unwrap_or(0)).unwrap_or(0) };
    }
    if read.is_some() { Status::OK } else { Status::FAIL }
}

unsafe extern "C" fn seek(this: *mut c_void, delta: i64, origin: u32, position: *mut u64) -> Status {
    // SAFETY: called through the table of `Input`.
    let target = unsafe { object::state::<Input>(this) }.seek(delta, origin);
    let Some(target) = target else { return Status::INVALID_SEEK };
    if !position.is_null() {
        // SAFETY: not null, so the address of a number.
        unsafe { *position = target };
    }
    Status::OK
}
