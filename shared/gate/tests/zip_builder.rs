//! Builds zips field by field, including those that no tool would write.

use std::io::Write as _;

use flate2::{Compression, Crc, write::DeflateEncoder};

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(vec![], Compression::best());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// One member, as its two headers describe it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: &'static str,
    pub(crate) data: Vec<u8>,
    pub(crate) packed: Vec<u8>,
    pub(crate) method: u16,
    pub(crate) local_flags: u16,
    pub(crate) listed_flags: u16,
    /// Sizes and CRC behind the data instead of before it.
    pub(crate) descriptor: Vec<u8>,
    pub(crate) is_size_before: bool,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    /// In the directory, the sizes stand in an extra field.
    pub(crate) is_listed_zip64: bool,
}

impl Member {
    pub(crate) fn stored(name: &'static str, data: &[u8]) -> Self {
        Self {
            name,
            data: data.to_vec(),
            packed: data.to_vec(),
            method: 0,
            local_flags: 0,
            listed_flags: 0,
            descriptor: vec![],
            is_size_before: true,
            local_extra: vec![],
            comment: vec![],
            is_listed_zip64: false,
        }
    }

    pub(crate) fn deflated(name: &'static str, data: &[u8]) -> Self {
        Self { packed: deflate(data), method: 8, ..Self::stored(name, data) }
    }

    /// With a descriptor whose sizes have this many bytes each.
    pub(crate) fn streamed(mut self, n_size: usize) -> Self {
        self.local_flags |= 8;
        self.listed_flags |= 8;
        self.is_size_before = false;
        self.descriptor = [&b"PK\x07\x08"[..], &crc32(&self.data).to_le_bytes()].concat();
        for n_bytes in [self.packed.len(), self.data.len()] {
            self.descriptor.extend_from_slice(&(n_bytes as u64).to_le_bytes()[..n_size]);
        }
        self
    }

    pub(crate) fn fields(&self, is_known: bool) -> Vec<u8> {
        let known = |value: usize| if is_known { u32::try_from(value).unwrap() } else { 0 };
        let crc = if is_known { crc32(&self.data) } else { 0 };
        [crc, known(self.packed.len()), known(self.data.len())]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect()
    }

    pub(crate) fn local(&self) -> Vec<u8> {
        let lengths =
            [u16::try_from(self.name.len()).unwrap(), u16::try_from(self.local_extra.len()).unwrap()];
        let mut bytes = b"PK\x03\x04\x14\0".to_vec();
        bytes.extend([self.local_flags, self.method, 0, 0].into_iter().flat_map(u16::to_le_bytes));
        bytes.extend(self.fields(self.is_size_before));
        bytes.extend(lengths.into_iter().flat_map(u16::to_le_bytes));
        [bytes, self.name.into(), self.local_extra.clone(), self.packed.clone(), self.descriptor.clone()]
            .concat()
    }

    pub(crate) fn listed(&self, offset: usize) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02\x14\0\x14\0".to_vec();
        bytes.extend([self.listed_flags, self.method, 0, 0].into_iter().flat_map(u16::to_le_bytes));
        bytes.extend(self.fields(true));
        let mut extra = vec![];
        if self.is_listed_zip64 {
            let end = bytes.len();
            bytes[end - 8..].fill(0xff);
            extra.extend([1, 0, 16, 0]);
            extra.extend(
                [self.data.len(), self.packed.len()].into_iter().flat_map(|size| (size as u64).to_le_bytes()),
            );
        }
        let [name, n_extra, comment] =
            [self.name.len(), extra.len(), self.comment.len()].map(|length| u16::try_from(length).unwrap());
        let lengths = [name, n_extra, comment, 0, 0, 0, 0];
        bytes.extend(lengths.into_iter().flat_map(u16::to_le_bytes));
        bytes.extend(u32::try_from(offset).unwrap().to_le_bytes());
        [bytes, self.name.into(), extra, self.comment.clone()].concat()
    }
}

/// The members with the gaps behind them, the directory, and the end record.
pub(crate) struct Archive {
    pub(crate) body: Vec<u8>,
    pub(crate) directory: Vec<u8>,
    pub(crate) n_members: u16,
}

impl Archive {
    pub(crate) fn of(members: &[Member], gap: &[u8]) -> Self {
        let (mut body, mut directory) = (vec![], vec![]);
        for member in members {
            directory.extend(member.listed(body.len()));
            body.extend(member.local());
            body.extend(gap);
        }
        Self { body, directory, n_members: u16::try_from(members.len()).unwrap() }
    }

    pub(crate) fn end(n_members: u16, size: u32, offset: u32) -> Vec<u8> {
        let counts = [0, 0, n_members, n_members].into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let place = [size, offset].into_iter().flat_map(u32::to_le_bytes).collect();
        [b"PK\x05\x06".to_vec(), counts, place, vec![0, 0]].concat()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (size, offset) =
            (u32::try_from(self.directory.len()).unwrap(), u32::try_from(self.body.len()).unwrap());
        [self.body.clone(), self.directory.clone(), Self::end(self.n_members, size, offset)].concat()
    }
}
