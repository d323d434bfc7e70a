//! Walks ISO 9660: every directory tree of the image (plain, and Joliet beside it), and the extents that they
//! name (ECMA-119).

mod rock_ridge;

use std::collections::BTreeSet;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::tar::is_zero_from;
use crate::walk::{Reach, Walk, Walked, malformed, refuse};
use crate::zisofs;

const SECTOR: u64 = 2048;
const FIRST_DESCRIPTOR: u64 = 16;
const MAX_DESCRIPTORS: u64 = 64;
const MAX_DIRECTORY_BYTES: u64 = 16 * 1024 * 1024;

type Extent = (u64, u64);

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Iso)?;
    let size_bytes = walk_trees(walk, blob, depth)?;
    // To 7-Zip, what follows the volume is a file of its own.
    let behind = blob.tail(size_bytes.min(blob.size_bytes()));
    if is_zero_from(&behind, 0)? { Ok(()) } else { walk.reading_of(behind, depth).map(drop) }
}

/// Walks an image in the middle of other data.
pub(crate) fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk_trees(walk, blob, depth).map(drop)
}

/// Hands every file: the engine reads one tree of several, and none where the image begins like something
/// else. Returns the size of the volume.
fn walk_trees(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked<u64> {
    let mut files = Files::default();
    let volume = read_volume(blob)?;
    for image in boot_images(blob, volume.boot_catalog)? {
        walk.stored_member(image, depth, Reach::Handed)?;
    }
    for root in volume.roots {
        read_tree(blob, root, &mut files)?;
        walk.expect(to_u64(files.extents.len()), 0)?;
    }
    for extent in files.extents {
        let data = blob.slice(extent.0 * SECTOR, extent.1);
        if data.size_bytes() != extent.1 {
            return malformed("iso: a file behind the end");
        }
        // What is compressed says so itself, and is decompressed where it is looked at.
        if files.compressed.contains(&extent) && !zisofs::has_usual_header(&data)? {
            return refuse(Unscannable::UnsupportedContainer, "iso: a file compressed in an unusual way");
        }
        walk.stored_member(data, depth, Reach::Handed)?;
    }
    Ok(volume.size_bytes)
}

struct Volume {
    /// As the first descriptor says.
    size_bytes: u64,
    /// The root directories of all volume descriptors.
    roots: Vec<Extent>,
    boot_catalog: Option<u64>,
}

fn read_volume(blob: &Blob) -> Walked<Volume> {
    const BOOT: u8 = 0;
    const PRIMARY: u8 = 1;
    const SUPPLEMENTARY: u8 = 2;
    const TERMINATOR: u8 = 255;
    let (mut roots, mut size_bytes, mut boot_catalog, mut is_terminated) = (Vec::new(), None, None, false);
    for index in FIRST_DESCRIPTOR..FIRST_DESCRIPTOR + MAX_DESCRIPTORS {
        let descriptor = blob.bytes_at(index * SECTOR, to_usize(SECTOR))?;
        match (descriptor.at(1, 5), descriptor.u8_at(0)) {
            (b"CD001", PRIMARY | SUPPLEMENTARY) => {
                if u64::from(descriptor.u16_le(128)) != SECTOR {
                    return malformed("iso: blocks of an unusual size");
                }
                roots.push(extent(descriptor.at(156, 34)));
                size_bytes.get_or_insert(u64::from(descriptor.u32_le(80)) * SECTOR);
            }
            (b"CD001", BOOT) if descriptor.at(7, 23) == b"EL TORITO SPECIFICATION" => {
                boot_catalog = Some(descriptor.u32_le(71).into());
            }
            (b"CD001", TERMINATOR) => is_terminated = true,
            (b"CD001", _) => {}
            (b"BEA01" | b"NSR02" | b"NSR03", _) => {
                return refuse(Unscannable::UnsupportedContainer, "iso: an UDF image as well");
            }
            _ => break,
        }
    }
    match size_bytes {
        Some(size_bytes) if is_terminated => Ok(Volume { size_bytes, roots, boot_catalog }),
        _ => malformed("iso: no volume descriptors"),
    }
}

/// The programs that a computer starts from the image; no directory need name them, and 7-Zip shows them as
/// files. (El Torito 1.0: entries of 32 bytes; where each begins is plain, how long it is depends on what it
/// pretends to be.)
fn boot_images(blob: &Blob, catalog: Option<u64>) -> Walked<Vec<Blob>> {
    const ENTRY: usize = 32;
    const BOOTABLE: u8 = 0x88;
    const NOT_BOOTABLE: u8 = 0x00;
    const MAX_BYTES: u64 = 65_535 * 512;
    let Some(catalog) = catalog else { return Ok(Vec::new()) };
    let catalog = blob.bytes_at(catalog.saturating_mul(SECTOR), to_usize(SECTOR))?;
    let entries =
        catalog.chunks(ENTRY).skip(1).filter(|entry| matches!(entry.u8_at(0), BOOTABLE | NOT_BOOTABLE));
    let starts = entries.map(|entry| u64::from(entry.u32_le(8))).filter(|start| *start > 0);
    Ok(starts
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|start| blob.slice(start * SECTOR, MAX_BYTES))
        .collect())
}

