//! Containers nested to a given depth.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A way of nesting.
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) make: fn(usize) -> Vec<u8>,
    /// The largest number of levels; more would take too many bytes.
    pub(super) most: usize,
    /// Whether each level is a file of its own to some reader: then more than the limit of levels is refused.
    pub(super) holds_files: bool,
}

const fn kind(name: &'static str, make: fn(usize) -> Vec<u8>, most: usize, holds_files: bool) -> Kind {
    Kind { name, make, most, holds_files }
}

pub(super) const KINDS: &[Kind] = &[
    kind("messages", messages, 300_000, true),
    kind("messages in base64", messages_in_base64, 300_000, true),
    kind("messages in quoted-printable", messages_in_quoted_printable, 100_000, true),
    kind("global messages", |n| b"Content-Type: message/global\n\n".repeat(n), 300_000, true),
    kind("multiparts", |n| multiparts(n, "mixed"), 300_000, false),
    kind("digests", |n| multiparts(n, "digest"), 300_000, false),
    kind("mailbox of messages", |n| [b"From a@b Mon\n".to_vec(), messages(n)].concat(), 300_000, true),
    kind("stored zips", |n| wrapped(n, stored_zip), 400, true),
    kind("tars", |n| wrapped(n, tar), 400, true),
    kind("base64 of base64", |n| wrapped(n, mail_in_base64), 24, true),
    kind("storages of a compound file", storages, 60_000, false),
    kind("arrays of a PDF", |n| pdf(&[b"[".repeat(n), b"]".repeat(n)].concat()), 300_000, false),
    kind("dictionaries of a PDF", |n| pdf(&[b"<</A ".repeat(n), b">>".repeat(n)].concat()), 300_000, false),
    kind(
        "groups of an RTF",
        |n| [b"{\\rtf1 ".to_vec(), b"{".repeat(n), b"}".repeat(n + 1)].concat(),
        300_000,
        false,
    ),
    kind("elements of HTML", |n| [b"<html>".to_vec(), b"<div>".repeat(n)].concat(), 300_000, false),
    kind(
        "elements of XML",
        |n| [b"<?xml version=\"1.0\"?>".to_vec(), b"<a>".repeat(n), b"</a>".repeat(n)].concat(),
        300_000,
        false,
    ),
    kind("arrays of JSON", |n| [b"[".repeat(n), b"]".repeat(n)].concat(), 300_000, false),
    kind(
        "lists of a script",
        |n| [b"<script>a=".to_vec(), b"(".repeat(n), b")".repeat(n), b"</script>".to_vec()].concat(),
        300_000,
        false,
    ),
];

/// Each message contains the whole previous one.
pub(super) fn messages(n_levels: usize) -> Vec<u8> {
    b"content-type:message/rfc822\n\n".repeat(n_levels)
}

fn messages_in_base64(n_levels: usize) -> Vec<u8> {
    mail_in_base64(&messages(n_levels))
}

fn mail_in_base64(inner: &[u8]) -> Vec<u8> {
    let head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n";
    let lines = STANDARD.encode(inner).into_bytes();
    [head.to_vec(), lines.chunks(76).collect::<Vec<_>>().join(&b'\n'), b"\n".to_vec()].concat()
}

/// Encoded, so that the words of the inner messages are not visible in the outer one.
fn messages_in_quoted_printable(n_levels: usize) -> Vec<u8> {
    let head = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n";
    let hidden = b"content-type:messa=67e/r=66c=3822\n\n".repeat(n_levels);
    [head.to_vec(), hidden].concat()
}

fn multiparts(n_levels: usize, subtype: &str) -> Vec<u8> {
    let level = |n| format!("Content-Type: multipart/{subtype}; boundary=b{n}\n\n--b{n}\n");
    (0..n_levels).map(level).collect::<String>().into_bytes()
}

fn wrapped(n_levels: usize, wrap: fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    (0..n_levels).fold(b"the innermost".to_vec(), |inner, _| wrap(&inner))
}

/// Deflated, as one member.
pub(super) fn zip(inner: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::best());
    packer.write_all(inner).unwrap();
    zip_of(inner, 8, &packer.finish().unwrap())
}

