//! Gives a thread UTF-8 as its character encoding: libarchive gives up archives whose names it cannot
//! convert.

#![expect(unsafe_code, reason = "locale(7) is an interface of C")]

use std::ptr;

/// C.UTF-8, loaded. It stays so until the process ends.
#[derive(Debug)]
pub(super) struct Utf8(libc::locale_t);

// SAFETY: a locale object does not change, and any number of threads may use it (newlocale(3), uselocale(3)).
unsafe impl Send for Utf8 {}

impl Utf8 {
    /// Reads the locale's files. `None` if the system has none.
    pub(super) fn load() -> Option<Self> {
        // SAFETY: the name is a string that ends; null asks for a new object.
        let locale = unsafe { libc::newlocale(libc::LC_CTYPE_MASK, c"C.UTF-8".as_ptr(), ptr::null_mut()) };
        // Names in LHA are Japanese, and a confined process can load no conversion. What is opened here is
        // never closed, so that it stays. SAFETY: the names are strings that end.
        unsafe { libc::iconv_open(c"UTF-8".as_ptr(), c"CP932".as_ptr()) };
        (!locale.is_null()).then_some(Self(locale))
    }

    /// Runs `work` with it.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        // SAFETY: an object that is never freed.
        let before = Before(unsafe { libc::uselocale(self.0) });
        let done = work();
        drop(before);
        done
    }
}

/// The thread's locale before, put back also if the work panics.
struct Before(libc::locale_t);

impl Drop for Before {
    fn drop(&mut self) {
        // SAFETY: what `uselocale` itself has returned.
        unsafe { libc::uselocale(self.0) };
    }
}
