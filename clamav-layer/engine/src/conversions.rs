//! libc must convert between encodings: without iconv, ClamAV finds nothing in HTML in UTF-32 and calls it
//! clean.

use std::ffi::CStr;

use anyhow::bail;

/// libclamav normalises HTML in this encoding.
const TO: &CStr = c"UTF-16BE";
/// libclamav recognises it by its byte order mark, and only iconv converts it.
const FROM: &CStr = c"UTF-32";

/// Fails if libc's modules for iconv are missing. `GCONV_PATH` names their directory where it is not the
/// usual one.
pub(crate) fn require() -> anyhow::Result<()> {
    if converts(TO, FROM) {
        return Ok(());
    }
    bail!("libc does not convert {FROM:?} to {TO:?}: its gconv modules are missing")
}

fn converts(to: &CStr, from: &CStr) -> bool {
    // SAFETY: both names are strings; the descriptor is closed once, and only if it was opened.
    unsafe {
        let conversion = libc::iconv_open(to.as_ptr(), from.as_ptr());
        if conversion as isize == -1 {
            return false;
        }
        libc::iconv_close(conversion);
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_knows_what_libc_converts() {
        super::require().unwrap();
        assert!(!super::converts(super::TO, c"NO-SUCH-ENCODING"));
    }
}