fn extent(record: &[u8]) -> Extent {
    (record.u32_le(2).into(), record.u32_le(10).into())
}

#[derive(Debug, Default)]
struct Files {
    extents: BTreeSet<Extent>,
    /// Those among them that Rock Ridge says are compressed: libarchive and Linux decompress them.
    compressed: BTreeSet<Extent>,
}

/// Adds the extents of all files below a root. Each directory is read once.
fn read_tree(blob: &Blob, root: Extent, files: &mut Files) -> Walked {
    let (mut seen, mut to_read) = (BTreeSet::new(), vec![root]);
    let mut n_bytes_read = 0u64;
    while let Some(directory) = to_read.pop() {
        if !seen.insert(directory) {
            continue;
        }
        n_bytes_read = n_bytes_read.saturating_add(directory.1);
        if n_bytes_read > MAX_DIRECTORY_BYTES {
            return refuse(Unscannable::TooManyFiles, "iso: directories larger than the limit");
        }
        let bytes = blob.bytes_at(directory.0 * SECTOR, to_usize(directory.1))?;
        if to_u64(bytes.len()) != directory.1 {
            return malformed("iso: a directory behind the end");
        }
        // Records do not cross sectors; a length of zero ends a sector.
        for sector in bytes.chunks(to_usize(SECTOR)) {
            read_sector(sector, blob, files, &mut to_read)?;
        }
    }
    Ok(())
}

