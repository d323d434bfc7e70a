//! Reads the header of a compound file: how large sectors are, and where the tables begin ([MS-CFB] 2.2).

use std::io;

use crate::blob::Blob;
use crate::fields::Fields as _;

pub(super) struct Header {
    pub(super) sector_shift: u32,
    pub(super) mini_sector_shift: u32,
    /// Streams that are shorter stand in the mini stream.
    pub(super) cutoff_bytes: u64,
    pub(super) directory_at: u32,
    pub(super) mini_fat_at: u32,
    /// The first sectors of the FAT, and where there are more of their numbers.
    pub(super) fat_sectors: Vec<u32>,
    pub(super) difat_at: u32,
}

const HEADER_BYTES: usize = 512;
const FAT_SECTORS_AT: usize = 76;

impl Header {
    /// `None` if sectors are of a size that no reader takes. Other fields that readers do not mind are not
    /// minded.
    pub(super) fn read(blob: &Blob) -> io::Result<Option<Self>> {
        let bytes = blob.bytes_at(0, HEADER_BYTES)?;
        let (sector_shift, mini_sector_shift) = (u32::from(bytes.u16_le(30)), u32::from(bytes.u16_le(32)));
        let is_possible = (7..=20).contains(&sector_shift) && (3..=sector_shift).contains(&mini_sector_shift);
        let fat_sectors = bytes.get(FAT_SECTORS_AT..).unwrap_or(&[]).chunks_exact(4);
        let header = Self {
            sector_shift,
            mini_sector_shift,
            cutoff_bytes: bytes.u32_le(56).into(),
            directory_at: bytes.u32_le(48),
            mini_fat_at: bytes.u32_le(60),
            fat_sectors: fat_sectors.map(|number| number.u32_le(0)).collect(),
            difat_at: bytes.u32_le(68),
        };
        Ok(is_possible.then_some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_have_a_size_in_reason() {
        let reads = |shift: u8, mini_shift: u8| {
            let mut bytes = vec![0; HEADER_BYTES];
            (bytes[30], bytes[32], bytes[76]) = (shift, mini_shift, 9);
            Header::read(&Blob::from_bytes(bytes)).unwrap().map(|header| header.fat_sectors)
        };
        assert_eq!(reads(9, 6).unwrap(), [[9].as_slice(), &[0; 108]].concat());
        assert!(reads(12, 6).is_some() && reads(7, 7).is_some() && reads(20, 3).is_some());
        assert!(reads(6, 6).is_none() && reads(21, 6).is_none());
        assert!(reads(9, 10).is_none() && reads(9, 2).is_none());
        assert!(Header::read(&Blob::from_bytes(vec![])).unwrap().is_none());
    }
}
