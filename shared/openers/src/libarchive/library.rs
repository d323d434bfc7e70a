//! Loads the library and finds its functions.

#![expect(unsafe_code, reason = "loads a library and takes the addresses of its functions")]

use std::error::Error as _;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;

use libloading::os::unix::{Library as Dynamic, RTLD_LAZY, RTLD_LOCAL};

use super::decoders::{Decoder, FILTERS, FORMATS, RAW};

/// An installed library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibarchiveError {
    #[error("libarchive could not be loaded")]
    Loading(#[from] libloading::Error),
    #[error("libarchive was built without what it needs for `{0}`")]
    Incomplete(&'static str),
    #[error("libarchive has no memory")]
    Memory,
}

/// `struct archive`, known to the library alone.
#[repr(C)]
pub(super) struct Archive {
    _private: [u8; 0],
}

/// `struct archive_entry`.
#[repr(C)]
pub(super) struct Entry {
    _private: [u8; 0],
}

pub(super) type ReadCallback =
    unsafe extern "C" fn(*mut Archive, client: *mut c_void, buffer: *mut *const c_void) -> isize;
pub(super) type SkipCallback = unsafe extern "C" fn(*mut Archive, client: *mut c_void, request: i64) -> i64;
pub(super) type SeekCallback =
    unsafe extern "C" fn(*mut Archive, client: *mut c_void, offset: i64, whence: c_int) -> i64;
pub(super) type OpenCallback = unsafe extern "C" fn(*mut Archive, client: *mut c_void) -> c_int;
type OnArchive = unsafe extern "C" fn(*mut Archive) -> c_int;
type OnEntry<T> = unsafe extern "C" fn(*mut Entry) -> T;

/// The library's functions, as declared in archive.h and archive_entry.h of 3.6; versions from 3.4 to 3.8
/// share these.
#[derive(Clone, Copy, Debug)]
pub(super) struct Functions {
    pub version_details: unsafe extern "C" fn() -> *const c_char,
    pub new: unsafe extern "C" fn() -> *mut Archive,
    pub free: OnArchive,
    pub open: unsafe extern "C" fn(
        *mut Archive,
        client: *mut c_void,
        Option<OpenCallback>,
        Option<ReadCallback>,
        Option<SkipCallback>,
        Option<OpenCallback>,
    ) -> c_int,
    pub set_seek_callback: unsafe extern "C" fn(*mut Archive, Option<SeekCallback>) -> c_int,
    pub next_header: unsafe extern "C" fn(*mut Archive, *mut *mut Entry) -> c_int,
    pub data_block:
        unsafe extern "C" fn(*mut Archive, *mut *const c_void, size: *mut usize, offset: *mut i64) -> c_int,
    pub errno: OnArchive,
    pub error_string: unsafe extern "C" fn(*mut Archive) -> *const c_char,
    pub has_encrypted_entries: OnArchive,
    pub filter_count: OnArchive,
    pub size: OnEntry<i64>,
    pub size_is_set: OnEntry<c_int>,
    pub file_type: OnEntry<libc::mode_t>,
    pub hardlink: OnEntry<*const c_char>,
    pub is_encrypted: OnEntry<c_int>,
}

/// Enables a filter or a format.
pub(super) type Enable = OnArchive;

/// The library, loaded. It stays so until the process ends.
#[derive(Debug)]
pub(super) struct Library {
    pub functions: Functions,
    pub filters: Vec<(Decoder, Enable)>,
    pub formats: Vec<(Decoder, Enable)>,
    pub raw: Enable,
}

impl Library {
    /// Loads the library from `path`, or from where the system has one of that name. Returns `None` if there
    /// is none.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, LibarchiveError> {
        // SAFETY: it is an installed program, as trusted as libc; the initialisers are those of libstdc++ and
        // ICU, which it depends on for XML.
        let dynamic = match unsafe { Dynamic::open(Some(path), RTLD_LAZY | RTLD_LOCAL) } {
            Err(error) if is_missing(&error, path) => return Ok(None),
            dynamic => dynamic?,
        };
        let library = Self {
            functions: functions(&dynamic)?,
            filters: enables(&dynamic, "filter", &FILTERS)?,
            formats: enables(&dynamic, "format", &FORMATS)?,
            raw: enable(&dynamic, "format", RAW)?,
        };
        std::mem::forget(dynamic);
        library.check()?;
        Ok(Some(library))
    }

    /// Checks that every filter and format works within the process: otherwise enabling it gives a warning.
    fn check(&self) -> Result<(), LibarchiveError> {
        // SAFETY: takes nothing.
        let archive = unsafe { (self.functions.new)() };
        if archive.is_null() {
            return Err(LibarchiveError::Memory);
        }
        let is_complete = |(_, enable): &&(Decoder, Enable)| {
            // SAFETY: the archive is new, and stays so.
            unsafe { enable(archive) == 0 }
        };
        let incomplete = self.filters.iter().chain(&self.formats).find(|decoder| !is_complete(decoder));
        // SAFETY: was made here, and is not used from here on.
        unsafe { (self.functions.free)(archive) };
        incomplete.map_or(Ok(()), |(decoder, _)| Err(LibarchiveError::Incomplete(decoder.name)))
    }

    /// Returns its version and those of the decoders that it is linked with.
    pub(super) fn version(&self) -> String {
        // SAFETY: takes nothing, and returns a string that stays.
        let version = unsafe { (self.functions.version_details)() };
        if version.is_null() {
            return String::new();
        }
        // SAFETY: not null, so a string that ends.
        unsafe { CStr::from_ptr(version) }.to_string_lossy().trim().to_owned()
    }
}

