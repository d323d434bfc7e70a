//! Reads numbers at offsets of a record. A number out of range is zero, so that a cut record never equals a
//! whole one.

/// Reads numbers from a record.
pub(crate) trait Fields {
    fn at(&self, offset: usize, n_bytes: usize) -> &[u8];

    fn u8_at(&self, offset: usize) -> u8 {
        self.at(offset, 1).first().copied().unwrap_or(0)
    }

    fn u16_le(&self, offset: usize) -> u16 {
        self.at(offset, 2).try_into().map_or(0, u16::from_le_bytes)
    }

    fn u32_le(&self, offset: usize) -> u32 {
        self.at(offset, 4).try_into().map_or(0, u32::from_le_bytes)
    }

    fn u16_be(&self, offset: usize) -> u16 {
        self.at(offset, 2).try_into().map_or(0, u16::from_be_bytes)
    }

    fn u32_be(&self, offset: usize) -> u32 {
        self.at(offset, 4).try_into().map_or(0, u32::from_be_bytes)
    }

    fn u64_le(&self, offset: usize) -> u64 {
        self.at(offset, 8).try_into().map_or(0, u64::from_le_bytes)
    }
}

impl Fields for [u8] {
    fn at(&self, offset: usize, n_bytes: usize) -> &[u8] {
        offset.checked_add(n_bytes).and_then(|end| self.get(offset..end)).unwrap_or(&[])
    }
}
