//! Tests that each kind of media gives up the files in it, and that what only looks like it gives nothing.

use super::*;
use crate::classic_mac::tests::{Walker, walked};

const FILE: &[u8] = b"this stands for a file that a program writes out of media, as it is; 80 bytes..";
const ZLIB_START: &[u8] = b"\x78\x01\x01";

/// Stored, in a stream of zlib without its checksum.
fn zlib(data: &[u8]) -> Vec<u8> {
    let n_bytes = u16::try_from(data.len()).unwrap();
    [ZLIB_START, &n_bytes.to_le_bytes(), &(!n_bytes).to_le_bytes(), data].concat()
}

fn be(n_bytes: usize) -> [u8; 4] {
    u32::try_from(n_bytes).unwrap().to_be_bytes()
}

fn syncsafe(n_bytes: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| u8::try_from(n_bytes >> shift & 0x7f).unwrap())
}

fn id3(version: u8, flags: u8, frames: &[u8]) -> Vec<u8> {
    [b"ID3", &[version, 0, flags][..], &syncsafe(frames.len()), frames, b"\xff\xfb\x90\x64"].concat()
}

fn frame(name: &[u8], size: [u8; 4], flags: u8, body: &[u8]) -> Vec<u8> {
    [name, &size, &[0, flags], body].concat()
}

fn picture_block(data: &[u8]) -> Vec<u8> {
    [&be(3)[..], &be(9), b"image/png", &be(0), &[0; 16], &be(data.len()), data].concat()
}

fn ebml(id: &[u8], data: &[u8]) -> Vec<u8> {
    [id, &[0x01, 0, 0, 0], &be(data.len()), data].concat()
}

fn in_box(kind: &[u8], content: &[u8]) -> Vec<u8> {
    [&be(8 + content.len())[..], kind, content].concat()
}

fn png(kind: &[u8], data: &[u8]) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n", &be(data.len())[..], kind, data, b"crc.", &be(0), b"IEND"].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let n_bytes = u16::try_from(data.len() + 2).unwrap();
    [&[0xff, marker][..], &n_bytes.to_be_bytes(), data].concat()
}

/// One directory of one entry, whose value stands behind it.
fn tiff(tag: u16, kind: u16) -> Vec<u8> {
    let entry = [tag.to_be_bytes(), kind.to_be_bytes()].concat();
    [b"MM\0*\0\0\0\x08\0\x01", &entry[..], &be(FILE.len()), &be(26), &[0; 4], FILE].concat()
}

fn is_found(bytes: &[u8]) -> bool {
    let (end, handed) = walked(walk as Walker, bytes);
    end.unwrap();
    handed.iter().any(|blob| blob == FILE)
}

#[test]
fn files_in_tags_of_sound_are_handed() {
    let object = [b"\0a/b\0e.com\0x\0", FILE].concat();
    let wide = [b"\x01a/b\0e\0.\0\0\0x\0\0\0", FILE].concat();
    let picture = [b"\0image/png\0\x03x\0", FILE].concat();
    let [large_file, plain] = [[0_u8; 200].as_slice(), &[]];
    let padded = [&object[..], large_file].concat();
    let unsynchronised = [b"\0a/b\0\xff\0\0x\0", FILE].concat();
    for (name, bytes) in [
        ("object", id3(3, 0, &frame(b"GEOB", be(object.len()), 0, &object))),
        ("wide", id3(3, 0, &frame(b"GEOB", be(wide.len()), 0, &wide))),
        ("picture", id3(4, 0, &frame(b"APIC", syncsafe(picture.len()), 0, &picture))),
        (
            "second",
            id3(
                3,
                0,
                &[frame(b"TIT2", be(2), 0, b"\0x"), frame(b"APIC", be(picture.len()), 0, &picture)].concat(),
            ),
        ),
        ("private", id3(3, 0, &frame(b"PRIV", be(2 + FILE.len()), 0, &[b"x\0", FILE].concat()))),
        (
            "compressed",
            id3(
                3,
                0,
                &frame(
                    b"GEOB",
                    be(4 + zlib(&object).len()),
                    0x80,
                    &[&be(object.len())[..], &zlib(&object)].concat(),
                ),
            ),
        ),
        ("unsynchronised", id3(3, 0x80, &frame(b"GEOB", be(unsynchronised.len() - 1), 0, &unsynchronised))),
        (
            "version 2",
            id3(
                2,
                0,
                &[b"PIC\0\0", &[u8::try_from(6 + FILE.len()).unwrap()][..], b"\0PNG\x03\0", FILE].concat(),
            ),
        ),
        (
            "flac",
            [b"fLaC\0\0\0\x01x\x86", &be(picture_block(FILE).len())[1..], &picture_block(FILE)].concat(),
        ),
        (
            "flac behind a tag",
            [&id3(3, 0, plain)[..14 - 4], b"fLaC\x82", &be(4 + FILE.len())[1..], b"test", FILE].concat(),
        ),
        ("block", picture_block(FILE)),
        (
            "wave",
            [b"RIFF\0\0\0\0WAVEid3 ", &u32::try_from(FILE.len()).unwrap().to_le_bytes()[..], FILE].concat(),
        ),
    ] {
        assert!(is_found(&bytes), "{name}");
    }
    assert!(!is_found(&id3(3, 0, &frame(b"GEOB", be(padded.len()), 0, &padded))), "200 zeros belong to it");
    assert!(!is_found(&[b"x", &id3(3, 0, &frame(b"GEOB", be(object.len()), 0, &object))[..]].concat()));
}

