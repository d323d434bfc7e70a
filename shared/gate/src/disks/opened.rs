//! Recognises file systems that 7-Zip opens, and those among them that it declines.

use super::FileSystem;
use crate::fields::Fields as _;

/// A boot sector, and the super block of ext behind a boot block of 1,024 bytes.
pub(super) const HEAD_BYTES: usize = 2048;

/// NTFS has its name in the boot sector. 7-Zip 25.01 declines sectors of another size and fields that are not
/// as Windows writes them (`NtfsHandler.cpp`, `CHeader::Parse`); ntfs-3g reads them.
/// Without the table of files, or its copy, there are none: such is `$Boot`, a file of every volume.
pub(super) fn ntfs(boot: &[u8], size_bytes: u64) -> Option<FileSystem> {
    let is_there =
        |cluster: u64| cluster > 0 && cluster.saturating_mul(ntfs_cluster_bytes(boot)) < size_bytes;
    let has_table = is_there(boot.u64_le(48)) || is_there(boot.u64_le(56));
    let has_jump = boot.u8_at(0) == 0xe9 || boot.u8_at(0) == 0xeb && boot.u8_at(2) == 0x90;
    let has_usual_fields = boot.at(14, 7) == [0; 7]
        && boot.u8_at(21) == 0xf8
        && boot.u16_le(22) == 0
        && boot.u32_le(32) == 0
        && matches!(boot.at(37, 3), [0, 0 | 0x80, 0]);
    let is_opened = boot.at(510, 2) == [0x55, 0xaa] && has_jump && boot.u16_le(11) == 512 && has_usual_fields;
    let is_found = boot.at(3, 8) == b"NTFS    " && has_table;
    is_found.then_some(FileSystem { name: "NTFS image", is_opened })
}

/// The number of sectors in a cluster is written as a power of two where it is large.
fn ntfs_cluster_bytes(boot: &[u8]) -> u64 {
    let n_sectors = match boot.u8_at(13) {
        n_sectors @ ..=0x80 => n_sectors.into(),
        power => 1u64.checked_shl(0x100 - u32::from(power)).unwrap_or(u64::MAX),
    };
    n_sectors.saturating_mul(boot.u16_le(11).into())
}

/// The super block of ext2, ext3 or ext4: its mark, and a size of blocks that there is, in any state. What
/// `CHeader::Parse` of 7-Zip 25.01 declines (`ExtHandler.cpp`: clusters, copies of a super block, descriptors
/// of another size), programs that repair file systems read.
pub(super) fn ext(start: &[u8]) -> Option<FileSystem> {
    /// Names of directory entries with a type, a journal to replay, extents, 64 bits, protection against a
    /// second mount, flexible groups, large directories, a seed for checksums, data in inodes.
    const KNOWN_FEATURES: u32 = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x8000;
    const HAS_64_BITS: u32 = 0x80;
    let block = start.at(1024, 1024);
    let (block_bits, cluster_bits, features) = (block.u32_le(24), block.u32_le(28), block.u32_le(96));
    let is_opened = (cluster_bits == 0 || cluster_bits == block_bits)
        && block.u32_le(0) >= 2
        && block.u32_le(0) > block.u32_le(16)
        && block.u32_le(20) == u32::from(block_bits == 0)
        && block.u32_le(32) == block.u32_le(36)
        && block.u32_le(32) > 0
        && (1..=block.u32_le(0)).contains(&block.u32_le(40))
        && block.u16_le(90) == 0
        && features & !KNOWN_FEATURES == 0
        && (features & HAS_64_BITS == 0 || block.u16_le(254) == 64);
    (block.at(56, 2) == b"\x53\xef" && block_bits <= 6).then_some(FileSystem { name: "ext image", is_opened })
}