fn functions(dynamic: &Dynamic) -> Result<Functions, libloading::Error> {
    // SAFETY: types as declared in archive.h and archive_entry.h.
    unsafe {
        Ok(Functions {
            version_details: *dynamic.get(c"archive_version_details")?,
            new: *dynamic.get(c"archive_read_new")?,
            free: *dynamic.get(c"archive_read_free")?,
            open: *dynamic.get(c"archive_read_open2")?,
            set_seek_callback: *dynamic.get(c"archive_read_set_seek_callback")?,
            next_header: *dynamic.get(c"archive_read_next_header")?,
            data_block: *dynamic.get(c"archive_read_data_block")?,
            errno: *dynamic.get(c"archive_errno")?,
            error_string: *dynamic.get(c"archive_error_string")?,
            has_encrypted_entries: *dynamic.get(c"archive_read_has_encrypted_entries")?,
            filter_count: *dynamic.get(c"archive_filter_count")?,
            size: *dynamic.get(c"archive_entry_size")?,
            size_is_set: *dynamic.get(c"archive_entry_size_is_set")?,
            file_type: *dynamic.get(c"archive_entry_filetype")?,
            hardlink: *dynamic.get(c"archive_entry_hardlink")?,
            is_encrypted: *dynamic.get(c"archive_entry_is_encrypted")?,
        })
    }
}

fn enables<const N: usize>(
    dynamic: &Dynamic,
    what: &str,
    decoders: &[Decoder; N],
) -> Result<Vec<(Decoder, Enable)>, libloading::Error> {
    decoders.iter().map(|decoder| Ok((*decoder, enable(dynamic, what, decoder.name)?))).collect()
}

fn enable(dynamic: &Dynamic, what: &str, name: &str) -> Result<Enable, libloading::Error> {
    // SAFETY: all functions of such a name have this type.
    let symbol = unsafe { dynamic.get::<Enable>(format!("archive_read_support_{what}_{name}\0").as_bytes()) };
    Ok(*symbol?)
}

/// Not a library that it depends on in its turn.
fn is_missing(error: &libloading::Error, path: &Path) -> bool {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    text.starts_with(&format!("{}: ", path.display())) && text.contains("No such file or directory")
}
