//! Reads one blob with one set of filters and formats: a safe interface to `struct archive`.

#![expect(unsafe_code, reason = "calls the library")]

use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

use gate::Blob;

use super::complaint::Complaint;
use super::library::{Archive, Enable, Entry, Functions};
use super::source::{self, Source};

const EOF: c_int = 1;
const OK: c_int = 0;
const RETRY: c_int = -10;
const WARN: c_int = -20;
const FAILED: c_int = -25;

/// An open archive.
#[derive(Debug)]
pub(super) struct Reader<'library> {
    functions: &'library Functions,
    archive: NonNull<Archive>,
    /// Owned; the library has the same address.
    source: NonNull<Source>,
}

/// A member's header, as the library reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The size of the file that a program writes to the recipient's disk, if it is a file and the archive
    /// has its size.
    pub size_bytes: Option<u64>,
    /// Whether programs write its data. They skip the data of directories, links and empty files, which some
    /// formats have nevertheless.
    pub has_data: bool,
    pub is_encrypted: bool,
}

/// The next entry in the list of members.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next {
    Member(Header),
    /// A member with a header that the library cannot read; there may be others behind it.
    Passed(Complaint),
    End,
}

/// A piece of a member's data, valid until the next call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Piece<'reader> {
    At {
        offset: u64,
        bytes: &'reader [u8],
        /// Whether the library complains of it.
        is_doubtful: bool,
    },
    /// Where the data ends, holes included, as far as the library knows.
    End { offset: u64 },
}

impl<'library> Reader<'library> {
    /// Opens `blob` with these filters and formats alone.
    pub(super) fn open(
        functions: &'library Functions,
        enables: &[Enable],
        blob: &Blob,
    ) -> Result<Self, Complaint> {
        // SAFETY: takes nothing.
        let archive = unsafe { (functions.new)() };
        let archive = NonNull::new(archive).ok_or(Complaint::TooMuchMemory)?;
        let source = NonNull::from(Box::leak(Box::new(Source::new(blob))));
        let reader = Self { functions, archive, source };
        for enable in enables {
            // SAFETY: the archive is new.
            let status = unsafe { enable(archive.as_ptr()) };
            reader.check(status)?;
        }
        // SAFETY: the archive is new. The source outlives it: `drop` frees it last.
        let status = unsafe {
            (functions.set_seek_callback)(archive.as_ptr(), Some(source::seek));
            let client = source.as_ptr().cast();
            (functions.open)(archive.as_ptr(), client, None, Some(source::read), Some(source::skip), None)
        };
        reader.check(status)?;
        if reader.is_unreadable() { Err(Complaint::Unreadable) } else { Ok(reader) }
    }

    /// Returns whether the blob could not be read at some time. The library may have taken that for its end.
    pub(super) fn is_unreadable(&self) -> bool {
        // SAFETY: the library refers to the source only within calls.
        unsafe { self.source.as_ref() }.is_unreadable
    }

    /// Returns whether a filter claims the blob: there is more than the source itself.
    pub(super) fn is_filtered(&self) -> bool {
        // SAFETY: the archive is open.
        unsafe { (self.functions.filter_count)(self.archive.as_ptr()) > 1 }
    }

    /// Returns whether the library has seen that a member or the list of members is encrypted.
    pub(super) fn has_encrypted_members(&self) -> bool {
        // SAFETY: the archive is open. 0 is no, negative numbers mean that it does not know.
        unsafe { (self.functions.has_encrypted_entries)(self.archive.as_ptr()) == 1 }
    }

    /// Moves to the next member, and skips the rest of the last one.
    pub(super) fn next(&mut self) -> Result<Next, Complaint> {
        let mut entry: *mut Entry = ptr::null_mut();
        // SAFETY: the archive is open; fills a pointer to an entry of its own.
        let status = unsafe { (self.functions.next_header)(self.archive.as_ptr(), &raw mut entry) };
        let checked = self.check(status);
        match (status, checked) {
            (EOF, _) => return Ok(Next::End),
            // Programs print the warning and read the next member.
            (RETRY | FAILED, Err(complaint)) => return Ok(Next::Passed(complaint)),
            (_, checked) => checked?,
        }
        Ok(Next::Member(self.header(NonNull::new(entry).ok_or(Complaint::Damaged)?)))
    }

    fn header(&self, entry: NonNull<Entry>) -> Header {
        let (functions, entry) = (self.functions, entry.as_ptr());
        // SAFETY: the entry is valid until the next header is asked for.
        let (is_file, size_bytes, is_encrypted) = unsafe {
            let is_file = matches!((functions.file_type)(entry), 0 | libc::S_IFREG);
            let has_size = (functions.size_is_set)(entry) != 0;
            let size_bytes = has_size.then(|| u64::try_from((functions.size)(entry)).unwrap_or(0));
            let is_link = !(functions.hardlink)(entry).is_null();
            (is_file && !is_link, size_bytes, (functions.is_encrypted)(entry) != 0)
        };
        Header {
            size_bytes: size_bytes.filter(|_| is_file),
            has_data: is_file && size_bytes != Some(0),
            is_encrypted,
        }
    }

    /// Returns the member's next data.
    pub(super) fn piece(&mut self) -> Result<Piece<'_>, Complaint> {
        let (mut start, mut n_bytes, mut offset) = (ptr::null(), 0, 0);
        // SAFETY: the archive is open; fills the three.
        let status = unsafe {
            let archive = self.archive.as_ptr();
            (self.functions.data_block)(archive, &raw mut start, &raw mut n_bytes, &raw mut offset)
        };
        if status == EOF {
            return Ok(Piece::End { offset: u64::try_from(offset).unwrap_or(0) });
        }
        self.check(status)?;
        let bytes = if start.is_null() || n_bytes == 0 {
            &[]
        } else {
            // SAFETY: the library's buffer, which it leaves alone until the next call; that needs this reader
            // mutably.
            unsafe { std::slice::from_raw_parts(start.cast::<u8>(), n_bytes) }
        };
        let offset = u64::try_from(offset).map_err(|_| Complaint::Damaged)?;
        Ok(Piece::At { offset, bytes, is_doubtful: status != OK })
    }

    /// Converts a return code into a result. Warnings are no error.
    fn check(&self, status: c_int) -> Result<(), Complaint> {
        if status >= WARN && status != RETRY {
            return Ok(());
        }
        if self.is_unreadable() {
            return Err(Complaint::Unreadable);
        }
        // SAFETY: the archive is valid.
        let (errno, text) = unsafe {
            let archive = self.archive.as_ptr();
            ((self.functions.errno)(archive), (self.functions.error_string)(archive))
        };
        if text.is_null() {
            return Err(Complaint::Damaged);
        }
        // SAFETY: not null, so a string that ends, and stays until the next error.
        Err(Complaint::new(errno, &unsafe { CStr::from_ptr(text) }.to_string_lossy()))
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: the archive is freed once, before the source, which was leaked from a box when it was
        // opened.
        unsafe {
            (self.functions.free)(self.archive.as_ptr());
            drop(Box::from_raw(self.source.as_ptr()));
        }
    }
}
