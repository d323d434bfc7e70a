//! Finds where zstd frames and skippable frames end (RFC 8878), and hands what stands behind them.
//!
//! zstd(1) continues behind them with every format that it unpacks: gzip, xz, lz4.

use std::io;

use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
const SKIPPABLE: &[u8] = b"\x2a\x4d\x18";

/// Hands what stands behind the last frame.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 0;
    while let Some(n_bytes) = frame_bytes(&blob.tail(at))? {
        at += n_bytes;
    }
    if at > 0 {
        walk.reading_of(blob.tail(at), depth)?;
    }
    Ok(())
}

/// The size of the frame that begins here; `None` where none does, or where it is not whole.
pub(crate) fn frame_bytes(blob: &Blob) -> io::Result<Option<u64>> {
    const LONGEST_HEADER: usize = 18;
    let header = blob.bytes_at(0, LONGEST_HEADER)?;
    let end = if header.at(1, 3) == SKIPPABLE && header.u8_at(0) >> 4 == 5 {
        8 + u64::from(header.u32_le(4))
    } else if header.starts_with(ZSTD) {
        let Some(end) = end_of_blocks(blob, header_bytes(header.u8_at(4)))? else { return Ok(None) };
        let has_checksum = header.u8_at(4) & 0x04 != 0;
        end + if has_checksum { 4 } else { 0 }
    } else {
        return Ok(None);
    };
    Ok((end <= blob.size_bytes()).then_some(end))
}

/// The magic, the descriptor, the window, the dictionary and the content's size.
fn header_bytes(descriptor: u8) -> u64 {
    let is_single_segment = descriptor & 0x20 != 0;
    let window_bytes = u64::from(!is_single_segment);
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = match descriptor >> 6 {
        0 => u64::from(is_single_segment),
        n => 1 << n,
    };
    4 + 1 + window_bytes + dictionary_bytes + size_bytes
}

fn end_of_blocks(blob: &Blob, mut at: u64) -> io::Result<Option<u64>> {
    const RUN: u32 = 1;
    const RESERVED: u32 = 3;
    loop {
        let block = blob.bytes_at(at, 3)?;
        if block.len() < 3 {
            return Ok(None);
        }
        let header = u32::from(block.u16_le(0)) | u32::from(block.u8_at(2)) << 16;
        at += 3 + match header >> 1 & 3 {
            RUN => 1,
            RESERVED => return Ok(None),
            _ => u64::from(header >> 3),
        };
        if header & 1 == 1 {
            return Ok(Some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    #[test]
    fn what_follows_frames_is_handed() {
        let skippable: &[u8] = b"\x53\x2a\x4d\x18\x02\0\0\0ab";
        // One raw block of two bytes, behind a window, with a checksum.
        let frame: &[u8] = b"\x28\xb5\x2f\xfd\x04\x58\x11\0\0ab\0\0\0\0";
        // A run, and the last block, which is empty, behind the content's size.
        let single: &[u8] = b"\x28\xb5\x2f\xfd\x20\x02\x12\0\0a\x01\0\0";
        for frames in [skippable, frame, single, &[skippable, frame, single, skippable].concat()] {
            assert_eq!(handed(walk, &[frames, b"behind"].concat()), [b"behind"], "{frames:?}");
            assert_eq!(handed(walk, frames).len(), 0);
        }
        for cut in [skippable, frame, single].map(|frame| &frame[..frame.len() - 1]) {
            assert_eq!(handed(walk, cut).len(), 0);
        }
        assert_eq!(handed(walk, b"no frame").len(), 0);
    }
}
