//! Unpacks the archives of NScripter, `arc.sar` and `arc.nsa`, which The Unarchiver opens by their names
//! (XADMaster, `XADNScripterParser`): the number of members, where their data begins, and an entry for each.

use domain::verdict::Unscannable;

use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Walk, Walked, refuse};

const HEADER_BYTES: usize = 6;
/// As much of a directory as is read.
const MOST_BYTES: usize = 1 << 20;

struct Member {
    is_packed: bool,
    start: u64,
    n_bytes: u64,
}

/// Hands every member of a directory that ends before the data and names nothing behind the end.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let start = blob.bytes_at(0, HEADER_BYTES + 16)?;
    let data_at = start.u32_be(2);
    let may_be_one = start.u16_be(0) > 0
        && u64::from(data_at) <= blob.size_bytes()
        && usize::try_from(data_at).is_ok_and(|at| (HEADER_BYTES..MOST_BYTES).contains(&at))
        && start.u8_at(HEADER_BYTES) > b' ';
    if !may_be_one {
        return Ok(());
    }
    let directory = blob.bytes_at(0, usize::try_from(data_at).unwrap_or(0))?;
    for has_kind in [false, true] {
        let Some(members) = members(&directory, has_kind, blob.size_bytes()) else { continue };
        for member in &members {
            walk.reading_of(blob.slice(member.start, member.n_bytes), depth)?;
        }
        if members.iter().any(|member| member.is_packed) {
            return refuse(Unscannable::UnsupportedContainer, "a packed member of NScripter");
        }
    }
    Ok(())
}

/// Entries have a name that ends with a zero, where the data is, and how long; in `arc.nsa` also how it is
/// packed, and how long it is then.
fn members(directory: &[u8], has_kind: bool, size_bytes: u64) -> Option<Vec<Member>> {
    let data_at = u64::from(directory.u32_be(2));
    let (mut rest, mut members) = (&directory[HEADER_BYTES..], vec![]);
    for _ in 0..directory.u16_be(0) {
        let n_name = memchr::memchr(0, rest).filter(|n_name| (1..=255).contains(n_name))?;
        let is_name = rest[..n_name].iter().all(|byte| *byte > b' ');
        let entry = &rest[n_name + 1..];
        let (kind, at) = if has_kind { (entry.u8_at(0), 1) } else { (0, 0) };
        let n_entry = at + if has_kind { 12 } else { 8 };
        let (start, n_bytes) = (data_at + u64::from(entry.u32_be(at)), entry.u32_be(at + 4).into());
        if !is_name || kind > 8 || entry.len() < n_entry || start + n_bytes > size_bytes {
            return None;
        }
        members.push(Member { is_packed: kind != 0, start, n_bytes });
        rest = &entry[n_entry..];
    }
    Some(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn archive(entries: &[&[u8]], data: &[u8]) -> Vec<u8> {
        let directory = entries.concat();
        let data_at = u32::try_from(HEADER_BYTES + directory.len()).unwrap().to_be_bytes();
        let n_members = u16::try_from(entries.len()).unwrap().to_be_bytes();
        [&n_members[..], &data_at, &directory, data].concat()
    }

    #[test]
    fn members_are_handed() {
        let sar = archive(&[b"a\0\0\0\0\0\0\0\0\x02", b"b.c\0\0\0\0\x01\0\0\0\x03"], b"1234");
        assert_eq!(handed(walk, &sar), [b"12".to_vec(), b"234".to_vec()]);
        let nsa = archive(&[b"a\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04"], b"1234");
        assert_eq!(handed(walk, &nsa), [b"1234"]);
        for (at, byte) in [(6, b' '), (7, b'x'), (11, 9), (15, 9), (0, 1)] {
            let mut other = sar.clone();
            other[at] = byte;
            assert!(handed(walk, &other).is_empty(), "{at} {byte}");
        }
    }

    #[test]
    fn packed_members_are_refused() {
        let nsa = archive(&[b"a\0\x02\0\0\0\0\0\0\0\x04\0\0\0\x08"], b"1234");
        assert!(is_refused(walk, &nsa));
    }
}
