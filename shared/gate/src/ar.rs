//! Walks ar, and with it Debian packages. The engine does not open it; it is given the members.

use crate::blob::Blob;
use crate::fields::Fields as _;
use crate::walk::{Reach, Walk, Walked, malformed};

const MAGIC_BYTES: u64 = 8;
const HEADER_BYTES: usize = 60;

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut at = MAGIC_BYTES;
    while at < blob.size_bytes() {
        let header = blob.bytes_at(at, HEADER_BYTES)?;
        let size =
            std::str::from_utf8(header.at(48, 10)).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let Some(size) = size.filter(|_| header.at(58, 2) == b"`\n") else {
            return malformed("ar: a header that is none");
        };
        let data = blob.slice(at + HEADER_BYTES as u64, size);
        if data.size_bytes() != size {
            return malformed("ar: a member behind the end");
        }
        // BSD's long names stand in front of the data, and count as part of it. Readers that do not know them
        // (BusyBox 1.35) write both.
        let name = header.at(0, 16).trim_ascii_end();
        let n_name = name.strip_prefix(b"#1/").and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        if n_name.is_some() {
            walk.reading_of(data.clone(), depth)?;
        }
        walk.stored_member(data.tail(n_name.unwrap_or(0)), depth, Reach::Handed)?;
        at += HEADER_BYTES as u64 + size.next_multiple_of(2);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    #[test]
    fn members_with_long_names_are_handed_with_and_without_them() {
        let member = |name: &str, data: &str| format!("{name:<16}{:<32}{:<10}`\n{data}", 0, data.len());
        let archive = ["!<arch>\n", &member("a.txt/", "data"), &member("#1/4", "namemore")].concat();
        let expected = ["data", "namemore", "more"].map(|data| data.as_bytes().to_vec());
        assert_eq!(handed(walk, archive.as_bytes()), expected);
        let other = ["!<arch>\n", &member("#1/9", "namedata")].concat();
        assert_eq!(handed(walk, other.as_bytes()), [b"namedata"], "a name behind the end");
    }
}
