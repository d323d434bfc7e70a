//! Finds where a cpio ends, and hands what stands behind it.
//!
//! Linux reads several archives one behind another, each compressed in its own way, as its first file system,
//! and unmkinitramfs(8) of Debian does so as well; openers stop at the end of the first.

use std::io;

use crate::blob::{Blob, to_usize};
use crate::fields::Fields as _;
use crate::stream::skip_zeros;
use crate::walk::{Walk, Walked};

const TRAILER: &[u8] = b"TRAILER!!!\0";
/// The longest path of Linux.
const MAX_NAME: u64 = 4096;

/// Hands what stands behind the first archive and the zeros that fill its last block.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let Some(end) = end(blob)? else { return Ok(()) };
    let mut reader = blob.tail(end).reader();
    skip_zeros(&mut reader)?;
    walk.reading_of(blob.tail(end + reader.position()), depth).map(drop)
}

/// Where the last member ends, which is named so.
fn end(blob: &Blob) -> io::Result<Option<u64>> {
    let mut at = 0;
    while let Some(member) = Member::read(&blob.bytes_at(at, 110)?) {
        let is_last = blob.bytes_at(at + member.n_header, TRAILER.len())? == TRAILER;
        let unit = member.unit;
        let data_at = (at + member.n_header + member.n_name).next_multiple_of(unit);
        at = (data_at + member.n_data).next_multiple_of(unit);
        if is_last {
            return Ok(Some(at.min(blob.size_bytes())));
        }
    }
    Ok(None)
}

struct Member {
    n_header: u64,
    n_name: u64,
    n_data: u64,
    /// What a name and data are filled up to.
    unit: u64,
}

impl Member {
    /// The three forms (cpio(5) of FreeBSD 13): of digits in base 16 or 8, and of words in either order.
    fn read(head: &[u8]) -> Option<Self> {
        let number = |at: usize, n_digits: usize, radix: u32| {
            u64::from_str_radix(std::str::from_utf8(head.at(at, n_digits)).ok()?, radix).ok()
        };
        let member = match head {
            [b'0', b'7', b'0', b'7', b'0', b'1' | b'2', ..] => {
                Self { n_header: 110, n_name: number(94, 8, 16)?, n_data: number(54, 8, 16)?, unit: 4 }
            }
            [b'0', b'7', b'0', b'7', b'0', b'7', ..] => {
                Self { n_header: 76, n_name: number(59, 6, 8)?, n_data: number(65, 11, 8)?, unit: 1 }
            }
            [0xc7, 0x71, ..] => Self::of_words(|at| u64::from(head.u16_le(at))),
            [0x71, 0xc7, ..] => Self::of_words(|at| u64::from(head.u16_be(at))),
            _ => return None,
        };
        let is_whole = head.len() >= to_usize(member.n_header);
        (is_whole && (1..=MAX_NAME).contains(&member.n_name)).then_some(member)
    }

    fn of_words(word: impl Fn(usize) -> u64) -> Self {
        Self { n_header: 26, n_name: word(20), n_data: word(22) << 16 | word(24), unit: 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    fn newc(name: &str, data: &str) -> String {
        let header = format!(
            "070701{}{:08x}{}{:08x}{:08}",
            "0".repeat(48),
            data.len(),
            "0".repeat(32),
            name.len() + 1,
            0
        );
        let filled = |text: String| format!("{text:\0<width$}", width = text.len().next_multiple_of(4));
        filled(format!("{header}{name}\0")) + &filled(data.to_owned())
    }

    fn odc(name: &str, data: &str) -> String {
        format!("070707{}{:06o}{:011o}{name}\0{data}", "0".repeat(53), name.len() + 1, data.len())
    }

    fn words(name: &str, data: &str, word: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let size = |text: &str| word(u16::try_from(text.len()).unwrap());
        let n_name = word(u16::try_from(name.len() + 1).unwrap());
        let mut member =
            [&word(0o70_707)[..], &[0; 18], &n_name, &[0; 2], &size(data), name.as_bytes(), b"\0"].concat();
        member.resize(member.len().next_multiple_of(2), 0);
        member.extend(data.as_bytes());
        member.resize(member.len().next_multiple_of(2), 0);
        member
    }

    #[test]
    fn what_stands_behind_the_trailer_is_handed() {
        let end = "TRAILER!!!";
        let archives = [
            (newc("a", "12345") + &newc(end, "")).into_bytes(),
            (odc("a", "12345") + &odc(end, "")).into_bytes(),
            [words("a", "12345", u16::to_le_bytes), words(end, "", u16::to_le_bytes)].concat(),
            [words("ab", "123", u16::to_be_bytes), words(end, "", u16::to_be_bytes)].concat(),
        ];
        for archive in archives {
            for n_zeros in [0, 3, 512] {
                let file = [&archive[..], &vec![0; n_zeros], b"behind"].concat();
                assert_eq!(handed(walk, &file), [b"behind"], "{archive:?}");
                assert_eq!(handed(walk, &[&archive[..], &vec![0; n_zeros]].concat()).len(), 0);
            }
            assert_eq!(handed(walk, &archive[..archive.len() - 20]).len(), 0);
        }
        assert_eq!(handed(walk, b"070701 is a date").len(), 0);
    }
}
