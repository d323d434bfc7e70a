//! Walks tar: header after header, to the zero blocks that end it (POSIX.1-2024 pax, "ustar Interchange
//! Format"; GNU tar manual).

pub(crate) mod anywhere;

use std::io;

use domain::verdict::Unscannable;

use crate::blob::{Blob, SEARCH_WINDOW, to_u64, to_usize};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::walk::{Reach, Walk, Walked, disputed, malformed, refuse};

const BLOCK: u64 = 512;

/// Returns whether 512 bytes are a header: their checksum says so, for tars with and without `ustar`.
pub(crate) fn is_header(header: &[u8]) -> bool {
    // First what is cheap: almost no block has a number there.
    let Some(stored) = checksum(header.at(148, 8)).filter(|_| header.len() == 512) else { return false };
    // Some old writers summed signed bytes: each of those above 127 counts 256 less.
    let n_high =
        header.iter().enumerate().filter(|(index, byte)| !SUM.contains(index) && **byte > 127).count();
    let unsigned = unsigned_sum(header);
    stored == unsigned || unsigned.checked_sub(256 * to_u64(n_high)) == Some(stored)
}

/// Where the sum of a header stands, which counts as spaces.
const SUM: std::ops::Range<usize> = 148..156;

fn unsigned_sum(header: &[u8]) -> u64 {
    let of_others = header.iter().enumerate().filter(|(index, _)| !SUM.contains(index));
    of_others.map(|(_, byte)| u64::from(*byte)).sum::<u64>() + 8 * u64::from(b' ')
}

/// A number field: octal digits, padded with spaces or zeros, ended by a space or a zero byte.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches([' ', '\0']);
    u64::from_str_radix(text, 8).ok()
}

/// The number in the checksum's field, as the most tolerant readers take it: after blanks of any kind, or in
/// base 256.
fn checksum(field: &[u8]) -> Option<u64> {
    if let Some((0x80, number)) = field.split_first().map(|(first, number)| (*first, number)) {
        return Some(number.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
    }
    let is_blank =
        |character: char| character == '\0' || character.is_ascii_whitespace() || character == '\x0b';
    u64::from_str_radix(std::str::from_utf8(field).ok()?.trim_matches(is_blank), 8).ok()
}

/// Walks a tar that reaches to the blob's end.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let reach = if is_plain(blob)? { Reach::Followed } else { Reach::Handed };
    if reach == Reach::Followed {
        walk.require(Method::Tar)?;
    }
    let mut at = 0;
    while let Some(header) = next_header(blob, at)? {
        at = walk_member(walk, blob, at, &header, depth, reach)?;
    }
    // Readers stop at the zeros or continue, depending on their options: nothing may follow. A tar without
    // zeros is cut.
    let has_end = at < blob.size_bytes();
    if has_end && is_zero_from(blob, at)? { Ok(()) } else { malformed("tar: cut, or data behind its end") }
}

/// Returns whether the engine follows every header: each has `ustar`, and numbers in the usual form.
fn is_plain(blob: &Blob) -> io::Result<bool> {
    let mut at = 0;
    if !has_plain_name(&blob.bytes_at(0, 8)?) {
        return Ok(false);
    }
    while let Some(header) = next_header(blob, at)? {
        let is_number = |field: &[u8]| {
            let n_digits = field.iter().take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            n_digits > 0 && field[n_digits..].iter().all(|byte| matches!(byte, b' ' | 0))
        };
        let size = octal(header.at(124, 12)).filter(|_| is_number(header.at(124, 12)));
        let has_sum = is_number(header.at(148, 8)) && octal(header.at(148, 8)) == Some(unsigned_sum(&header));
        let (Some(size), true, true) = (size, has_sum, header.at(257, 5) == b"ustar") else {
            return Ok(false);
        };
        // The engine stops at attributes and long names that are empty.
        if size == 0 && matches!(header.u8_at(156), b'x' | b'g' | b'L' | b'K') {
            return Ok(false);
        }
        at = (at + BLOCK).saturating_add(size.next_multiple_of(BLOCK));
    }
    Ok(true)
}

/// Returns whether the engine takes a file that begins with this name for nothing but a tar.
fn has_plain_name(start: &[u8]) -> bool {
    const SIGNATURES: &[&[u8]] = &[
        b"ALZ", b"BM", b"BZh", b"CWS", b"EGG", b"FWS", b"From", b"GIF", b"HWP", b"ID3", b"IS", b"ITSF",
        b"KWAJ", b"LZIP", b"MSCF", b"MZ", b"PK", b"RIFF", b"Rar", b"SZDD", b"ZM", b"ZWS", b"begin", b"dex",
        b"koly", b"xar",
    ];
    let name = start.split(|byte| *byte == 0).next().unwrap_or_default();
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._/@".contains(byte))
        && !SIGNATURES.iter().any(|signature| name.starts_with(signature))
}

/// Which headers are looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Headers {
    All,
    /// Those that no search for `ustar` finds.
    WithoutMagic,
}

