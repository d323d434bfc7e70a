//! Every format of the library is either made and opened by a test here, or listed with the reason why not.

use std::path::Path;

use crate::{made_directory, run};

/// A format of `7z i`, and the files that `make/` makes for it.
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

/// Formats that are opened but that no program here writes: file systems and firmware of phones and Macs, and
/// three rare archivers.
const NOT_MADE: [&str; 6] = ["APFS", "Hxs", "LP", "Ppmd", "UEFIc", "UEFIf"];

/// Formats that the gate itself recognizes at the start of a file: see `format.rs`.
const FOUND_BY_GATE: [&str; 2] = ["lzma", "lzma86"];

/// Formats that are no containers: see `format.rs`.
const NO_CONTAINERS: [&str; 9] = ["COFF", "ELF", "FLV", "Hash", "MachO", "Mub", "PE", "Split", "TE"];

#[test]
fn every_format_of_the_library_is_accounted_for() {
    let listed = run("7z", &["i"], Path::new("/"));
    let formats = listed.split("Formats:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Columns: the library's number or none, flags with dots for those that are not set, name.
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
