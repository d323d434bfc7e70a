//! Walks cabinets: folders of data blocks, and files that lie in them ([MS-CAB]).

use std::io::{self, Read};

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::capability::Method;
use crate::fields::Fields as _;
use crate::format::cabinet_size;
use crate::mszip;
use crate::walk::{Reach, Walk, Walked, malformed, refuse};

const HEADER_BYTES: u64 = 36;
const HAS_NEIGHBOURS: u16 = 0x0003;
const HAS_RESERVES: u16 = 0x0004;

struct Header {
    n_folders: u16,
    n_files: u16,
    files_at: u64,
    folders_at: u64,
    folder_reserve: u64,
    data_reserve: u64,
}

struct Folder {
    data_at: u64,
    n_blocks: u16,
    method: u16,
}

struct Member {
    folder: u16,
    offset: u64,
    size_bytes: u64,
}

/// Walks a cabinet that reaches to the blob's end; a signature may stand behind it.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32, reach: Reach) -> Walked {
    walk.require(Method::Cabinet)?;
    let header = read_header(blob)?;
    let (folders, mut members) = (read_folders(blob, &header)?, read_members(blob, &header)?);
    let declared = members.iter().fold(0u64, |sum, member| sum.saturating_add(member.size_bytes));
    walk.expect(to_u64(members.len()), declared)?;
    members.sort_by_key(|member| (member.folder, member.offset));
    let mut members = members.into_iter().peekable();
    for (index, folder) in folders.iter().enumerate() {
        let mut source = FolderReader::open(blob.clone(), folder, header.data_reserve)?;
        let mut at = 0;
        while let Some(member) = members.next_if(|member| usize::from(member.folder) == index) {
            if member.offset != at {
                return malformed("cab: members that overlap, or bytes between them");
            }
            walk.expect_member(member.size_bytes)?;
            let mut file = (&mut source).take(member.size_bytes);
            walk.member(&mut file, depth, reach)?;
            if file.limit() != 0 {
                return malformed("cab: a member behind the end of its folder");
            }
            at += member.size_bytes;
        }
        if !source.is_at_end() {
            return malformed("cab: data that belongs to no member");
        }
        source.packed.iter().for_each(|packed| walk.account(packed));
    }
    if members.next().is_some() { malformed("cab: a member in no folder") } else { Ok(()) }
}

fn read_header(blob: &Blob) -> Walked<Header> {
    let bytes = blob.bytes_at(0, 64)?;
    let flags = bytes.u16_le(30);
    if flags & HAS_NEIGHBOURS != 0 {
        return malformed("cab: one part of several");
    }
    let reserves = flags & HAS_RESERVES != 0;
    let (header_reserve, folder_reserve, data_reserve) =
        if reserves { (bytes.u16_le(36), bytes.u8_at(38), bytes.u8_at(39)) } else { (0, 0, 0) };
    // Authenticode: the reserve says where the signature stands, behind the cabinet.
    let signature_bytes = if header_reserve == 20 && u64::from(bytes.u32_le(44)) == u64::from(bytes.u32_le(8))
    {
        u64::from(bytes.u32_le(48))
    } else {
        0
    };
    let size = cabinet_size(&bytes).filter(|_| has_usual_header(&bytes));
    let Some(size) = size.and_then(|size| size.checked_add(signature_bytes)) else {
        return malformed("cab: a header that is none");
    };
    if !(size..size.saturating_add(8)).contains(&blob.size_bytes()) {
        return malformed("cab: cut, or data behind its end");
    }
    Ok(Header {
        n_folders: bytes.u16_le(26),
        n_files: bytes.u16_le(28),
        files_at: bytes.u32_le(16).into(),
        folders_at: HEADER_BYTES + if reserves { 4 + u64::from(header_reserve) } else { 0 },
        folder_reserve: folder_reserve.into(),
        data_reserve: data_reserve.into(),
    })
}

/// Zeros where readers disagree on whether anything else may stand there, and the one version that there is.
fn has_usual_header(bytes: &[u8]) -> bool {
    let is_reserved = |at| bytes.u32_le(at) != 0;
    !is_reserved(4) && !is_reserved(20) && bytes.at(24, 2) == [3, 1]
}

fn read_folders(blob: &Blob, header: &Header) -> Walked<Vec<Folder>> {
    let each = 8 + header.folder_reserve;
    let mut folders = Vec::new();
    for index in 0..u64::from(header.n_folders) {
        let bytes = blob.bytes_at(header.folders_at + index * each, 8)?;
        folders.push(Folder {
            data_at: bytes.u32_le(0).into(),
            n_blocks: bytes.u16_le(4),
            method: bytes.u16_le(6),
        });
    }
    if header.folders_at + u64::from(header.n_folders) * each != header.files_at {
        return malformed("cab: bytes between folders and files");
    }
    Ok(folders)
}