fn read_sector(sector: &[u8], image: &Blob, files: &mut Files, directories: &mut Vec<Extent>) -> Walked {
    const IS_DIRECTORY: u8 = 0x02;
    const IS_ASSOCIATED: u8 = 0x04;
    const HAS_MORE_EXTENTS: u8 = 0x80;
    let mut rest = sector;
    while rest.u8_at(0) != 0 {
        let n_record = usize::from(rest.u8_at(0));
        let record = rest.at(0, n_record);
        let n_name = usize::from(record.u8_at(32));
        if n_record < 34 || record.len() != n_record || 33 + n_name > n_record {
            return malformed("iso: a directory record that is none");
        }
        let is_both_endian = record.at(2, 4).iter().rev().eq(record.at(6, 4))
            && record.at(10, 4).iter().rev().eq(record.at(14, 4));
        let flags = record.u8_at(25);
        let is_unusual = flags & (HAS_MORE_EXTENTS | IS_ASSOCIATED) != 0
            || record.u8_at(26) != 0
            || record.u8_at(27) != 0
            || record.u8_at(1) != 0
            || !is_both_endian;
        if is_unusual {
            return malformed("iso: a file of several extents, or numbers that disagree");
        }
        let is_self_or_parent = n_name == 1 && record.u8_at(33) <= 1;
        if !is_self_or_parent {
            if flags & IS_DIRECTORY != 0 {
                directories.push(extent(record));
            } else if extent(record).1 > 0 {
                files.extents.insert(extent(record));
                if rock_ridge::is_compressed(record.at(33 + n_name, n_record - 33 - n_name), image)? {
                    files.compressed.insert(extent(record));
                }
            }
        }
        rest = &rest[n_record..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory's record: of a name, flags, and an extent.
    fn record(name: &[u8], flags: u8, (start, n_bytes): (u32, u32)) -> Vec<u8> {
        let n_record = (33 + name.len()).next_multiple_of(2).max(34);
        let mut record = vec![0; n_record];
        record[0] = u8::try_from(n_record).unwrap();
        for (at, value) in [(2, start), (10, n_bytes)] {
            record[at..at + 4].copy_from_slice(&value.to_le_bytes());
            record[at + 4..at + 8].copy_from_slice(&value.to_be_bytes());
        }
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record[33..33 + name.len()].copy_from_slice(name);
        record
    }

    fn read(sector: &[u8]) -> Option<(Vec<Extent>, Vec<Extent>)> {
        let (mut files, mut directories) = (Files::default(), vec![]);
        read_sector(sector, &Blob::from_bytes(vec![]), &mut files, &mut directories).ok()?;
        Some((files.extents.into_iter().collect(), directories))
    }

    #[test]
    fn a_directory_lists_files_and_directories() {
        let sector = [
            record(b"\0", 2, (20, 2048)),
            record(b"\x01", 2, (19, 2048)),
            record(b"A", 0, (30, 5)),
            record(b"EMPTY", 0, (31, 0)),
            record(b"D", 2, (40, 2048)),
            record(b"\x02", 0, (32, 7)),
        ];
        let sector = [sector.concat(), vec![0; 100]].concat();
        assert_eq!(read(&sector), Some((vec![(30, 5), (32, 7)], vec![(40, 2048)])));
    }

    #[test]
    fn records_are_whole() {
        let good = record(b"NAME.TXT", 0, (30, 5));
        assert!(read(&good).is_some());
        assert!(read(&good[..good.len() - 1]).is_none(), "cut");
        for (at, value) in
            [(0, 33), (0, 200), (32, 100), (1, 1), (26, 1), (27, 1), (25, 4), (25, 0x80), (6, 1), (14, 1)]
        {
            let mut changed = good.clone();
            changed[at] = value;
            assert!(read(&changed).is_none(), "{at}: {value}");
        }
        let longest_name = record(b"A", 0, (30, 5));
        assert!(read(&longest_name).is_some());
        let mut longer = longest_name;
        longer[32] = 2;
        assert!(read(&longer).is_none());
    }

    #[test]
    fn directories_have_a_largest_size() {
        let reason = |n_bytes: u64| match read_tree(
            &Blob::from_bytes(vec![0; 100]),
            (0, n_bytes),
            &mut Files::default(),
        ) {
            Err(crate::walk::Stop::Refused(refusal)) => refusal.reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(MAX_DIRECTORY_BYTES), Unscannable::Malformed, "it would be read");
        assert_eq!(reason(MAX_DIRECTORY_BYTES + 1), Unscannable::TooManyFiles);
    }

    #[test]
    fn boot_images_reach_as_far_as_they_could() {
        let mut image = vec![0; 40 * 1024 * 1024];
        let at = 2 * to_usize(SECTOR);
        for (n, (kind, start)) in [(0x88, 3u32), (0x00, 4), (0x44, 5), (0x88, 0)].into_iter().enumerate() {
            let entry = &mut image[at + 32 * (n + 1)..at + 32 * (n + 2)];
            entry[0] = kind;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
        }
        let images = boot_images(&Blob::from_bytes(image), Some(2)).unwrap();
        let sizes: Vec<u64> = images.iter().map(Blob::size_bytes).collect();
        assert_eq!(sizes, [65_535 * 512, 65_535 * 512]);
    }
}
