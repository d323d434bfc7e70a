//! A confined process, which cannot open files or start threads, extracts the same from archives: names in
//! other character sets do not stop it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use confine::ResourceLimits;

use crate::{bsdtar, described, fixture, libarchive, noise, write};

const CHILD: &str = "CONFINED_CHILD";

#[expect(clippy::disallowed_methods, reason = "tells the child that this test starts from the test")]
fn child_directory() -> Option<std::ffi::OsString> {
    std::env::var_os(CHILD)
}

fn archives(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let names = ["表だよ.txt", "b.bin"];
    write(directory, names[0], &b"hello world\n".repeat(5_000));
    write(directory, names[1], &noise(300_000, 1));
    let mut archives = Vec::new();
    for format in ["7zip", "cpio", "iso9660", "newc", "pax", "ustar", "xar", "zip"] {
        archives.push((format.to_owned(), bsdtar(directory, &["--format", format], &names)));
    }
    for filter in ["compress", "lz4", "lzip", "lzma", "uuencode", "xz", "zstd", "bzip2", "gzip"] {
        let arguments = ["--format=newc", &format!("--{filter}")];
        archives.push((filter.to_owned(), bsdtar(directory, &arguments, &names)));
    }
    for name in [
        "cab-lzx.cab",
        "cab-shift-jis-names.cab",
        "lha-lh7.lzh",
        "rar4-best.rar",
        "rar4-unicode-names.rar",
        "rar5-encrypted.rar",
        "rar5-solid.rar",
        "rpm-gzip.rpm",
    ] {
        archives.push((name.to_owned(), fixture(name)));
    }
    // 漢字 in Shift_JIS, in GBK, and no encoding at all.
    for name in [b"\x8A\xBF\x8E\x9A".as_slice(), b"\xBA\xBA\xD7\xD6", b"\xFF\xFE\xFD"] {
        archives.push((format!("zip {name:?}"), zip(name, b"a member")));
        archives.push((format!("ustar {name:?}"), ustar(name, b"a member")));
    }
    // These names need a conversion table that glibc reads from a file, which is loaded before the
    // confinement.
    let shift_jis = "lha-shift-jis-names.lzh";
    archives.push((shift_jis.to_owned(), fixture(shift_jis)));
    archives
}

/// One stored member.
fn zip(name: &[u8], content: &[u8]) -> Vec<u8> {
    let (name_bytes, size) = (u16::try_from(name.len()).unwrap(), u32::try_from(content.len()).unwrap());
    let crc = crc32fast::hash(content);
    let fields = |bytes: &mut Vec<u8>| {
        bytes.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x3C]);
        for number in [crc, size, size] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(name_bytes.to_le_bytes());
        bytes.extend([0, 0]);
    };
    let mut bytes = b"PK\x03\x04".to_vec();
    fields(&mut bytes);
    bytes.extend(name);
    bytes.extend(content);
    let directory = bytes.len();
    bytes.extend(b"PK\x01\x02\x14\0");
    fields(&mut bytes);
    bytes.extend([0; 14]);
    bytes.extend(name);
    let directory_bytes = bytes.len() - directory;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    for number in [directory_bytes, directory] {
        bytes.extend(u32::try_from(number).unwrap().to_le_bytes());
    }
    bytes.extend([0, 0]);
    bytes
}

fn ustar(name: &[u8], content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name);
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o} ", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000 ");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum = header.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content);
    header.resize(512 * 2 + 1024, 0);
    header
}

/// Reads the parent's archives, confines itself as a worker does, and prints their members.
fn confined_child(directory: &Path) -> ! {
    let mut libarchive = libarchive();
    let mut files =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    let archives = files.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>();
    let limits = ResourceLimits { cpu: Duration::from_mins(1), memory_bytes: 2 << 30, file_bytes: 1 << 20 };
    confine::limit_resources(limits).unwrap();
    confine::forbid_files().unwrap();
    assert!(confine::forbid_calls().unwrap(), "this kernel has no seccomp");
    for archive in archives {
        println!("{}.", described(&mut libarchive, archive));
    }
    std::process::exit(0);
}

#[test]
fn the_same_comes_out_in_confinement() {
    if let Some(directory) = child_directory() {
        confined_child(Path::new(&directory));
    }
    let made = tempfile::tempdir().unwrap();
    let archives = archives(made.path());
    let given = tempfile::tempdir().unwrap();
    for (index, (_, archive)) in archives.iter().enumerate() {
        write(given.path(), &format!("{index:03}"), archive);
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["confined::the_same_comes_out_in_confinement", "--exact", "--nocapture"])
        .env(CHILD, given.path())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    // The test runner prints lines of its own before.
    let said = &said[said.find("Whole").unwrap()..];
    let mut said = said.split(".\n");
    let mut unconfined = libarchive();
    for (name, archive) in archives {
        let expected = described(&mut unconfined, archive);
        assert!(expected.contains("- "), "{name} has members");
        assert_eq!(said.next().unwrap(), expected, "{name}");
    }
}

/// Names that no process can convert: the archive does not pass either.
#[test]
fn a_name_that_cannot_be_converted_is_no_reason_to_pass() {
    let (opened, members) = crate::open(lha(b"\x8A\xBF\x8E\x9A", b"a member"));
    assert_eq!((opened, members.len()), (gate::Opened::Damaged, 0));
    let (opened, members) = crate::open(lha(b"name", b"a member"));
    assert_eq!(
        (opened, members),
        (gate::Opened::Whole, vec![(b"a member".to_vec(), gate::MemberEnd::Whole)])
    );
}

/// One stored member whose header does not name the character set.
fn lha(name: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap().to_le_bytes();
    let mut header = b"-lh0-".to_vec();
    header.extend(size);
    header.extend(size);
    header.extend([0x21, 0x3C, 0x21, 0x3C, 0x20, 0, u8::try_from(name.len()).unwrap()]);
    header.extend(name);
    header.extend(crc16(content).to_le_bytes());
    let sum = header.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [&[u8::try_from(header.len()).unwrap(), sum], header.as_slice(), content, &[0]].concat()
}

/// CRC-16/ARC.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xA001 } else { crc >> 1 })
    })
}
