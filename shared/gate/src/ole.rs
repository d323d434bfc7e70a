//! Unpacks OLE 1 objects as RTF holds them, and the packages in them and in `\1Ole10Native` streams: files
//! with a name ([MS-OLEDS] 2.2 and 2.3.6).

pub(crate) mod active_mime;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

/// The names and paths in front of the data are this long at most.
const HEAD_BYTES: usize = 64 * 1024;
/// An object is followed by its picture in a few formats, which is an object too.
const MAX_OBJECTS: u32 = 16;

/// Hands over the native data of an object, and of those behind it, and the file in it. Says nothing about
/// other bytes.
pub(crate) fn hand_object(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut rest = blob.clone();
    for _ in 0..MAX_OBJECTS {
        let Some((data_at, n_bytes)) = native_data(&rest.bytes_at(0, HEAD_BYTES)?) else { break };
        let data = rest.slice(data_at, n_bytes);
        walk.reading_of(data.clone(), depth)?;
        hand_package(walk, &data, depth)?;
        // A reader that goes by the package's own size needs no other.
        hand_package(walk, &rest.tail(data_at), depth)?;
        rest = rest.tail(data_at.saturating_add(n_bytes));
    }
    Ok(())
}

/// Where the data of an object begin and how many there are said to be, by its header: version, format,
/// class, topic, item, size.
fn native_data(head: &[u8]) -> Option<(u64, u64)> {
    const VERSION_AND_FORMAT: usize = 8;
    let mut at = VERSION_AND_FORMAT;
    for _ in 0..3 {
        let n_bytes = usize::try_from(head.u32_le(at)).ok()?;
        at = at.checked_add(4)?.checked_add(n_bytes)?;
    }
    let size = head.at(at, 4);
    (size.len() == 4).then(|| (to_u64(at + 4), u64::from(head.u32_le(at))))
}

/// Hands over the file in a package, which may have its size in front. Says nothing about other bytes.
pub(crate) fn hand_package(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let head = blob.bytes_at(0, HEAD_BYTES)?;
    for starts_at in [0, 4] {
        for path_ends in [PathEnds::AtZero, PathEnds::ByLength] {
            if let Some((data_at, n_bytes)) = packaged(&head, starts_at, path_ends) {
                walk.reading_of(blob.slice(data_at, n_bytes), depth)?;
            }
        }
    }
    Ok(())
}

/// How a reader finds the end of the last path in front of the data, which has both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PathEnds {
    AtZero,
    ByLength,
}

/// Where the file begins and how long it is said to be: a word, its label, its path, two words, a path that
/// is temporary, a size.
fn packaged(head: &[u8], starts_at: usize, path_ends: PathEnds) -> Option<(u64, u64)> {
    const MAX_TEXT: usize = 2 * 1024;
    let mut at = starts_at + 2;
    let skip_text = |at: usize| {
        let text = head.get(at..)?;
        let n_bytes = memchr::memchr(0, &text[..text.len().min(MAX_TEXT)])?;
        Some(at + n_bytes + 1)
    };
    at = skip_text(at)?;
    at = skip_text(at)? + 8;
    at = match path_ends {
        PathEnds::AtZero => skip_text(at)?,
        PathEnds::ByLength => at.checked_add(usize::try_from(head.u32_le(at - 4)).ok()?)?,
    };
    let size = head.at(at, 4);
    (size.len() == 4).then(|| (to_u64(at + 4), u64::from(head.u32_le(at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(size: u32) -> Vec<u8> {
        let mut bytes = b"\x02\0cat.txt\0C:\\cat.txt\0\0\0\x03\0\x08\0\0\0C:\\c.tx\0".to_vec();
        bytes.extend(size.to_le_bytes());
        bytes.extend(b"Cat");
        bytes
    }

    #[test]
    fn a_package_has_a_file() {
        let bytes = package(3);
        let data_at = to_u64(bytes.len() - 3);
        for path_ends in [PathEnds::AtZero, PathEnds::ByLength] {
            assert_eq!(packaged(&bytes, 0, path_ends), Some((data_at, 3)));
            let with_size = [&[0; 4][..], &bytes].concat();
            assert_eq!(packaged(&with_size, 4, path_ends), Some((data_at + 4, 3)));
            assert_eq!(packaged(&bytes[..bytes.len() - 4], 0, path_ends), None, "no size");
        }
        assert_eq!(packaged(b"", 0, PathEnds::AtZero), None);
        assert_eq!(packaged(&[1; 5000], 0, PathEnds::AtZero), None, "no text ends");
    }

    #[test]
    fn an_object_has_native_data() {
        let text = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat();
        let object = |class: &[u8]| {
            [&[1, 5, 0, 0, 2, 0, 0, 0][..], &text(class), &text(b""), &text(b""), &text(b"Cat")].concat()
        };
        assert_eq!(native_data(&object(b"Package\0")), Some((32, 3)));
        assert_eq!(native_data(&object(b"")), Some((24, 3)));
        assert_eq!(native_data(&object(b"Package\0")[..31]), None);
        assert_eq!(native_data(&[0xff; 100]), None);
    }
}
