//! Compound files: old Office documents, MSI, Outlook messages ([MS-CFB]). Their streams are handed over one by one.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::path::Path;

use cfb::CompoundFile;

use crate::blob::{Blob, BlobReader, to_u64};
use crate::capability::Method;
use crate::walk::{Damage, Reach, Stop, Walk, Walked, is_storage_trouble, malformed};
use crate::{encrypted, ole};

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
        let mut writer = walk.new_member()?;
        walk.fill(&mut writer, &mut stream, Damage::Refused)?;
        let content = writer.finish();
        walk.visit(content.clone(), depth, Reach::Handed)?;
        if is_package(&path) {
            ole::hand_package(walk, &content, depth)?;
        }
    }
    Ok(())
}

/// Whether readers take a stream for a package. They go by its name, in whatever case.
fn is_package(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| name.eq_ignore_ascii_case("\u{1}Ole10Native"))
}

/// Enough for what says that a document is encrypted.
const HEAD_BYTES: u64 = 64 * 1024;

fn read_head(file: &mut CompoundFile<BlobReader>, path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    file.open_stream(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

fn damaged<T>(error: io::Error) -> Walked<T> {
    if is_storage_trouble(&error) { Err(Stop::Trouble(error)) } else { malformed("compound file: damaged") }
}
