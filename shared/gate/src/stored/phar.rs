//! Unpacks archives of PHP: a script that ends with a call, a manifest, and the members one after another
//! (PHP manual, "Phar File Format"; `phar_parse_pharfile` of PHP 8.2).

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::stream;
use crate::walk::{Walk, Walked, refuse};

/// What PHP looks for anywhere in a file. The first one counts.
pub(crate) const END_OF_PHP: &[u8] = b"__HALT_COMPILER();";
/// The largest manifest that PHP reads is 100 MiB.
const MOST_BYTES: u32 = 16 << 20;

struct Member {
    n_bytes: u32,
    flags: u32,
}

/// Hands every member. A script that ends so, and has data behind it that is no manifest, is none.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let Some(manifest_at) = manifest_at(blob)? else { return Ok(()) };
    let n_manifest = blob.bytes_at(manifest_at, 4)?.u32_le(0);
    if u64::from(n_manifest) > blob.size_bytes() {
        return Ok(());
    }
    if n_manifest > MOST_BYTES {
        return refuse(Unscannable::UnsupportedContainer, "phar: a manifest larger than the limit");
    }
    let manifest = blob.bytes_at(manifest_at + 4, usize::try_from(n_manifest).unwrap_or(0))?;
    let mut data_at = manifest_at + 4 + u64::from(n_manifest);
    for member in members(&manifest) {
        hand(walk, &blob.slice(data_at, member.n_bytes.into()), member.flags, depth)?;
        data_at += u64::from(member.n_bytes);
    }
    Ok(())
}

fn hand(walk: &mut Walk<'_>, data: &Blob, flags: u32, depth: u32) -> Walked {
    const DEFLATED: u32 = 0x1000;
    const BZIP2: u32 = 0x2000;
    if flags & DEFLATED != 0 {
        walk.reading_cut_off(|| Ok(Inflate::new(data.reader())), depth)?;
    }
    if flags & BZIP2 != 0 {
        walk.reading(&mut stream::bzip2(&mut data.reader()), depth)?;
    }
    walk.reading_of(data.clone(), depth).map(|_| ())
}

/// A closing tag and the end of its line may stand between the call and the manifest.
fn manifest_at(blob: &Blob) -> Walked<Option<u64>> {
    let mut windows = blob.windows(0, END_OF_PHP.len());
    while let Some((at, window)) = windows.next_window()? {
        if let Some(found) = memchr::memmem::find(window, END_OF_PHP) {
            let end = at + to_u64(found + END_OF_PHP.len());
            let behind = blob.bytes_at(end, 5)?;
            let tag = if matches!(behind.at(0, 3), [b' ' | b'\n', b'?', b'>']) { 3 } else { 0 };
            let line = match &behind[tag..] {
                [b'\r', b'\n', ..] if tag > 0 => 2,
                [b'\n', ..] if tag > 0 => 1,
                _ => 0,
            };
            return Ok(Some(end + to_u64(tag + line)));
        }
    }
    Ok(None)
}

/// The entries that are whole: behind counts, versions, an alias and metadata.
fn members(manifest: &[u8]) -> Vec<Member> {
    /// Skips data with its length in front.
    fn behind_data(bytes: &[u8]) -> Option<&[u8]> {
        bytes.get(4..)?.get(usize::try_from(bytes.u32_le(0)).ok()?..)
    }
    let mut rest = manifest.get(10..).and_then(behind_data).and_then(behind_data);
    let mut members = vec![];
    while let Some(entry) = rest.filter(|_| to_u64(members.len()) < manifest.u32_le(0).into()) {
        let Some(fields) = behind_data(entry).filter(|fields| fields.len() >= 24) else { break };
        members.push(Member { n_bytes: fields.u32_le(8), flags: fields.u32_le(16) });
        rest = behind_data(&fields[20..]);
    }
    members
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::classic_mac::tests::handed;

    fn phar(end: &[u8], members: &[(&[u8], u32)]) -> Vec<u8> {
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut manifest = [&number(members.len())[..], &[0x11, 0, 0, 0, 1, 0]].concat();
        manifest.extend([&number(1)[..], b"a", &number(2), b"{}"].concat());
        for (data, flags) in members {
            let sizes = [number(9), number(0), number(data.len()), number(0), flags.to_le_bytes()];
            manifest.extend([&number(1)[..], b"n", &sizes.concat(), &number(3), b"[0]"].concat());
        }
        let data = members.iter().flat_map(|(data, _)| data.iter().copied()).collect::<Vec<_>>();
        [b"<?php echo 1; __HALT_COMPILER();", end, &number(manifest.len()), &manifest, &data].concat()
    }

    #[test]
    fn members_are_handed() {
        let mut deflated = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::default());
        deflated.write_all(b"deflated").unwrap();
        let deflated = deflated.finish().unwrap();
        for end in [&b""[..], b" ?>", b" ?>\n", b" ?>\r\n", b"\n?>\r\n"] {
            let phar = phar(end, &[(b"one", 0o644), (&deflated, 0x1000), (b"two", 0)]);
            let expected = [b"one".to_vec(), b"deflated".to_vec(), deflated.clone(), b"two".to_vec()];
            assert_eq!(handed(walk, &phar), expected, "{end:?}");
        }
    }

    #[test]
    fn a_script_with_other_data_is_none() {
        for script in
            [&b"<?php __HALT_COMPILER();"[..], b"<?php __HALT_COMPILER(); ?>\nsome text behind it\n"]
        {
            assert!(handed(walk, script).is_empty());
        }
    }
}