fn read_members(blob: &Blob, header: &Header) -> Walked<Vec<Member>> {
    const RECORD: u64 = 16;
    const MAX_NAME: usize = 257;
    let (mut members, mut at) = (Vec::new(), header.files_at);
    for _ in 0..header.n_files {
        let bytes = blob.bytes_at(at, to_usize(RECORD) + MAX_NAME)?;
        let name = bytes.get(to_usize(RECORD)..).unwrap_or(&[]);
        let Some(n_name) = name.iter().position(|byte| *byte == 0) else {
            return malformed("cab: a file without a name");
        };
        members.push(Member {
            size_bytes: bytes.u32_le(0).into(),
            offset: bytes.u32_le(4).into(),
            folder: bytes.u16_le(8),
        });
        at += RECORD + to_u64(n_name) + 1;
    }
    Ok(members)
}

/// Unpacks a folder, block after block, each with its checksum.
struct FolderReader {
    blob: Blob,
    at: u64,
    n_blocks_left: u16,
    data_reserve: u64,
    method: Decompressor,
    /// The data of the blocks so far.
    packed: Vec<Blob>,
    ready: Vec<u8>,
    n_taken: usize,
}

enum Decompressor {
    None,
    MsZip(mszip::Decoder),
    Lzx(Box<lzxd::Lzxd>),
}

impl FolderReader {
    fn open(blob: Blob, folder: &Folder, data_reserve: u64) -> Walked<Self> {
        let method = match (folder.method & 0x000f, folder.method >> 8) {
            (0, _) => Decompressor::None,
            (1, _) => Decompressor::MsZip(mszip::Decoder::default()),
            (3, window) => Decompressor::Lzx(Box::new(lzxd::Lzxd::new(lzx_window(window)?))),
            _ => return refuse(Unscannable::UnsupportedContainer, "cab: a method that is not unpacked"),
        };
        let (at, n_blocks_left) = (folder.data_at, folder.n_blocks);
        let (packed, ready) = (Vec::new(), Vec::new());
        Ok(Self { blob, at, n_blocks_left, data_reserve, method, packed, ready, n_taken: 0 })
    }

    fn is_at_end(&self) -> bool {
        self.n_blocks_left == 0 && self.n_taken == self.ready.len()
    }

    fn next_block(&mut self) -> io::Result<()> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        let record = to_usize(8 + self.data_reserve);
        let header = self.blob.bytes_at(self.at, record)?;
        let (n_packed, n_bytes) = (usize::from(header.u16_le(4)), usize::from(header.u16_le(6)));
        let packed = self.blob.bytes_at(self.at + to_u64(record), n_packed)?;
        let stored = header.u32_le(0);
        let is_whole = header.len() == record
            && packed.len() == n_packed
            && (stored == 0 || stored == checksum(checksum(0, &packed), &header[4..]));
        if !is_whole {
            return Err(damaged());
        }
        self.ready = match &mut self.method {
            Decompressor::None => packed,
            Decompressor::MsZip(decoder) => decoder.unpack(&packed, n_bytes)?.to_vec(),
            Decompressor::Lzx(decoder) => {
                decoder.decompress_next(&packed, n_bytes).map_err(|_| damaged())?.to_vec()
            }
        };
        if self.ready.len() != n_bytes {
            return Err(damaged());
        }
        self.packed.push(self.blob.slice(self.at + to_u64(record), to_u64(n_packed)));
        self.n_taken = 0;
        self.n_blocks_left -= 1;
        self.at += to_u64(record + n_packed);
        Ok(())
    }
}

impl Read for FolderReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.n_taken == self.ready.len() && self.n_blocks_left > 0 {
            self.next_block()?;
        }
        let n_bytes = (&self.ready[self.n_taken..]).read(buffer)?;
        self.n_taken += n_bytes;
        Ok(n_bytes)
    }
}

fn lzx_window(exponent: u16) -> Walked<lzxd::WindowSize> {
    use lzxd::WindowSize as W;
    Ok(match exponent {
        15 => W::KB32,
        16 => W::KB64,
        17 => W::KB128,
        18 => W::KB256,
        19 => W::KB512,
        20 => W::MB1,
        21 => W::MB2,
        _ => return malformed("cab: a window of an unknown size"),
    })
}

/// [MS-CAB] 2.6: 32-bit words, little endian, exclusive or; what is left over is taken from its last byte
/// backwards.
fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(4);
    let rest = words.remainder().iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
    words.fold(seed, |sum, word| sum ^ word.u32_le(0)) ^ rest
}