#[test]
fn covers_behind_sound_are_handed() {
    let value = [b"cover.png\0", FILE].concat();
    let item =
        [&u32::try_from(value.len()).unwrap().to_le_bytes()[..], &[0; 4], b"Cover Art\0", &value].concat();
    let text = [b"\x02\0\0\0\0\0\0\0Artist\0me", &item[..]].concat();
    for (items, n_items) in [(item, 1_u32), (text, 2)] {
        let size = u32::try_from(items.len() + 32).unwrap().to_le_bytes();
        let footer =
            [b"APETAGEX", &2000_u32.to_le_bytes()[..], &size, &n_items.to_le_bytes(), &[0; 12]].concat();
        assert!(is_found(&[b"sound", &items[..], &footer].concat()), "{n_items}");
        assert!(is_found(&[b"sound", &items[..], &footer, b"TAG", &[0; 125]].concat()), "{n_items}");
    }
}

#[test]
fn attachments_of_matroska_are_handed() {
    let file = ebml(b"\x61\xa7", &[ebml(b"\x46\x6e", b"name"), ebml(b"\x46\x5c", FILE)].concat());
    let attachments = ebml(b"\x19\x41\xa4\x69", &file);
    let behind = |start: &[u8]| [b"\x1a\x45\xdf\xa3\x80", start, &attachments].concat();
    for start in [&b""[..], b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", b"damage"] {
        assert!(is_found(&behind(start)), "{start:?}");
    }
    assert!(!is_found(&attachments));
}

#[test]
fn values_in_boxes_are_handed() {
    let cover = in_box(b"covr", &in_box(b"data", &[&[0; 8], FILE].concat()));
    let within = |kinds: &[&[u8]], content: Vec<u8>| {
        kinds.iter().rev().fold(content, |content, kind| in_box(kind, &content))
    };
    let profile = in_box(b"colr", &[b"prof", FILE].concat());
    let full_meta = in_box(b"meta", &[&[0; 4], &in_box(b"ilst", &cover)[..]].concat());
    for (name, boxes) in [
        ("cover", within(&[b"moov", b"udta", b"meta", b"ilst"], cover)),
        ("cover with a version", within(&[b"moov", b"udta"], full_meta)),
        ("profile", within(&[b"meta", b"iprp", b"ipco"], profile)),
        ("uuid", in_box(b"uuid", &[&[7; 16], FILE].concat())),
    ] {
        assert!(is_found(&[in_box(b"ftyp", b"isom"), boxes.clone()].concat()), "{name}");
        assert!(!is_found(&[in_box(b"text", b"isom"), boxes].concat()), "{name}");
    }
}

#[test]
fn profiles_and_texts_of_pictures_are_handed() {
    let (first, second) = FILE.split_at(30);
    let piece = |n: u8, data: &[u8]| segment(0xe2, &[b"ICC_PROFILE\0", &[n, 2][..], data].concat());
    let jpeg = |segments: &[u8]| [b"\xff\xd8", segments, b"\xff\xd9"].concat();
    let digits = FILE.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let raw = format!("\nicc\n      {}\n{digits}\n", FILE.len());
    let resource = [b"8BIM\x04\x0f\0\0", &be(FILE.len())[..], FILE].concat();
    let exif = [b"Exif\0\0", &tiff(0x927c, 7)[..]].concat();
    for (name, bytes) in [
        ("iCCP", png(b"iCCP", &[b"x\0\0", &zlib(FILE)[..]].concat())),
        ("zTXt", png(b"zTXt", &[b"x\0\0", &zlib(FILE)[..]].concat())),
        ("zTXt, raw", png(b"zTXt", &[b"x\0\0", &zlib(raw.as_bytes())[..]].concat())),
        ("tEXt", png(b"tEXt", &[b"x\0", FILE].concat())),
        ("iTXt", png(b"iTXt", &[b"x\0\0\0en\0x\0", FILE].concat())),
        ("iTXt, compressed", png(b"iTXt", &[b"x\0\x01\0en\0x\0", &zlib(FILE)[..]].concat())),
        ("eXIf", png(b"eXIf", &tiff(0x8773, 7))),
        ("JPEG, profile", jpeg(&[piece(1, first), piece(2, second)].concat())),
        ("JPEG, profile by number", jpeg(&[piece(2, second), piece(1, first)].concat())),
        ("JPEG, profile as it comes", jpeg(&[piece(2, first), piece(1, second)].concat())),
        ("JPEG, comment", jpeg(&segment(0xfe, FILE))),
        ("JPEG, resource", jpeg(&segment(0xed, &[b"Photoshop 3.0\0", &resource[..]].concat()))),
        ("JPEG, Exif", jpeg(&[&[0xff][..], &segment(0xe1, &exif)].concat())),
        ("Photoshop", [b"8BPS", &[0; 22][..], &be(0), &be(resource.len()), &resource].concat()),
        ("TIFF", tiff(0x8773, 7)),
        (
            "WebP",
            [b"RIFF\0\0\0\0WEBPICCP", &u32::try_from(FILE.len()).unwrap().to_le_bytes()[..], FILE].concat(),
        ),
    ] {
        assert!(is_found(&bytes), "{name}");
        assert!(!is_found(&[b"-", &bytes[..]].concat()), "{name}");
    }
}