fn stored_zip(inner: &[u8]) -> Vec<u8> {
    zip_of(inner, 0, inner)
}

/// APPNOTE 4.3: a local header, the data, a directory of one entry, the end.
fn zip_of(inner: &[u8], method: u16, packed: &[u8]) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let common = [
        &[20, 0, 0, 0][..],
        &method.to_le_bytes(),
        &[0; 4],
        &crc32fast::hash(inner).to_le_bytes(),
        &word(packed.len()),
        &word(inner.len()),
        &[1, 0, 0, 0],
    ]
    .concat();
    let local = [b"PK\x03\x04".as_slice(), &common, b"m", packed].concat();
    let entry = [b"PK\x01\x02\x14\0".as_slice(), &common, &[0; 14], b"m"].concat();
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0".as_slice(), &word(entry.len()), &word(local.len()), &[0; 2]]
        .concat();
    [local, entry, end].concat()
}

/// POSIX ustar: one header, the data, two blocks of zeros.
fn tar(inner: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..1].copy_from_slice(b"m");
    header[100..124].copy_from_slice(b"0000644\x000000000\x000000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", inner.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..157].copy_from_slice(b"        0");
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = vec![0; inner.len().next_multiple_of(512) - inner.len() + 1024];
    [&header[..], inner, &padding].concat()
}

fn pdf(value: &[u8]) -> Vec<u8> {
    let body = [b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/X ".as_slice(), value, b">>\nendobj\n"].concat();
    let trailer = format!(
        "xref\n0 1\n0000000000 65535 f \ntrailer\n<</Size 1/Root 1 0 R>>\nstartxref\n{}\n%%EOF\n",
        body.len()
    );
    [body, trailer.into_bytes()].concat()
}

/// MS-CFB: storages, each the only child of the one before. Version 3: sectors of 512 bytes, four entries
/// each.
fn storages(n_levels: usize) -> Vec<u8> {
    const FREE: u32 = u32::MAX;
    const END: u32 = u32::MAX - 1;
    const FAT: u32 = u32::MAX - 2;
    let n_entries = (n_levels + 1).next_multiple_of(4);
    let n_directory = n_entries / 4;
    // The table of sectors has an entry for each of its own.
    let n_fat = (1..=109).find(|n_fat| n_fat * 128 >= n_fat + n_directory).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let (first, n_fat_word) = (u32::try_from(n_fat).unwrap(), u32::try_from(n_fat).unwrap());
    let mut header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    header.extend([0; 16]);
    header.extend([0x3e, 0, 3, 0, 0xfe, 0xff, 9, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    header.extend(words(&[0, n_fat_word, first, 0, 4096, END, 0, END, 0]));
    header.extend(words(&(0..109).map(|n| if n < n_fat_word { n } else { FREE }).collect::<Vec<_>>()));
    let last = first + u32::try_from(n_directory).unwrap() - 1;
    let mut fat = vec![FAT; n_fat];
    fat.extend((first..=last).map(|sector| if sector == last { END } else { sector + 1 }));
    fat.resize(n_fat * 128, FREE);
    let mut directory = Vec::new();
    for entry in 0..n_entries {
        let (kind, name) = match entry {
            0 => (5, "Root Entry".to_owned()),
            entry if entry <= n_levels => (1, format!("s{entry}")),
            _ => (0, String::new()),
        };
        let child = if entry < n_levels { u32::try_from(entry + 1).unwrap() } else { FREE };
        let mut name16 = name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let n_name = if kind == 0 { 0 } else { u16::try_from(name16.len() + 2).unwrap() };
        name16.resize(64, 0);
        directory.extend(name16);
        directory.extend(n_name.to_le_bytes());
        directory.extend([kind, 1]);
        directory.extend(words(&[FREE, FREE, if kind == 0 { FREE } else { child }]));
        directory.extend([0; 36]);
        directory.extend(words(&[if kind == 5 { END } else { 0 }, 0, 0]));
    }
    [header, words(&fat), directory].concat()
}
