//! No format of the library is forgotten: each is made and opened by a test here, or is named with why it is
//! not.

use std::path::Path;

use crate::{made_directory, run};

/// A format of `7z i`, and what is made for it in `make/`.
const MADE: [(&str, &str); 44] = [
    ("7z", "7z"),
    ("Ar", "ar"),
    ("Arj", "arj"),
    ("Base64", "base64"),
    ("Cab", "cab"),
    ("Cpio", "cpio-newc"),
    ("CramFS", "cramfs"),
    ("Dmg", "dmg"),
    ("Ext", "ext4"),
    ("FAT", "fat12"),
    ("GPT", "gpt"),
    ("HFS", "hfs"),
    ("IHex", "ihex"),
    ("Iso", "iso"),
    ("Lzh", "lzh"),
    ("MBR", "mbr"),
    ("MsLZ", "szdd"),
    ("NTFS", "ntfs"),
    ("Nsis", "nsis"),
    ("QCOW", "qcow2"),
    ("Rar", "rar4"),
    ("Rar5", "rar5"),
    ("Rpm", "rpm"),
    ("SWF", "swf"),
    ("SWFc", "swf-deflated"),
    ("Sparse", "sparse"),
    ("SquashFS", "squashfs-gzip"),
    ("Udf", "iso-udf"),
    ("VDI", "vdi"),
    ("VHD", "vpc"),
    ("VHDX", "vhdx"),
    ("VMDK", "vmdk"),
    ("Xar", "bsdtar-xar"),
    ("Z", "compress"),
    ("bzip2", "bzip2"),
    ("gzip", "gzip"),
    ("tar", "tar-gnu"),
    ("wim", "wim"),
    ("xz", "xz"),
    ("zip", "zip"),
    ("zstd", "zstd"),
    ("APM", "iso-apm"),
    // From clamav-testfiles: see `equality.rs`.
    ("Chm", ""),
    ("Compound", ""),
];

/// Opened as others are, but nothing here writes them: file systems and firmware of telephones and Macs, and
/// three rare packers.
const NOT_MADE: [&str; 6] = ["APFS", "Hxs", "LP", "Ppmd", "UEFIc", "UEFIf"];

/// Found by the gate where a file begins so: see `format.rs`.
const FOUND_BY_GATE: [&str; 2] = ["lzma", "lzma86"];

/// No containers: see `format.rs`.
const NO_CONTAINERS: [&str; 9] = ["COFF", "ELF", "FLV", "Hash", "MachO", "Mub", "PE", "Split", "TE"];

#[test]
fn every_format_of_the_library_is_accounted_for() {
    let listed = run("7z", &["i"], Path::new("/"));
    let formats = listed.split("Formats:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Columns: the library's number or none, flags with dots for those that it has not, name.
    let is_name = |word: &&str| !word.contains('.') && word.parse::<u32>().is_err();
    let names: Vec<_> = formats.lines().map(|line| line.split_whitespace().find(is_name).unwrap()).collect();
    assert!(names.len() > 55, "{names:?}");
    for name in names {
        let is_made = MADE.iter().any(|(format, archive)| {
            *format == name && (archive.is_empty() || made_directory().join(archive).is_dir())
        });
        let is_excepted = [&NOT_MADE[..], &FOUND_BY_GATE, &NO_CONTAINERS].concat().contains(&name);
        assert!(is_made || is_excepted, "{name}");
    }
}
