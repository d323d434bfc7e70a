//! Unpacks NuFX, ShrinkIt's format on the Apple II, which NuLib2 opens: records of a header, a list of
//! threads, and their data ("NuFX Archive Format", Apple II File Type Note $E0/8002).

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, refuse};

const MASTER: &[u8] = b"\x4e\xf5\x46\xe9\x6c\xe5";
const RECORD: &[u8] = b"\x4e\xf5\x46\xd8";
const MASTER_BYTES: u64 = 48;
const THREAD_BYTES: usize = 16;
/// Binary II has a header of one block in front.
const BINARY_II: &[u8] = b"\nGL";
const BINARY_II_BYTES: u64 = 128;

/// Hands the data of every thread, and refuses what is packed.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let is_wrapped = blob.bytes_at(0, BINARY_II.len())? == BINARY_II;
    let archive = blob.tail(if is_wrapped { BINARY_II_BYTES } else { 0 });
    let master = archive.bytes_at(0, 12)?;
    if !master.starts_with(MASTER) {
        return Ok(());
    }
    let mut at = MASTER_BYTES;
    for _ in 0..master.u32_le(8) {
        at = walk_record(walk, &archive, at, depth)?;
    }
    Ok(())
}

/// Returns where the next record begins.
fn walk_record(walk: &mut Walk<'_>, archive: &Blob, at: u64, depth: u32) -> Walked<u64> {
    const MOST_THREADS: u32 = 1000;
    let header = archive.bytes_at(at, 16)?;
    let (n_attributes, n_threads) = (u64::from(header.u16_le(6)), header.u32_le(10));
    if !header.starts_with(RECORD) || n_threads > MOST_THREADS || n_attributes < 16 {
        return refuse(Unscannable::UnsupportedContainer, "a record of NuFX that is none");
    }
    let n_name = archive.bytes_at(at + n_attributes - 2, 2)?.u16_le(0);
    let threads_at = at + n_attributes + u64::from(n_name);
    let threads = archive.bytes_at(threads_at, THREAD_BYTES * usize::try_from(n_threads).unwrap_or(0))?;
    let mut data_at = threads_at + to_u64(threads.len());
    let mut is_packed = false;
    for thread in threads.chunks(THREAD_BYTES) {
        let data = archive.slice(data_at, thread.u32_le(12).into());
        data_at += u64::from(thread.u32_le(12));
        is_packed |= thread.u16_le(2) != 0;
        // Room can be left behind the data, as behind a name.
        walk.reading_of(data.slice(0, thread.u32_le(8).into()), depth)?;
        walk.reading_of(data, depth)?;
    }
    if is_packed {
        return refuse(Unscannable::UnsupportedContainer, "a packed member of NuFX");
    }
    Ok(data_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn record(packing: u8, data: &[u8], n_room: u8) -> Vec<u8> {
        let n_data = u8::try_from(data.len()).unwrap();
        let mut header = [RECORD, &[0, 0, 20, 0, 3, 0, 1, 0, 0, 0]].concat();
        header.resize(18, 0);
        let thread = [2, 0, packing, 0, 0, 0, 0, 0, n_data, 0, 0, 0, n_data + n_room, 0, 0, 0];
        [&header[..], &[1, 0, b'n'], &thread, data, &vec![0; n_room.into()]].concat()
    }

    fn archive(records: &[Vec<u8>]) -> Vec<u8> {
        let mut master = [MASTER, &[0, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0]].concat();
        master.resize(48, 0);
        [master, records.concat()].concat()
    }

    #[test]
    fn threads_are_handed_and_packed_ones_refused() {
        let plain = archive(&[record(0, b"one", 0), record(0, b"two", 2)]);
        let expected = [b"one".to_vec(), b"two".to_vec(), b"two\0\0".to_vec()];
        assert_eq!(handed(walk, &plain), expected);
        let wrapped = [BINARY_II, &[0; 125], &plain].concat();
        assert_eq!(handed(walk, &wrapped), expected);
        assert!(is_refused(walk, &archive(&[record(0, b"one", 0), record(2, b"two", 0)])));
        let cut = &plain[..60];
        assert!(is_refused(walk, cut), "a record is missing");
        assert!(handed(walk, &plain[1..]).is_empty());
    }
}
