//! Recognises file systems and images of disks that no opener opens.
//!
//! Those with longer marks are recognised by the mark in its place alone, as the programs do that read them;
//! those with two bytes also by a field or two. A text in which the mark is a word is none.

use std::io;

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::format::is_text;

/// Where each mark stands, and what it is the mark of: file systems as Linux, GRUB 2 and the programs that
/// repair them know them, then images as QEMU, libewf and the programs that write them do.
pub(super) const MARKS: &[(u64, &[u8], &str)] = &[
    (65_600, b"_BHRfS_M", "btrfs"),
    (0, b"XFSB", "XFS"),
    (1024, b"\x10\x20\xf5\xf2", "F2FS"),
    (5120, b"\x10\x20\xf5\xf2", "F2FS, second super block"),
    (3, b"EXFAT   ", "exFAT"),
    (3, b"ReFS\0\0\0\0", "ReFS"),
    (3, b"-FVE-FS-", "BitLocker"),
    (1024, b"\xe2\xe1\xf5\xe0", "EROFS"),
    (512, b"\x45\x3d\xcd\x28", "cramfs behind a boot block"),
    (512, b"\x28\xcd\x3d\x45", "cramfs behind a boot block"),
    (65_588, b"ReIsEr", "ReiserFS"),
    (8244, b"ReIsEr", "ReiserFS"),
    (65_536, b"ReIsEr4", "Reiser4"),
    (32_768, b"JFS1", "JFS"),
    (1024, b"\x02\0\0\0\0\0\x34\x34", "NILFS2"),
    (1372, b"\x54\x19\x01\0", "UFS"),
    (9564, b"\x54\x19\x01\0", "UFS"),
    (9564, b"\0\x01\x19\x54", "UFS"),
    (66_908, b"\x19\x01\x54\x19", "UFS2"),
    (66_908, b"\x19\x54\x01\x19", "UFS2"),
    (32, b"1SFB", "BFS"),
    (544, b"1SFB", "BFS"),
    (544, b"BFS1", "BFS"),
    (8192, b"\x49\xe8\x95\xf9", "HPFS"),
    (8192, b"\x22\x11\x19\x68", "QNX6"),
    (65_536, b"\x01\x16\x19\x70", "GFS2"),
    (2048, b"OCFSV2", "OCFS2"),
    (4120, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9", "bcachefs"),
    (4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcachefs"),
    (0, b"-rom1fs-", "romfs"),
    (0, b"UBI#", "UBI"),
    (0, b"\x31\x18\x10\x06", "UBIFS"),
    (0, b"LUKS\xba\xbe", "LUKS"),
    (0, b"\xfc\x4e\x2b\xa9", "a disk of an array"),
    (4096, b"\xfc\x4e\x2b\xa9", "a disk of an array"),
    (32_777, b"CDROM", "High Sierra"),
    (10, b"#V2.0 Format", "cloop"),
    (0, b"EVF\t\r\n\xff\0", "EnCase image"),
    (0, b"LVF\t\r\n\xff\0", "EnCase image"),
    (0, b"EVF2\r\n\x81\0", "EnCase image"),
    (0, b"LEF2\r\n\x81\0", "EnCase image"),
    (0, b"AFF10\r\n\0", "AFF"),
    (0, b"\0ntfsclone-image", "ntfsclone image"),
    (0, b"partclone-image", "partclone image"),
    (0, b"PaRtImAgE-VoLuMe", "Partimage"),
    (0, b"WithoutFreeSpace", "Parallels disk"),
    (0, b"WithouFreSpacExt", "Parallels disk"),
    (0, b"QED\0", "QED"),
    (0, b"COWD", "VMDK of ESX"),
    (0, b"Bochs Virtual HD Image", "Bochs disk"),
    (0, b"WLPWM\0\0\0", "WIM for pipes"),
    (0, b"MComprHD", "CHD"),
    (0, b"IsZ!", "ISZ"),
    (0, b"DAA\0", "DAA"),
    (0, b"CISO", "CISO"),
    (0, b"ZISO", "ZISO"),
    (0, b"WBFS", "WBFS"),
    (0, b"RVZ\x01", "RVZ"),
    (0, b"WIA\x01", "WIA"),
];

/// Returns the name of what is recognised.
pub(super) fn unopened(blob: &Blob) -> io::Result<Option<&'static str>> {
    let start = blob.bytes_at(0, 16 * 1024)?;
    for (offset, mark, name) in MARKS {
        if is_at(blob, &start, *offset, mark)? && !is_word(blob, *offset)? {
            return Ok(Some(name));
        }
    }
    let by_structure = [
        (is_amiga(&start), "Amiga disk"),
        (is_hfs(&start), "HFS image"),
        (is_minix(&start), "Minix"),
        (is_jffs2(&start), "JFFS2"),
        (is_disk_copy(&start, blob.size_bytes()), "DiskCopy"),
        (is_dump(&start), "dump"),
        (is_zfs(blob)?, "ZFS"),
    ];
    Ok(by_structure.into_iter().find(|(is_it, _)| *is_it).map(|(_, name)| name))
}

fn is_at(blob: &Blob, start: &[u8], offset: u64, mark: &[u8]) -> io::Result<bool> {
    match to_usize(offset) {
        at if at + mark.len() <= start.len() => Ok(start.at(at, mark.len()) == mark),
        _ if offset >= blob.size_bytes() => Ok(false),
        _ => Ok(blob.bytes_at(offset, mark.len())? == mark),
    }
}

/// Returns whether the sector with the mark is text. What stands in front of it may be text in any case.
fn is_word(blob: &Blob, offset: u64) -> io::Result<bool> {
    const SECTOR: u64 = 512;
    is_text(&blob.slice(offset - offset % SECTOR, SECTOR))
}

/// A floppy disk, or a partition, begins with its kind and one of a few small numbers; a hard disk has its
/// block in one of the first 16 sectors (Amiga ROM Kernel Reference Manual: Devices, "RigidDiskBlock").
fn is_amiga(start: &[u8]) -> bool {
    const LONGS: u32 = 64;
    let is_volume = [&b"DOS"[..], b"PFS", b"SFS", b"KICK"].iter().any(|kind| start.starts_with(kind))
        && start.u8_at(3) < 9;
    let is_hard_disk =
        |sector: &[u8]| sector.starts_with(b"RDSK") && (1..=2 * LONGS).contains(&sector.u32_be(4));
    is_volume || start.chunks(512).take(16).any(is_hard_disk)
}

/// A master directory block (Inside Macintosh: Files, 2-60): its signature, and sizes and counts that can be.
/// hfsutils accepts any name of the volume. One that says that it wraps HFS+ has files of its own besides.
fn is_hfs(start: &[u8]) -> bool {
    const BLOCK_AT: usize = 1024;
    let block = start.at(BLOCK_AT, 512);
    let (n_blocks, block_bytes) = (block.u16_be(18), block.u32_be(20));
    let has_sizes = n_blocks > 0 && block_bytes > 0 && block_bytes % 512 == 0;
    block.starts_with(b"BD") && has_sizes
}

/// A super block of version 1, 2 or 3 in either order of bytes, as GRUB 2 reads it: tables of inodes and
/// zones that are there, and zones of a size that can be (Linux, `minix_fs.h`).
fn is_minix(start: &[u8]) -> bool {
    const LARGEST_SHIFT: u16 = 10;
    let block = start.at(1024, 32);
    [<[u8]>::u16_le as fn(&[u8], usize) -> u16, <[u8]>::u16_be].into_iter().any(|number| {
        let is_1_or_2 = matches!(number(block, 16), 0x137f | 0x138f | 0x2468 | 0x2478);
        let is_3 = number(block, 24) == 0x4d5a;
        let has_tables = |inodes: usize, tables: usize| {
            number(block, inodes) > 0
                && number(block, tables) > 0
                && number(block, tables + 2) > 0
                && number(block, tables + 6) <= LARGEST_SHIFT
        };
        // The number of inodes has 32 bits in version 3.
        is_1_or_2 && has_tables(0, 4) || is_3 && (has_tables(0, 6) || has_tables(2, 6))
    })
}

/// A node of a kind that there is, at the start, in either order of bytes (Linux, `jffs2.h`).
fn is_jffs2(start: &[u8]) -> bool {
    let (mark, kind) = match start.at(0, 2) {
        b"\x85\x19" => (true, start.u16_le(2)),
        b"\x19\x85" => (true, start.u16_be(2)),
        _ => (false, 0),
    };
    mark && matches!(kind, 0xe001 | 0xe002 | 0xe008 | 0xe009 | 0x2003 | 0x2004 | 0x2006)
}

/// Apple's Disk Copy 4.2: a name of up to 63 characters, sizes that the file has, and its mark.
fn is_disk_copy(start: &[u8], size_bytes: u64) -> bool {
    const HEADER_BYTES: u64 = 84;
    let sizes = u64::from(start.u32_be(64)) + u64::from(start.u32_be(68));
    start.u8_at(0) < 64
        && start.at(82, 2) == [1, 0]
        && start.u32_be(64) > 0
        && start.u32_be(64).is_multiple_of(512)
        && sizes + HEADER_BYTES <= size_bytes
}

/// A backup of dump(8): the kind of its first record, and its mark (BSD, `protocols/dumprestore.h`).
fn is_dump(start: &[u8]) -> bool {
    let is_record = |kind: u32, mark: u32| {
        (1..=6).contains(&kind) && matches!(mark, 60_011 | 60_012 | 60_013 | 0x1954_0119)
    };
    is_record(start.u32_le(0), start.u32_le(24)) || is_record(start.u32_be(0), start.u32_be(24))
}

/// A device of ZFS has its description 16 KiB from its start: pairs in XDR, version 0, with unique names
/// (OpenZFS, `nvpair_impl.h`).
fn is_zfs(blob: &Blob) -> io::Result<bool> {
    let label = blob.bytes_at(16 * 1024, 12)?;
    Ok(matches!(label[..], [1, 0 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]))
}
