//! Finds where frames of lz4 end, and hands what libarchive does not reach: it stops at a frame that is
//! empty, at what is to be skipped, and behind the last frame.
//!
//! (LZ4 Frame Format 1.6.4; the legacy frame has blocks and no end. lz4 1.9 and zstd 1.5 with lz4 continue
//! behind each.)

use std::io;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Damage, Walk, Walked, malformed};

const LZ4: &[u8] = b"\x04\x22\x4d\x18";
const LEGACY: &[u8] = b"\x02\x21\x4c\x18";
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// `LZ4_COMPRESSBOUND` of a block of 8 MiB. What is larger begins another frame.
const LARGEST_LEGACY_BLOCK: u32 = (8 << 20) + (8 << 20) / 255 + 16;

/// What begins at some byte.
enum Frame {
    /// A frame without data, or one to skip.
    Empty { n_bytes: u64 },
    /// One with data; without an end, it reaches to the end of the file.
    Data { n_bytes: u64 },
    /// A block that decodes to nothing: compressors write none, and libarchive takes it for the end.
    EmptyBlock,
}

/// Hands the frames with data joined, if others are among them, and what stands behind the last.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !has_magic(&blob.bytes_at(0, 4)?) {
        return Ok(());
    }
    let frames = Frames::read(blob)?;
    if frames.has_empty {
        let mut writer = walk.new_member()?;
        for piece in frames.with_data {
            walk.fill(&mut writer, &mut piece.reader(), Damage::Refused)?;
        }
        walk.visit_reading(writer.finish(), depth)?;
    }
    walk.reading_of(blob.tail(frames.end), depth).map(drop)
}

/// The frames from a blob's start on.
#[derive(Debug)]
struct Frames {
    with_data: Vec<Blob>,
    has_empty: bool,
    /// Where the last one ends.
    end: u64,
}

impl Frames {
    fn read(blob: &Blob) -> Walked<Self> {
        let mut frames = Self { with_data: vec![], has_empty: false, end: 0 };
        while let Some(frame) = frame(&blob.tail(frames.end))? {
            frames.end += match frame {
                Frame::EmptyBlock => return malformed("lz4: a block that is empty"),
                Frame::Empty { n_bytes } => {
                    frames.has_empty = true;
                    n_bytes
                }
                Frame::Data { n_bytes } => {
                    frames.with_data.push(blob.slice(frames.end, n_bytes));
                    n_bytes
                }
            };
        }
        Ok(frames)
    }
}

/// Returns whether a header of a frame with blocks begins here: its version, reserved bits, and the largest
/// block, or the size of the first block.
pub(crate) fn begins(head: &[u8]) -> bool {
    let (flags, block) = (head.u8_at(4), head.u8_at(5));
    let is_frame = flags & 0xc2 == 0x40 && block & 0x8f == 0 && (4..=7).contains(&(block >> 4));
    let is_legacy = (1..=LARGEST_LEGACY_BLOCK).contains(&head.u32_le(4));
    head.starts_with(LZ4) && is_frame || head.starts_with(LEGACY) && is_legacy
}

fn has_magic(head: &[u8]) -> bool {
    head.starts_with(LZ4) || head.starts_with(LEGACY)
}

/// Returns whether the first frame is empty.
pub(crate) fn begins_empty(blob: &Blob) -> io::Result<bool> {
    let is_lz4 = has_magic(&blob.bytes_at(0, 4)?);
    Ok(is_lz4 && matches!(frame(blob)?, Some(Frame::Empty { .. })))
}

fn frame(blob: &Blob) -> io::Result<Option<Frame>> {
    let head = blob.bytes_at(0, 8)?;
    if head.at(1, 3) == SKIPPABLE && head.u8_at(0) >> 4 == 5 {
        let n_bytes = (8 + u64::from(head.u32_le(4))).min(blob.size_bytes());
        return Ok(Some(Frame::Empty { n_bytes }));
    }
    if head.starts_with(LZ4) {
        let flags = head.u8_at(4);
        let bit = |mask: u8, n_bytes: u64| if flags & mask == 0 { 0 } else { n_bytes };
        let header = 4 + 2 + bit(0x08, 8) + bit(0x01, 4) + 1;
        return blocks(blob, header, bit(0x10, 4), bit(0x04, 4)).map(Some);
    }
    if head.starts_with(LEGACY) {
        return legacy_blocks(blob).map(Some);
    }
    Ok(None)
}

/// Goes from block to block, to the size that is zero.
fn blocks(blob: &Blob, header: u64, block_checksum: u64, content_checksum: u64) -> io::Result<Frame> {
    const IS_RAW: u32 = 1 << 31;
    let mut at = header;
    loop {
        let block = blob.bytes_at(at, 5)?;
        let (word, n_bytes) = (block.u32_le(0), block.u32_le(0) & !IS_RAW);
        if block.len() < 4 {
            return Ok(Frame::Data { n_bytes: blob.size_bytes() });
        }
        if word == 0 {
            let end = (at + 4 + content_checksum).min(blob.size_bytes());
            let is_empty = at == header;
            return Ok(if is_empty { Frame::Empty { n_bytes: end } } else { Frame::Data { n_bytes: end } });
        }
        if n_bytes == 0 || (word & IS_RAW == 0 && decodes_to_nothing(n_bytes, block.u8_at(4))) {
            return Ok(Frame::EmptyBlock);
        }
        at += 4 + u64::from(n_bytes) + block_checksum;
    }
}

