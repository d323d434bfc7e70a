//! Unpacks archives that are a directory and stored members, and that neither the engine nor an opener knows.
//!
//! Each is read from the start of a blob, or from its mark on. Members are stored as they are, so they are
//! handed wherever a directory may be one: nothing is refused that only looks like it. What is packed in one
//! is refused.

mod n_scripter;
mod nu_fx;
pub(crate) mod phar;
mod rcs;

use crate::blob::Blob;
use crate::survey::{Survey, Word};
use crate::walk::{Walk, Walked};

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    n_scripter::walk(walk, blob, depth)?;
    nu_fx::walk(walk, blob, depth)?;
    rcs::walk(walk, blob, depth)?;
    if survey.has(Word::EndOfPhp) {
        phar::walk(walk, blob, depth)?;
    }
    Ok(())
}
