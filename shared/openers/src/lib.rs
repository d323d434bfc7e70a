//! Opens files as the programs of their recipients do: with those programs' own libraries.
//!
//! Each is loaded while a worker starts, from where the system has it, and is then called within the worker's confinement. Where it is missing, files are
//! judged without it.

mod libarchive;
mod seven_zip;

pub use libarchive::{Libarchive, LibarchiveError};
pub use seven_zip::{LoadError, SevenZip};
