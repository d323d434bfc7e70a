//! Files that take much processor time to inspect.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::deep;

/// Every structure that the gate searches for in the middle of other data, with enough bytes behind it that
/// the gate examines it further.
const MARKS: &[(&str, &[u8])] = &[
    ("zip, local header", b"PK\x03\x04\x14\0\0\0\x08\0"),
    (
        "zip, local header, streamed",
        b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0m\x03\0",
    ),
    ("zip, end", b"PK\x05\x06"),
    ("zip, directory and end", b"PK\x01\x02PK\x05\x06\0\0\0\0\x01\0\x01\0\x04\0\0\0\0\0\0\0\0\0"),
    ("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
    ("cabinet", b"MSCF\0\0\0\0\x40\0\0\0\0\0\0\0\x2c\0\0\0\0\0\0\0\x03\x01"),
    ("xz", b"\xfd7zXZ\0\0\x04"),
    ("gzip", b"\x1f\x8b\x08\0"),
    ("gzip, empty", b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"),
    ("bzip2", b"BZh91AY&SY"),
    ("bzip2, empty", b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0"),
    ("tar", b"ustar"),
    ("RAR 4", b"Rar!\x1a\x07\0\xcf\x90\x73\0\0\x0d\0"),
    ("RAR 5", b"Rar!\x1a\x07\x01\0"),
    ("ARJ", b"\x60\xea\x28\x0a"),
    ("WIM", b"MSWIM\0\0\0"),
    ("cpio", b"070701"),
    ("ar", b"!<arch>\n"),
    ("uuencode", b"begin 644 m\n"),
    ("base64", b"begin-base64 644 m\n"),
    ("LHA", b"-lh5-"),
    ("LHA, level 2", b"\xff\x0f-lh5-\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"),
    ("ISO", b"\x01CD001\x01\0"),
    ("PDF", b"%PDF-1.4 /Encrypt "),
    ("mail", b"Content-Type: text/plain\n\n"),
    ("mail, boundary", b"--b\nContent-Type: text/plain\n\n"),
];

/// Named inputs of about `n_bytes`, alone and as the member of a zip that is smaller by far.
pub(super) fn corpus(n_bytes: usize) -> Vec<(String, Vec<u8>)> {
    let repeated = |mark: &[u8], n_bytes: usize| mark.repeat(n_bytes / mark.len() + 1);
    let mut inputs = Vec::new();
    for (name, mark) in MARKS {
        inputs.push((format!("{name}, repeated"), repeated(mark, n_bytes)));
        inputs.push((format!("{name}, zipped"), deep::zip(&repeated(mark, n_bytes * 20))));
        // Behind a header that makes the whole input one mail.
        let mail = b"Content-Type: text/plain\n\n";
        inputs.push((format!("{name}, mailed"), [mail.to_vec(), repeated(mark, n_bytes)].concat()));
    }
    let lines = STANDARD.encode(repeated(b"ustar", n_bytes / 2)).into_bytes();
    let lines = lines.chunks(76).collect::<Vec<_>>().join(&b'\n');
    inputs.push((
        "base64 in mail".to_owned(),
        [b"Content-Transfer-Encoding: base64\n\n".to_vec(), lines].concat(),
    ));
    let short = b"QUJDREVGR0hJSktMTU5PUFFSU1Q=\n".repeat(n_bytes / 29);
    inputs.push(("runs of base64".to_owned(), [b"Content-Type: text/plain\n\n".to_vec(), short].concat()));
    inputs.push(("gzip members".to_owned(), gzip_members(n_bytes)));
    inputs.push(("zeros, zipped".to_owned(), deep::zip(&vec![0; n_bytes * 90])));
    inputs.push(("zip of zips".to_owned(), deep::zip(&deep::zip(&vec![0; n_bytes * 90]))));
    inputs.push(("one line".to_owned(), vec![b'x'; n_bytes]));
    inputs
}

fn gzip_members(n_bytes: usize) -> Vec<u8> {
    let member = |n: u32| {
        let mut packer = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
        packer.write_all(&n.to_le_bytes()).unwrap();
        packer.finish().unwrap()
    };
    (0..u32::try_from(n_bytes / 24).unwrap()).flat_map(member).collect()
}
