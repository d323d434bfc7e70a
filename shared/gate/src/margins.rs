//! Searches what stands in a container beside its members: comments, extra fields, attributes, padding, and
//! sectors that no file takes.
//!
//! Programs that read PDF (Poppler 22.12, MuPDF 1.26, pdf.js), uuencode and mailboxes (uudeview 0.5, Python's
//! `uu` and `mailbox`) and HTML (Chromium) look for it in a file of any kind. Members are looked at by
//! themselves, and compressed ones hold nothing for such a program: what is left is little.

use std::io;

use crate::blob::Blob;
use crate::format::Format;
use crate::survey::Survey;
use crate::walk::{Walk, Walked};
use crate::{embedded, mail, markup, pdf, rtf};

/// Which parts of the blob that is being looked at are accounted for: looked at by themselves, or compressed.
#[derive(Debug)]
pub(crate) struct Accounted {
    blob: Blob,
    /// Start and end of each.
    parts: Vec<(u64, u64)>,
}

impl Accounted {
    pub(crate) fn of(blob: &Blob) -> Self {
        Self { blob: blob.clone(), parts: Vec::new() }
    }

    fn add(&mut self, part: &Blob) {
        // The whole would not be looked at again.
        let is_part = |(start, end): &(u64, u64)| end - start < self.blob.size_bytes();
        self.parts.extend(part.range_in(&self.blob).filter(is_part));
    }

    /// Returns what is left, in order.
    fn rest(mut self) -> Vec<Blob> {
        self.parts.sort_unstable();
        let (mut rest, mut at) = (Vec::new(), 0);
        for (start, end) in self.parts {
            if start > at {
                rest.push(self.blob.slice(at, start - at));
            }
            at = end.max(at);
        }
        rest.push(self.blob.tail(at));
        rest
    }
}

impl Walk<'_> {
    /// Notes that a part of the blob that is being looked at is accounted for.
    pub(crate) fn account(&mut self, part: &Blob) {
        if let Some(accounted) = &mut self.accounted {
            accounted.add(part);
        }
    }
}

/// Searches what is left of the container that is being looked at. What begins there may go on in a member,
/// so that then all of it is searched. Archives are searched for in what is left alone: GNU tar, cpio,
/// cabextract and lhasa look for theirs anywhere.
pub(crate) fn walk(walk: &mut Walk<'_>, format: Format, blob: &Blob, depth: u32) -> Walked {
    let rest = match walk.accounted.take() {
        Some(accounted) => joined(walk, &accounted.rest())?,
        None => blob.clone(),
    };
    let survey = Survey::of(&rest)?;
    if rest.size_bytes() < blob.size_bytes() && begins_something(&rest)? {
        search(walk, blob, &Survey::of(blob)?, depth)?;
    } else {
        search(walk, &rest, &survey, depth)?;
    }
    embedded::walk_beside(walk, format, &rest, rest.size_bytes() == blob.size_bytes(), survey, depth)
}

/// Searches for what programs read in a file of any kind.
fn search(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    rtf::walk(walk, blob, survey, depth)?;
    pdf::walk(walk, blob, survey, depth)?;
    mail::walk(walk, blob, survey, depth)?;
    markup::walk(walk, blob, survey, depth)?;
    embedded::walk_addresses(walk, blob, depth)
}

fn joined(walk: &Walk<'_>, parts: &[Blob]) -> io::Result<Blob> {
    if let [whole] = parts {
        return Ok(whole.clone());
    }
    let mut writer = walk.writer();
    parts.iter().try_for_each(|part| writer.write_blob(part))?;
    Ok(writer.finish())
}

/// Returns whether there is the start of an object of PDF, of encoded data, or of an address with data.
fn begins_something(rest: &Blob) -> io::Result<bool> {
    const WORDS: [&[u8]; 6] =
        [b"content-transfer", b"multipart/", b"data:", b"begin ", b"begin\t", b"begin-"];
    /// The longest word, or an object's mark with the numbers in front of it.
    const LONGEST: usize = 32;
    let mut windows = rest.windows(0, LONGEST);
    while let Some((_, window)) = windows.next_window()? {
        if begins_object(window) || WORDS.iter().any(|word| mail::holds(window, word)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether there is `obj` behind a number. The word alone is in the names of many files.
fn begins_object(window: &[u8]) -> bool {
    const MOST_BLANKS: usize = 16;
    memchr::memmem::find_iter(window, b"obj").any(|at| {
        let before = &window[at.saturating_sub(MOST_BLANKS)..at];
        let last = before.iter().rfind(|byte| !byte.is_ascii_whitespace() && **byte != 0);
        last.is_some_and(u8::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Method;
    use crate::scratch::Scratch;
    use crate::{Gate, Limits};

    const FILE: &[u8] = b"this stands for a file that a program decodes wherever it finds it, 80 bytes long";
    const DIGITS: &[u8] = b"dGhpcyBzdGFuZHMgZm9yIGEgZmlsZSB0aGF0IGEgcHJvZ3JhbSBkZWNvZGVz\
        IHdoZXJldmVyIGl0IGZpbmRzIGl0LCA4MCBieXRlcyBsb25n";

    fn handed(bytes: &[u8]) -> Vec<Vec<u8>> {
        let limits =
            Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 20, max_members: 100, max_depth: 9 };
        let capabilities = [Method::Gzip, Method::Tar, Method::ZipStored].into_iter().collect();
        let gate = Gate { limits, capabilities };
        let mut walk = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        walk.look(&Blob::from_bytes(bytes.to_vec()), 0).unwrap();
        walk.into_handed().into_iter().map(|blob| blob.bytes_at(0, 1 << 20).unwrap()).collect()
    }

    #[test]
    fn what_is_left_is_what_no_part_takes() {
        let blob = Blob::from_bytes((0..100).collect());
        let mut accounted = Accounted::of(&blob);
        for (start, n_bytes) in [(40, 10), (10, 10), (15, 10), (0, 100)] {
            accounted.add(&blob.slice(start, n_bytes));
        }
        accounted.add(&Blob::from_bytes(vec![0; 50]));
        let rest = accounted.rest().iter().map(|part| part.bytes_at(0, 100).unwrap()).collect::<Vec<_>>();
        assert_eq!(rest, [(0..10).collect::<Vec<_>>(), (25..40).collect(), (50..100).collect()]);
    }

    #[test]
    fn an_object_begins_behind_a_number() {
        for (text, expected) in [
            (&b"1 0 obj"[..], true),
            (b"1 0\r\n\0obj<<", true),
            (b"1 0obj", true),
            (b"src/obj/a.txt", false),
            (b"0000000\0                   obj/", false),
            (b"obj", false),
        ] {
            assert_eq!(begins_object(text), expected, "{}", text.escape_ascii());
        }
    }

    /// Base64 in lines of its own in each free place of a gzip, where `gzip -l` and file(1) show it.
    #[test]
    fn free_places_of_gzip_are_searched() {
        let body = b"\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";
        let text = [b"\n", DIGITS, b"\n"].concat();
        let extra = [&u16::try_from(text.len()).unwrap().to_le_bytes(), &text[..]].concat();
        for (flags, free) in
            [(4, extra.clone()), (8, [&text[..], b"\0"].concat()), (16, [&text[..], b"\0"].concat())]
        {
            let gzip = [b"\x1f\x8b\x08", &[flags][..], &[0; 6], &free, body].concat();
            assert!(handed(&gzip).iter().any(|blob| blob == FILE), "{flags}");
        }
    }
}
