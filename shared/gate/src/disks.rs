//! Refuses file systems and images of disks that no opener opens, and those that 7-Zip would open but for
//! what else the file begins as.
//!
//! Programs that mount, repair or convert them look for a super block in its place and at nothing else: the
//! bytes before it are free for the boot program, or for the signature of another format. So every place is
//! looked at in every blob, whatever the first bytes say.

mod fat;
mod marks;
mod opened;

use std::io;

use domain::verdict::Unscannable;

use crate::ask::Asked;
use crate::blob::Blob;
use crate::format::Format;
use crate::walk::{Walked, refuse};

/// A file system of a kind that 7-Zip opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileSystem {
    name: &'static str,
    /// 7-Zip takes its parameters. What it does not take, it searches like other data, and an archive that it
    /// finds says nothing about the files.
    is_opened: bool,
}

/// Refuses a blob that holds a file system which no opener opened as such.
pub(crate) fn refuse_unopened(format: Format, asked: Asked, blob: &Blob) -> Walked {
    if let Some(name) = marks::unopened(blob)? {
        return refuse(Unscannable::UnsupportedContainer, name);
    }
    for found in known(blob)? {
        let is_sniffed = matches!(format, Format::Foreign(foreign) if foreign.name == found.name);
        if !(is_sniffed && found.is_opened && asked == Asked::Given) {
            return refuse(Unscannable::UnsupportedContainer, found.name);
        }
    }
    Ok(())
}

/// Returns the name of the file system that a blob is by its super block, for those that 7-Zip opens.
pub(crate) fn name_of(blob: &Blob) -> io::Result<Option<&'static str>> {
    Ok(known(blob)?.next().map(|found| found.name))
}

fn known(blob: &Blob) -> io::Result<impl Iterator<Item = FileSystem>> {
    let start = blob.bytes_at(0, opened::HEAD_BYTES)?;
    Ok([opened::ntfs(&start, blob.size_bytes()), fat::found(blob, &start)?, opened::ext(&start)]
        .into_iter()
        .flatten())
}

#[cfg(test)]
mod tests;
