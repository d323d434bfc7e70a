//! Unwraps MacBinary I, II and III: a header of 128 bytes, the data fork, the resource fork, each padded to
//! 128 bytes.

use std::io;

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked};

const BLOCK: u64 = 128;
const DATA_SIZE_AT: usize = 83;
const RESOURCE_SIZE_AT: usize = 87;
const SECONDARY_HEADER_AT: usize = 120;
const CRC_AT: usize = 124;

/// Hands the forks of one file after another: macunpack continues behind the first, and over blocks of zeros.
/// It asks for no more than a zero byte and forks within the file; unar asks for the checksum of MacBinary
/// II, and is content with a fork that is cut.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = 0;
    while let Some(header) = next_header(blob, &mut at)? {
        let size = |field: usize| u64::from(header.u32_be(field));
        let (data_bytes, resource_bytes) = (size(DATA_SIZE_AT), size(RESOURCE_SIZE_AT));
        let secondary_bytes = u64::from(header.u16_be(SECONDARY_HEADER_AT)).next_multiple_of(BLOCK);
        let resource_at = data_bytes.next_multiple_of(BLOCK);
        let n_bytes = BLOCK + resource_at + resource_bytes.next_multiple_of(BLOCK);
        // The padding of the last fork may be missing.
        let fits = BLOCK + resource_at + resource_bytes <= blob.size_bytes() - at;
        if !fits && crc16(header.at(0, CRC_AT)) != header.u16_be(CRC_AT) {
            return Ok(());
        }
        // Only some readers know the secondary header.
        for forks_at in [BLOCK, BLOCK + secondary_bytes] {
            let forks = blob.tail(at + forks_at);
            walk.reading_of(forks.slice(0, data_bytes), depth)?;
            walk.reading_of(forks.slice(resource_at, resource_bytes), depth)?;
        }
        at += n_bytes;
    }
    Ok(())
}

/// The next header that is not all zeros, if one can stand there.
fn next_header(blob: &Blob, at: &mut u64) -> io::Result<Option<Vec<u8>>> {
    const WINDOW: usize = 64 * 1024;
    while *at < blob.size_bytes() {
        let window = blob.bytes_at(*at, WINDOW)?;
        for block in window.chunks(to_usize(BLOCK)) {
            if block.len() < to_usize(BLOCK) || block.u8_at(0) != 0 {
                return Ok(None);
            }
            if block.iter().any(|byte| *byte != 0) {
                return Ok(Some(block.to_vec()));
            }
            *at += BLOCK;
        }
    }
    Ok(None)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    fn mac_binary(data: &[u8], resource: &[u8], secondary_bytes: u16) -> Vec<u8> {
        let mut header = vec![0; 128];
        header[1..7].copy_from_slice(b"\x05e.com");
        header[83..87].copy_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        header[87..91].copy_from_slice(&u32::try_from(resource.len()).unwrap().to_be_bytes());
        header[120..122].copy_from_slice(&secondary_bytes.to_be_bytes());
        header.resize(128 + usize::from(secondary_bytes).next_multiple_of(128), 0);
        header.extend(data);
        header.resize(header.len().next_multiple_of(128), 0);
        [&header, resource].concat()
    }

    fn with_crc(mut file: Vec<u8>) -> Vec<u8> {
        let crc = crc16(&file[..124]);
        file[124..126].copy_from_slice(&crc.to_be_bytes());
        file
    }

    #[test]
    fn both_forks_are_handed() {
        let file = mac_binary(b"data", b"resource", 0);
        assert_eq!(handed(walk, &file), [&b"data"[..], b"resource"]);
        let mut other = file;
        other[0] = 1;
        assert_eq!(handed(walk, &other).len(), 0);
    }

    #[test]
    fn files_follow_each_other() {
        let mut first = mac_binary(b"first", b"", 0);
        first.extend([0; 256]);
        first.extend(mac_binary(b"second", b"", 0));
        assert_eq!(handed(walk, &first), [&b"first"[..], b"second"]);
    }

    #[test]
    fn the_secondary_header_is_read_over() {
        assert!(handed(walk, &mac_binary(b"data", b"", 100)).contains(&b"data".to_vec()));
    }

    #[test]
    fn a_fork_may_be_cut_where_a_checksum_vouches_for_the_header() {
        let mut file = mac_binary(&[b'd'; 300], b"", 0);
        file.truncate(128 + 100);
        assert_eq!(handed(walk, &file).len(), 0);
        assert_eq!(handed(walk, &with_crc(file)), [vec![b'd'; 100]]);
    }
}