impl Headers {
    fn have(self, block: &[u8]) -> bool {
        (self == Self::All || block.at(257, 5) != b"ustar") && is_header(block)
    }
}

/// Walks tars that begin at any block but the first: GNU tar looks for the next header when the first is
/// none.
pub(crate) fn walk_blocks(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_blocks_from(BLOCK, walk, blob, Headers::All, depth)
}

/// Walks tars without `ustar`, of which the first begins at `from`.
pub(crate) fn walk_blocks_without_magic(from: u64, walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_blocks_from(from, walk, blob, Headers::WithoutMagic, depth)
}

/// Where the first header without `ustar` stands in the window of a blob that starts at `at`. The blob's
/// first block does not count.
pub(crate) fn block_without_magic(at: u64, window: &[u8]) -> Option<u64> {
    let places = (at..).step_by(to_usize(BLOCK));
    let mut blocks = places.zip(window[..window.len().min(SEARCH_WINDOW)].chunks(to_usize(BLOCK)));
    let found = blocks.find(|(place, block)| *place > 0 && Headers::WithoutMagic.have(block));
    found.map(|(place, _)| place)
}

fn walk_blocks_from(mut at: u64, walk: &mut Walk<'_>, blob: &Blob, headers: Headers, depth: u32) -> Walked {
    while at < blob.size_bytes() {
        let window = blob.bytes_at(at, SEARCH_WINDOW)?;
        let mut blocks = window.chunks(to_usize(BLOCK)).enumerate();
        at += match blocks.find(|(_, block)| headers.have(block)) {
            Some((index, _)) => {
                let start = to_u64(index) * BLOCK;
                start + walk_embedded(walk, &blob.tail(at + start), depth)?.max(BLOCK).next_multiple_of(BLOCK)
            }
            None => to_u64(window.len()),
        };
    }
    Ok(())
}

/// Walks a tar in the middle of other data, as far as it goes, and hands its members to the engine. Returns
/// where it ends.
pub(crate) fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<u64> {
    let mut at = 0;
    while let Some(header) =
        next_header(blob, at)?.filter(|header| is_header(header) && may_have_size(header))
    {
        at = walk_member(walk, blob, at, &header, depth, Reach::Handed)?;
    }
    Ok(at)
}

/// Returns whether a header that is found amid data says a size to any reader: in digits, in base 256, or in
/// GNU tar's old base 64. One block in some millions of a program has a checksum that is right by accident.
fn may_have_size(header: &[u8]) -> bool {
    let field = header.at(124, 12);
    let field = field.strip_prefix(b"\0").unwrap_or(field).trim_ascii_start();
    field.first().is_some_and(|byte| matches!(byte, b'0'..=b'7' | b'+' | b'-' | 0x80..))
}

/// The block at `at`, unless it is zeros or the end.
fn next_header(blob: &Blob, at: u64) -> io::Result<Option<Vec<u8>>> {
    let block = blob.bytes_at(at, to_usize(BLOCK))?;
    Ok(block.iter().any(|byte| *byte != 0).then_some(block))
}

/// Returns where the next header stands.
fn walk_member(
    walk: &mut Walk<'_>,
    blob: &Blob,
    at: u64,
    header: &[u8],
    depth: u32,
    reach: Reach,
) -> Walked<u64> {
    if !is_header(header) {
        return malformed("tar: a header that is none");
    }
    // To some readers an empty name is the end; to others the directory field is name enough.
    if header.u8_at(0) == 0 {
        return disputed("tar: a member without a name");
    }
    // Sizes in base 256 are for members beyond 8 GiB; the engine reads octal.
    let Some(size_bytes) = octal(header.at(124, 12)) else {
        return malformed("tar: a size that is not octal");
    };
    let data = blob.slice(at + BLOCK, size_bytes);
    if data.size_bytes() != size_bytes {
        return malformed("tar: a member behind the end");
    }
    match header.u8_at(156) {
        b'0' | b'\0' | b'7' => walk.stored_member(data, depth, reach)?,
        // Links, devices, directories and pipes have no data; readers disagree on what a size means there.
        b'1'..=b'6' if size_bytes == 0 => {}
        // The last of them is Solaris's.
        kind @ (b'x' | b'g' | b'X') => match layout(&data)? {
            Layout::Kept if kind != b'X' => {}
            Layout::Sparse if kind == b'x' => return unusual(),
            Layout::Kept => return unusual(),
            // Of all that follow, to some of those who heed the kind at all.
            Layout::Changed if kind != b'x' => {
                return disputed("tar: attributes that change all that follow");
            }
            Layout::Sparse | Layout::Disputed => return disputed("tar: attributes that programs differ on"),
            Layout::Changed => return malformed("tar: attributes that change what follows"),
        },
        // To some readers a long name is a member like others.
        b'L' | b'K' if size_bytes <= MAX_ATTRIBUTES => walk.reading_of(data, depth).map(drop)?,
        b'L' | b'K' | b'1'..=b'6' => {
            return malformed("tar: a link or a device with data, or a name that is too long");
        }
        _ => return unusual(),
    }
    Ok((at + BLOCK).saturating_add(size_bytes.next_multiple_of(BLOCK)))
}

