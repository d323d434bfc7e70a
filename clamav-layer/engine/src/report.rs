//! How is something said on standard error? With one system call for a line, and no lock: a child that was forked while another thread held the
//! standard library's would wait for it for ever.

use std::fmt::Display;

/// Says a line.
pub(crate) fn say(line: impl Display) {
    let line = format!("{line}\n");
    // SAFETY: the bytes live during the call. What is not written is nobody's to read.
    unsafe { libc::write(2, line.as_ptr().cast(), line.len()) };
}
