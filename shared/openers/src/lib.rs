//! Opens archives for the gate with the libraries of the programs that recipients open them with.
//!
//! They are written in C and C++, and read hostile bytes. They run in the gate's confined worker processes
//! alone (`shared/inspector`).

mod libarchive;
mod seven_zip;

use std::path::Path;

use gate::Opener;
use thiserror::Error;

pub use libarchive::{Libarchive, LibarchiveError};
pub use seven_zip::{LoadError as SevenZipError, SevenZip};

/// Where the layer for Lambda has 7-Zip's library, and where Debian has it: in `p7zip-full`, and in later
/// releases in `7zip`.
const SEVEN_ZIP: [&str; 4] =
    ["/opt/lib/clamav/7z.so", "/usr/lib/7zip/7z.so", "/usr/lib/p7zip/7z.so", "/usr/libexec/7zip/7z.so"];
/// A name that the system's loader finds.
const LIBARCHIVE: [&str; 1] = ["libarchive.so.13"];

/// An installed opener cannot be used.
#[derive(Debug, Error)]
pub enum OpenerError {
    #[error("7-Zip cannot be used")]
    SevenZip(#[from] SevenZipError),
    #[error("libarchive cannot be used")]
    Libarchive(#[from] LibarchiveError),
}

/// Loads the installed openers, while files can still be opened. Fails if an installed one cannot be used:
/// what only that one opens would pass unseen. A missing one is no error: the gate refuses what only that one
/// opens.
pub fn installed() -> Result<Vec<Box<dyn Opener>>, OpenerError> {
    let seven_zip = SevenZip::load(&SEVEN_ZIP.map(Path::new))?;
    let libarchive = Libarchive::load(&LIBARCHIVE.map(Path::new))?;
    let boxed = [
        seven_zip.map(|opener| Box::new(opener) as Box<dyn Opener>),
        libarchive.map(|opener| Box::new(opener) as Box<dyn Opener>),
    ];
    Ok(boxed.into_iter().flatten().collect())
}