const MAX_ATTRIBUTES: u64 = 1024 * 1024;

/// Sparse files, labels, lists of directories: readers write its data as they stand, or what they make of
/// them.
fn unusual<T>() -> Walked<T> {
    refuse(Unscannable::UnsupportedContainer, "tar: a member of an unusual kind")
}

/// What attributes say of the next member, beside what its header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layout {
    Kept,
    /// Its data are the pieces of a sparse file.
    Sparse,
    /// Its size is another.
    Changed,
    /// A record is not as the standard has it, or has blanks in front of a key that matters, which GNU tar
    /// skips.
    Disputed,
}

fn layout(attributes: &Blob) -> io::Result<Layout> {
    if attributes.size_bytes() > MAX_ATTRIBUTES {
        return Ok(Layout::Changed);
    }
    let text = attributes.bytes_at(0, to_usize(attributes.size_bytes()))?;
    // Where a record is not as the standard has it, readers differ on where its key begins.
    let Some(keys) = attribute_keys(&text) else { return Ok(Layout::Disputed) };
    let is_size = |key: &[u8]| key == b"size";
    let is_sparse = |key: &[u8]| key.starts_with(b"GNU.sparse.");
    let is_disputed = |key: &&[u8]| {
        let key_to_gnu_tar = key.trim_ascii_start();
        key_to_gnu_tar.len() < key.len() && (is_size(key_to_gnu_tar) || is_sparse(key_to_gnu_tar))
    };
    Ok(if keys.iter().any(is_disputed) {
        Layout::Disputed
    } else if keys.iter().any(|key| is_size(key)) {
        Layout::Changed
    } else if keys.iter().any(|key| is_sparse(key)) {
        Layout::Sparse
    } else {
        Layout::Kept
    })
}

/// The keys of pax records, `LENGTH KEY=VALUE` and a line end, where the length is in decimal and that of the
/// whole; `None` where one is none.
fn attribute_keys(mut text: &[u8]) -> Option<Vec<&[u8]>> {
    let mut keys = Vec::new();
    while text.first().is_some_and(|byte| *byte != 0) {
        let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let length = std::str::from_utf8(&text[..n_digits]).ok()?.parse::<usize>().ok()?;
        let record = text.get(n_digits..length)?.strip_prefix(b" ")?.strip_suffix(b"\n")?;
        keys.push(record.split(|byte| *byte == b'=').next().filter(|key| key.len() < record.len())?);
        text = &text[length..];
    }
    Some(keys)
}

pub(crate) fn is_zero_from(blob: &Blob, start: u64) -> io::Result<bool> {
    const CHUNK: usize = 64 * 1024;
    let mut at = start;
    while at < blob.size_bytes() {
        let chunk = blob.bytes_at(at, CHUNK)?;
        if chunk.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += crate::blob::to_u64(chunk.len());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout_of(text: &[u8]) -> Layout {
        layout(&Blob::from_bytes(text.to_vec())).unwrap()
    }

    #[test]
    fn a_size_is_what_some_reader_takes_for_one() {
        let may_have = |field: &[u8]| {
            let mut header = vec![0; 512];
            header[124..124 + field.len()].copy_from_slice(field);
            may_have_size(&header)
        };
        for field in [
            &b"00000000104\0"[..],
            b"   104 ",
            b"\0 104",
            b"104\0\x92\xc2",
            b"\x80\0\0\x44",
            b"\xff",
            b"+1",
            b"-1",
        ] {
            assert!(may_have(field), "{field:?}");
        }
        for field in [&b""[..], b"\0\0\x92\xc2\x02", b"   ", b"8", b"\x01"] {
            assert!(!may_have(field), "{field:?}");
        }
    }

    #[test]
    fn attributes_change_the_layout_by_their_keys_alone() {
        for text in [&b"11 mtime=1\n27 path=Icone, size=48.png\n"[..], b"18 path= size=1 x\n\0\0\0"] {
            assert_eq!(layout_of(text), Layout::Kept, "{text:?}");
        }
        assert_eq!(layout_of(b"22 GNU.sparse.major=1\n"), Layout::Sparse);
        for text in [&b"24  \t GNU.sparse.major=1\n"[..], b"12  size=10\n"] {
            assert_eq!(layout_of(text), Layout::Disputed, "{text:?}");
        }
        for text in
            [&b"11 size=99\n"[..], b"22 GNU.sparse.major=1\n11 size=99\n", b"11 mtime=1\n11 size=99\n"]
        {
            assert_eq!(layout_of(text), Layout::Changed, "{text:?}");
        }
        for text in
            [&b"12 mtime=1\n11 size=99\n"[..], b"11\tsize=99\n", b"mtime=1\n", b"11 mtime=1", b"+1 mtime=1\n"]
        {
            assert_eq!(layout_of(text), Layout::Disputed, "{text:?}");
        }
    }
}
