//! Compound files: old Office documents, MSI, Outlook messages ([MS-CFB]). Their streams are handed over one by one.

use std::io::{self, Read as _};

use cfb::CompoundFile;

use crate::blob::{Blob, BlobReader, to_u64};
use crate::capability::Method;
use crate::encrypted;
use crate::walk::{Reach, Stop, Walk, Walked, is_storage_trouble, malformed};

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Compound)?;
    let mut file = CompoundFile::open(blob.reader()).or_else(damaged)?;
    let streams =
        file.walk().filter(cfb::Entry::is_stream).map(|entry| entry.path().to_owned()).collect::<Vec<_>>();
    walk.expect(to_u64(streams.len()), 0)?;
    for path in streams {
        let head = read_head(&mut file, &path).or_else(damaged)?;
        encrypted::refuse_protected_stream(&path, &head)?;
        let mut stream = file.open_stream(&path).or_else(damaged)?;
        let declared = stream.len();
        walk.expect_member(declared)?;
        walk.member(&mut stream, depth, Reach::Handed)?;
    }
    Ok(())
}

/// Enough for what says that a document is encrypted.
const HEAD_BYTES: u64 = 64 * 1024;

fn read_head(file: &mut CompoundFile<BlobReader>, path: &std::path::Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.open_stream(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

fn damaged<T>(error: io::Error) -> Walked<T> {
    if is_storage_trouble(&error) { Err(Stop::Trouble(error)) } else { malformed("compound file: damaged") }
}