fn legacy_blocks(blob: &Blob) -> io::Result<Frame> {
    let mut at = to_u64(LEGACY.len());
    loop {
        let block = blob.bytes_at(at, 5)?;
        let n_bytes = block.u32_le(0);
        if block.len() < 4 || n_bytes > LARGEST_LEGACY_BLOCK {
            let is_empty = at == to_u64(LEGACY.len());
            let end = if block.len() < 4 { blob.size_bytes() } else { at };
            return Ok(if is_empty { Frame::Empty { n_bytes: end } } else { Frame::Data { n_bytes: end } });
        }
        if n_bytes == 0 || decodes_to_nothing(n_bytes, block.u8_at(4)) {
            return Ok(Frame::EmptyBlock);
        }
        at += 4 + u64::from(n_bytes);
    }
}

/// A token that says that there are no literals, and no match behind it.
fn decodes_to_nothing(n_bytes: u32, token: u8) -> bool {
    n_bytes == 1 && token >> 4 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn of_blocks(flags: u8, blocks: &[&[u8]], end: &[u8]) -> Vec<u8> {
        [LZ4, &[flags, 0x70, 0x73], &blocks.concat(), &[0; 4], end].concat()
    }

    /// The frames with data, joined, and what stands behind all frames.
    fn read(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let blob = Blob::from_bytes(bytes.to_vec());
        let frames = Frames::read(&blob).unwrap();
        let joined = frames.with_data.iter().flat_map(|piece| piece.bytes_at(0, 1 << 20).unwrap());
        (joined.collect(), blob.tail(frames.end).bytes_at(0, 1 << 20).unwrap())
    }

    #[test]
    fn empty_frames_are_left_out_and_the_end_is_found() {
        let raw: &[u8] = b"\x04\0\0\x80data";
        let (data, empty) = (of_blocks(0x60, &[raw], b""), of_blocks(0x60, &[], b""));
        let summed = of_blocks(0x74, &[raw, b"sums"], b"sums");
        let sized = [LZ4, b"\x69\x70\x04\0\0\0\0\0\0\0dict\x73", raw, &[0; 4]].concat();
        let skipped = [&b"\x5f\x2a\x4d\x18\x64\0\0\0"[..], &[0; 100]].concat();
        let (legacy, legacy_empty) = ([LEGACY, b"\x05\0\0\0\x40data"].concat(), LEGACY.to_vec());
        for whole in [&data, &summed, &sized, &legacy] {
            assert_eq!(read(whole), (whole.clone(), vec![]));
            assert_eq!(read(&[&whole[..], b"\xff\xff\xff\xff"].concat()).1, b"\xff\xff\xff\xff");
            for none in [&empty, &legacy_empty, &[&empty[..], &skipped].concat()] {
                let file = [&none[..], whole].concat();
                assert_eq!(read(&file), (whole.clone(), vec![]), "{none:?} {whole:?}");
                assert!(begins_empty(&Blob::from_bytes(file)).unwrap());
            }
            let among = [&data[..], &skipped, &empty, &data, whole].concat();
            assert_eq!(read(&among), ([&data[..], &data, whole].concat(), vec![]));
            assert!(!begins_empty(&Blob::from_bytes(among)).unwrap());
        }
        let cut = [&empty[..], &data[..12]].concat();
        assert_eq!(read(&cut), (data[..12].to_vec(), vec![]));
        assert_eq!(read(&[&empty[..], b"LZIP"].concat()), (vec![], b"LZIP".to_vec()));
    }

    #[test]
    fn what_stands_behind_the_last_frame_is_handed() {
        let empty = of_blocks(0x60, &[], b"");
        assert_eq!(handed(walk, &[&empty[..], b"behind"].concat()), [b"behind"]);
        assert_eq!(handed(walk, &empty).len(), 0);
        assert_eq!(handed(walk, b"no frame").len(), 0);
    }

    #[test]
    fn blocks_that_decode_to_nothing_are_refused() {
        for nothing in [&b"\x01\0\0\0\0"[..], b"\x01\0\0\0\x0f", b"\0\0\0\x80"] {
            assert!(is_refused(walk, &of_blocks(0x60, &[nothing], b"")), "{nothing:?}");
            assert!(is_refused(walk, &of_blocks(0x60, &[b"\x04\0\0\x80data", nothing], b"")));
        }
        assert!(is_refused(walk, &[LEGACY, b"\x01\0\0\0\0"].concat()));
        assert!(!is_refused(walk, &of_blocks(0x60, &[b"\x02\0\0\0\x10a"], b"")));
        assert!(!is_refused(walk, &of_blocks(0x60, &[b"\x01\0\0\x80a"], b"")));
    }
}
