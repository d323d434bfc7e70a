//! Recognises FAT volumes as mtools and Linux do, which read more of them than 7-Zip.

use std::io;

use super::FileSystem;
use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;

const NAME: &str = "FAT image";

/// Returns the volume that begins here, with parameters in its boot sector or without.
pub(super) fn found(blob: &Blob, boot: &[u8]) -> io::Result<Option<FileSystem>> {
    let parameters = Parameters::of(boot);
    if parameters.says_so(boot) || parameters.has_layout() && parameters.has_tables(blob, boot)? {
        return Ok(Some(FileSystem { name: NAME, is_opened: parameters.is_opened(boot) }));
    }
    let is_found = is_without_parameters(blob, boot)?;
    Ok(is_found.then_some(FileSystem { name: NAME, is_opened: false }))
}

/// Where things stand (Microsoft, "FAT: General Overview of On-Disk Format", boot sector).
struct Parameters {
    bytes_per_sector: u32,
    sectors_per_cluster: u8,
    n_reserved: u32,
    n_tables: u32,
    n_root_entries: u32,
    n_sectors: u32,
    table_sectors: u32,
}

impl Parameters {
    fn of(boot: &[u8]) -> Self {
        let or_long = |short: u16, at: usize| if short == 0 { boot.u32_le(at) } else { short.into() };
        Self {
            bytes_per_sector: boot.u16_le(11).into(),
            sectors_per_cluster: boot.u8_at(13),
            n_reserved: boot.u16_le(14).into(),
            n_tables: boot.u8_at(16).into(),
            n_root_entries: boot.u16_le(17).into(),
            n_sectors: or_long(boot.u16_le(19), 32),
            table_sectors: or_long(boot.u16_le(22), 36),
        }
    }

    fn are_in_range(&self) -> bool {
        matches!(self.bytes_per_sector, 128 | 256 | 512 | 1024 | 2048 | 4096)
            && self.sectors_per_cluster.is_power_of_two()
            && self.n_reserved > 0
            && (1..=4).contains(&self.n_tables)
            && self.n_sectors > 0
    }

    /// mtools reads volumes without the mark at the sector's end, or without a jump at its start.
    fn says_so(&self, boot: &[u8]) -> bool {
        self.are_in_range() && (boot.at(54, 4) == b"FAT1" || boot.at(82, 5) == b"FAT32")
    }

    /// Tables and root directory end before the volume does. The words come with DOS 4: older disks, and
    /// those of the Atari ST, have none.
    fn has_layout(&self) -> bool {
        let root_sectors = (self.n_root_entries * 32).div_ceil(self.bytes_per_sector.max(1));
        let tables = self.table_sectors.checked_mul(self.n_tables);
        let data_at = tables.and_then(|tables| tables.checked_add(self.n_reserved + root_sectors));
        self.are_in_range() && self.table_sectors > 0 && data_at.is_some_and(|at| at < self.n_sectors)
    }

    /// The kind of medium stands in the boot sector, or where the first table begins. A boot sector by itself
    /// has no files.
    fn has_tables(&self, blob: &Blob, boot: &[u8]) -> io::Result<bool> {
        let table_at = u64::from(self.n_reserved) * u64::from(self.bytes_per_sector);
        let table = blob.bytes_at(table_at, 3)?;
        Ok(table.len() == 3 && (boot.u8_at(21) >= 0xf0 || is_table_start(&table)))
    }

    /// What `CHeader::Parse` of 7-Zip 25.01 asks for (`FatHandler.cpp`).
    fn is_opened(&self, boot: &[u8]) -> bool {
        let has_jump = boot.u8_at(0) == 0xe9 || boot.u8_at(0) == 0xeb && boot.u8_at(2) == 0x90;
        boot.at(510, 2) == [0x55, 0xaa] && has_jump && self.bytes_per_sector >= 512 && self.has_layout()
    }
}

fn is_table_start(table: &[u8]) -> bool {
    table.u8_at(0) >= 0xf0 && table.at(1, 2) == [0xff, 0xff]
}

/// Recognises a disk of DOS 1, whose size follows from the byte that its table begins with: two equal tables
/// behind the boot sector, and a directory with a file behind them (mtools 4.0, `old_dos`).
fn is_without_parameters(blob: &Blob, boot: &[u8]) -> io::Result<bool> {
    const SECTOR: usize = 512;
    const LONGEST_TABLE: usize = 9;
    const DIRECTORY: usize = 14 * SECTOR;
    if !is_table_start(boot.at(SECTOR, 3)) {
        return Ok(false);
    }
    for n_sectors in 1..=LONGEST_TABLE {
        let second = blob.bytes_at(to_u64(SECTOR * (1 + n_sectors)), 3)?;
        if second == boot.at(SECTOR, 3) {
            let directory = blob.bytes_at(to_u64(SECTOR * (1 + 2 * n_sectors)), DIRECTORY)?;
            if directory.chunks_exact(32).take_while(|entry| entry.u8_at(0) != 0).any(is_file) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A name without controls, no attribute that a file cannot have, a cluster and a size within what such disks
/// hold. Pictures begin with white as well, so that less is no disk.
fn is_file(entry: &[u8]) -> bool {
    const LARGEST_DISK: u32 = 2_949_120;
    let is_deleted = entry.u8_at(0) == 0xe5;
    let is_name = entry.at(0, 11).iter().all(|byte| (b' '..0xff).contains(byte));
    let is_ordinary = entry.u8_at(11) & 0xc8 == 0;
    let has_cluster = (2..0xff0).contains(&entry.u16_le(26));
    !is_deleted && is_name && is_ordinary && has_cluster && (1..=LARGEST_DISK).contains(&entry.u32_le(28))
}
