//! Reads which definitions are in a directory, and writes the test set.
//!
//! Official sets are read from the header that every ClamAV database begins with (clamav-faq, "CVD file
//! format"): 512 bytes, `ClamAV-VDB:build time:version:signatures:level:md5:dsig:builder:build time in
//! seconds`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use domain::freshness::{Definitions, DefinitionsKind};
use domain::timestamp::Timestamp;
use thiserror::Error;

use crate::canary;

/// Why a directory holds no usable set.
#[derive(Debug, Error)]
pub enum DefinitionsError {
    #[error("`{0}` cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("`{0}` holds no definitions")]
    None(PathBuf),
    #[error("`{0}` is not a ClamAV database")]
    BadHeader(PathBuf),
}

/// The test set's only file. Its name marks the set.
const TEST_SET_FILE: &str = "airlock-test.ndb";
const TEST_HASHES_FILE: &str = "airlock-test.hdb";
/// The MD5 and size of `clam.exe`, which every one of ClamAV's own 44 test files contains.
const CLAM_EXE: &str = "aa15bcf478d165efd2065190eb473bcb:544:Clamav.Test.File";

/// Reads the kind, version, age and size of the set in `directory`.
pub fn read(directory: &Path) -> Result<Definitions, DefinitionsError> {
    let has = |name: &str| {
        let path = directory.join(name);
        path.try_exists().map_err(|error| DefinitionsError::Unreadable(path, error))
    };
    let unreadable = |error| DefinitionsError::Unreadable(directory.to_owned(), error);
    if has(TEST_SET_FILE)? {
        return test_set(directory).map_err(unreadable);
    }
    let (mut headers, mut n_signatures) = (Vec::new(), 0);
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "cvd" || extension == "cld") {
            let header = read_header(&path)?;
            n_signatures += header.n_signatures;
            headers.push((path.file_stem() == Some("daily".as_ref()), header));
        }
    }
    // A set is as old as its daily database; a set without one, as its newest.
    let dated_by = headers.into_iter().max_by_key(|(is_daily, header)| (*is_daily, header.built_at));
    let (_, dated_by) = dated_by.ok_or_else(|| DefinitionsError::None(directory.to_owned()))?;
    Ok(Definitions {
        kind: DefinitionsKind::Official,
        version: dated_by.version,
        built_at: dated_by.built_at,
        n_signatures,
    })
}

/// Identifies a directory's files without reading them: a changed or replaced file has another inode or
/// change time.
pub(crate) fn fingerprint(directory: &Path) -> io::Result<Vec<(OsString, [i64; 4])>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let (inode, size) = (metadata.ino().cast_signed(), metadata.size().cast_signed());
        files.push((entry.file_name(), [inode, size, metadata.ctime(), metadata.ctime_nsec()]));
    }
    files.sort();
    Ok(files)
}

/// Writes the set that finds EICAR and ClamAV's own harmless test files, and nothing else.
pub fn write_test_set(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let eicar = canary::eicar().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    // At the start of a file only, as the test file is defined: a scanner must unpack an archive to find it.
    std::fs::write(directory.join(TEST_SET_FILE), format!("Eicar-Test-Signature:0:0:{eicar}\n"))?;
    std::fs::write(directory.join(TEST_HASHES_FILE), format!("{CLAM_EXE}\n"))
}

/// It has no version of its own, so its size stands for one: added signatures change it.
fn test_set(directory: &Path) -> io::Result<Definitions> {
    let (mut size_bytes, mut n_signatures) = (0, 0);
    for entry in std::fs::read_dir(directory)? {
        let text = std::fs::read(entry?.path())?;
        size_bytes += text.len();
        n_signatures += u64::try_from(text.split(|byte| *byte == b'\n').count() - 1).unwrap_or(0);
    }
    Ok(Definitions {
        kind: DefinitionsKind::TestSet,
        version: format!("test-{size_bytes}"),
        built_at: Timestamp::from_secs(0),
        n_signatures,
    })
}

struct Header {
    version: String,
    n_signatures: u64,
    built_at: Timestamp,
}

fn read_header(path: &Path) -> Result<Header, DefinitionsError> {
    let mut header = [0; 512];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.map_err(|error| DefinitionsError::Unreadable(path.to_owned(), error))?;
    parse_header(&header).ok_or_else(|| DefinitionsError::BadHeader(path.to_owned()))
}

fn parse_header(header: &[u8]) -> Option<Header> {
    let text = std::str::from_utf8(header).ok()?;
    let fields: Vec<&str> = text.trim_end().split(':').collect();
    let [magic, _, version, n_signatures, .., built_at] = fields[..] else { return None };
    if magic != "ClamAV-VDB" {
        return None;
    }
    let built_at = Timestamp::from_secs(built_at.trim().parse().ok()?);
    version.parse::<u32>().ok()?;
    Some(Header { version: version.to_owned(), n_signatures: n_signatures.parse().ok()?, built_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let text = "ClamAV-VDB:23 Nov 2026 09-45 +0000:27900:2076928:90:md5:dsig:raynman:1795427100";
        let header = parse_header(format!("{text:<512}").as_bytes()).unwrap();
        assert_eq!((header.version.as_str(), header.n_signatures), ("27900", 2_076_928));
        assert_eq!(header.built_at, Timestamp::from_secs(1_795_427_100));
        for bad in ["", "ClamAV-VDB", "ClamAV-VDB:x:y:z:90:m:d:b:1", "Other-VDB:x:1:2:90:m:d:b:1"] {
            assert!(parse_header(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_set_is_as_old_as_its_daily_database() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, version: u32, built_at: u32| {
            let header = format!("ClamAV-VDB:some day:{version}:10:90:md5:dsig:builder:{built_at}");
            std::fs::write(directory.path().join(name), format!("{header:<512}")).unwrap();
        };
        let version = || read(directory.path()).map(|read| (read.version, read.n_signatures));
        write("main.cvd", 62, 1000);
        assert_eq!(version().unwrap(), ("62".to_owned(), 10));
        write("bytecode.cld", 339, 3000);
        assert_eq!(version().unwrap(), ("339".to_owned(), 20));
        write("daily.cld", 27900, 2000);
        write("other.txt", 1, 4000);
        assert_eq!(version().unwrap(), ("27900".to_owned(), 30));
        std::fs::write(directory.path().join("short.cvd"), "ClamAV-VDB").unwrap();
        assert!(matches!(version(), Err(DefinitionsError::Unreadable(..))));
    }

    #[test]
    fn a_test_set_says_so_and_an_empty_directory_is_none() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(read(directory.path()), Err(DefinitionsError::None(_))));
        write_test_set(directory.path()).unwrap();
        assert_eq!(read(directory.path()).unwrap().kind, DefinitionsKind::TestSet);
    }
}
