//! Writes lines to standard error with one system call each and no lock: a child that was forked while
//! another thread held the standard library's lock would wait for it forever.

use std::fmt::Display;

/// Writes a line.
pub(crate) fn say(line: impl Display) {
    let line = format!("{line}\n");
    // SAFETY: the bytes live during the call. A short write is not repeated.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}
