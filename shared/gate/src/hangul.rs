//! Inflates what documents of Hangul Word Processor keep compressed: pictures, OLE objects, scripts, text.
//!
//! The engine inflates them too, but what it finds there the gate would not look into. pyhwp 0.1b15
//! (`hwp5proc unpack`) and Hangul write them as files.

use domain::verdict::Unscannable;

use crate::blob::Blob;
use crate::compound::{self, Entry};
use crate::fields::Fields as _;
use crate::inflate::Inflate;
use crate::text_encoding::{Base64, Padding};
use crate::walk::{Walk, Walked, refuse};

/// What the stream `FileHeader` of version 5 begins with ("Hangul Document File Format 5.0", 3.2.1), and a
/// file of version 3.
const MAGIC: &[u8] = b"HWP Document File";

/// Returns whether a stream is the header of a Hangul document. Refuses one with a password.
pub(crate) fn is_header(entry: &Entry, content: &Blob) -> Walked<bool> {
    const PROPERTIES_AT: usize = 36;
    const HAS_PASSWORD: u32 = 0x02;
    let start = content.bytes_at(0, PROPERTIES_AT + 4)?;
    if !entry.is_named("FileHeader") || !start.starts_with(MAGIC) {
        return Ok(false);
    }
    if start.u32_le(PROPERTIES_AT) & HAS_PASSWORD != 0 {
        return refuse(Unscannable::Encrypted, "a Hangul document with a password");
    }
    Ok(true)
}

/// Inflates every stream of a document. Whether one is compressed the header says, and each picture for
/// itself: what is not gives a few bytes.
pub(crate) fn inflate_streams(
    walk: &mut Walk<'_>,
    file: &compound::File<'_>,
    streams: &[Entry],
    depth: u32,
) -> Walked {
    for entry in streams {
        for extent in file.readings(entry) {
            let content = file.content(walk, extent)?;
            hand_inflated(walk, &content, depth)?;
        }
    }
    Ok(())
}

/// Inflates the body of a document of version 3, and the pictures of one in XML.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const NEAR: usize = 4096;
    let start = blob.bytes_at(0, NEAR)?;
    if start.starts_with(MAGIC) {
        return hand_inflated(walk, &blob.tail(body_at(&start)), depth);
    }
    if memchr::memmem::find(&start, b"<HWPML").is_some() { hand_pictures(walk, blob, depth) } else { Ok(()) }
}

/// A signature, the document's information with the size of a block behind the summary, and the summary
/// (LibreOffice 24.8, `hwpfilter/source/hinfo.cxx`).
fn body_at(start: &[u8]) -> u64 {
    const INFORMATION_AT: usize = 30;
    const BLOCK_SIZE_AT: usize = INFORMATION_AT + 126;
    const SUMMARY_END: u64 = 30 + 128 + 1008;
    SUMMARY_END + u64::from(start.u16_le(BLOCK_SIZE_AT))
}

/// `<BINDATA Compress="true" Encoding="Base64">`. Each is found as a run of text as well, but not inflated.
fn hand_pictures(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    const ELEMENT: &[u8] = b"<BINDATA";
    let mut at = 0;
    while let Some(found_at) = blob.find(at, ELEMENT)? {
        let Some(tag_end) = blob.find(found_at, b">")? else { break };
        let text_end = blob.find(tag_end, b"<")?.unwrap_or(blob.size_bytes());
        let text = blob.slice(tag_end + 1, text_end.saturating_sub(tag_end + 1));
        let mut writer = walk.new_member()?;
        walk.fill_whole(&mut writer, &mut Base64::new(&text, Padding::Ends))?;
        hand_inflated(walk, &writer.finish(), depth)?;
        at = text_end;
    }
    Ok(())
}

fn hand_inflated(walk: &mut Walk<'_>, packed: &Blob, depth: u32) -> Walked {
    let (blob, _) = walk.reading_cut_off(|| Ok(Inflate::new(packed.reader())), depth)?;
    walk.count_pointed(blob.size_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{Walker, handed};

    /// "hello", stored.
    const PACKED: &[u8] = b"\x01\x05\0\xfa\xffhello";

    #[test]
    fn the_body_of_version_3_is_inflated() {
        for n_block in [0, 7] {
            let mut document = vec![0; 30 + 128 + 1008 + usize::from(n_block)];
            document[..MAGIC.len()].copy_from_slice(MAGIC);
            document[156] = n_block;
            document.extend(PACKED);
            assert_eq!(handed(walk as Walker, &document), [b"hello"]);
        }
    }

    #[test]
    fn pictures_in_xml_are_inflated() {
        let element = |text: &str| format!("<BINDATA Compress=\"true\">{text}</BINDATA>");
        let document =
            ["<?xml version=\"1.0\"?><HWPML>", &element("AQUA+v9oZWxsbw=="), &element("AQMA/P9zZWU=")];
        assert_eq!(handed(walk as Walker, document.concat().as_bytes()), [&b"hello"[..], b"see"]);
        assert!(handed(walk as Walker, element("AQUA+v9oZWxsbw==").as_bytes()).is_empty());
    }
}
