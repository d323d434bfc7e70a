//! Reads an entry of a compound file's directory ([MS-CFB] 2.6.1).

use crate::fields::Fields as _;

pub(super) const ENTRY_BYTES: u64 = 128;

const UNUSED: u8 = 0;
const STORAGE: u8 = 1;
const STREAM: u8 = 2;
const ROOT: u8 = 5;

pub(crate) struct Entry {
    /// As readers have it that go by the length of the name, or by its terminating zero.
    pub(super) names: [String; 2],
    kind: u8,
    pub(super) starts_at: u32,
    pub(super) size_bytes: u64,
}

impl Entry {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        const MAX_NAME_BYTES: usize = 64;
        let units =
            bytes.at(0, MAX_NAME_BYTES).chunks_exact(2).map(|unit| unit.u16_le(0)).collect::<Vec<_>>();
        let n_by_length = (usize::from(bytes.u16_le(MAX_NAME_BYTES)) / 2).saturating_sub(1).min(units.len());
        let n_by_zero = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
        Self {
            names: [n_by_length, n_by_zero].map(|n_units| String::from_utf16_lossy(&units[..n_units])),
            kind: bytes.u8_at(66),
            starts_at: bytes.u32_le(116),
            size_bytes: bytes.u64_le(120),
        }
    }

    /// Returns whether there may be data to it: some readers take every kind that they do not know for a
    /// stream.
    pub(super) fn is_stream(&self) -> bool {
        !matches!(self.kind, UNUSED | STORAGE | ROOT)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Returns whether a reader knows it by that name, in whatever case.
    pub(crate) fn is_named(&self, name: &str) -> bool {
        self.names().any(|known| known.eq_ignore_ascii_case(name))
    }

    pub(super) fn is_known_kind(&self) -> bool {
        self.kind == STREAM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, n_name_bytes: u8, kind: u8) -> Entry {
        let mut bytes = name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        bytes.resize(128, 0);
        (bytes[64], bytes[66], bytes[116], bytes[120], bytes[127]) = (n_name_bytes, kind, 7, 9, 1);
        Entry::parse(&bytes)
    }

    #[test]
    fn a_name_ends_by_its_length_or_by_a_zero() {
        assert_eq!(entry("Book", 10, 2).names, ["Book", "Book"]);
        assert_eq!(entry("Book\0s", 14, 2).names, ["Book\0s", "Book"]);
        assert_eq!(entry("Book", 6, 2).names, ["Bo", "Book"]);
        assert!(entry("Book", 6, 2).is_named("BOOK") && entry("Book", 6, 2).is_named("bo"));
        assert!(!entry("Book", 10, 2).is_named("Workbook"));
        assert_eq!(entry("Book", 0, 2).names, ["", "Book"]);
        assert_eq!(entry(&"x".repeat(32), 255, 2).names, ["x".repeat(32), "x".repeat(32)]);
    }

    #[test]
    fn what_is_no_storage_may_have_data() {
        for (kind, is_stream, is_known) in
            [(0, false, false), (1, false, false), (2, true, true), (3, true, false), (5, false, false)]
        {
            let entry = entry("e", 4, kind);
            assert_eq!((entry.is_stream(), entry.is_known_kind()), (is_stream, is_known), "{kind}");
            assert_eq!((entry.starts_at, entry.size_bytes), (7, 9 | 1 << 56));
        }
    }
}
