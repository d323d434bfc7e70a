//! Lists what libarchive reads: filters, which undo one compression or encoding, and formats, which hold
//! members.

use gate::Kind;

/// A filter or a format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoder {
    /// The end of the name of the function that enables it.
    pub name: &'static str,
    /// The gate's name for files of this kind, if it walks them.
    pub kind: Option<Kind>,
    pub mark: Mark,
}

/// The evidence on which libarchive claims a file. If it is insufficient and the first header or byte cannot
/// be read, the file is not of this kind: its recipient gets nothing out of it, and sees no archive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// Always insufficient: ordinary files have it.
    Weak,
    /// Sufficient only if these bytes are at this offset. Elsewhere, behind a program, they may be that
    /// program's own data.
    At(u64, &'static [u8]),
    /// Sufficient only if the file begins so.
    Start(fn(&[u8]) -> bool),
    /// Sufficient: libarchive has checked a structure.
    Strong,
}

/// How much of a file [`Mark::Start`] gets, if there is as much.
pub(super) const START_BYTES: u64 = 512;

/// An archive may begin, and end, with a block of zeros; so do disk images. Other headers have a checksum.
fn starts_as_tar(start: &[u8]) -> bool {
    start.iter().any(|byte| *byte != 0)
}

/// A header of digits: "070701" alone is a date. The binary forms have two bytes.
fn starts_as_cpio(start: &[u8]) -> bool {
    let is_new = matches!(start.get(..6), Some(b"070701" | b"070702"));
    let digits = start.get(..if is_new { 110 } else { 76 });
    digits.is_some_and(|digits| digits.starts_with(b"0707") && digits.iter().all(u8::is_ascii_hexdigit))
}

/// A line of its own.
fn starts_as_warc(start: &[u8]) -> bool {
    start.starts_with(b"WARC/") && start.get(8..10) == Some(b"\r\n")
}

const fn decoder(name: &'static str, kind: Option<Kind>, mark: Mark) -> Decoder {
    Decoder { name, kind, mark }
}

/// The filters that run within the process. lrzip, grzip and (without LZO) lzop run programs:
/// [`super::programs`].
pub(super) const FILTERS: [Decoder; 10] = [
    decoder("bzip2", Some(Kind::Bzip2), Mark::Strong),
    decoder("compress", None, Mark::Weak),
    decoder("gzip", Some(Kind::Gzip), Mark::Strong),
    decoder("lz4", None, Mark::Strong),
    decoder("lzip", None, Mark::Strong),
    decoder("lzma", None, Mark::Weak),
    decoder("rpm", None, Mark::Strong),
    decoder("uu", None, Mark::Weak),
    decoder("xz", Some(Kind::Xz), Mark::Strong),
    decoder("zstd", None, Mark::Strong),
];

/// All formats but `mtree`, which lists files that are elsewhere, and `empty` and `raw`, which hold nothing
/// of their own.
pub(super) const FORMATS: [Decoder; 13] = [
    decoder("7zip", Some(Kind::SevenZip), Mark::At(0, b"7z\xBC\xAF\x27\x1C")),
    decoder("ar", Some(Kind::Ar), Mark::At(0, b"!<arch>\n")),
    decoder("cab", Some(Kind::Cabinet), Mark::At(0, b"MSCF\0\0\0\0")),
    decoder("cpio", None, Mark::Start(starts_as_cpio)),
    decoder("iso9660", Some(Kind::Iso), Mark::At(0x8001, b"CD001")),
    decoder("lha", None, Mark::At(2, b"-l")),
    decoder("rar", None, Mark::At(0, b"Rar!\x1A\x07\0")),
    decoder("rar5", None, Mark::At(0, b"Rar!\x1A\x07\x01\0")),
    decoder("tar", Some(Kind::Tar), Mark::Start(starts_as_tar)),
    decoder("warc", Some(Kind::Warc), Mark::Start(starts_as_warc)),
    decoder("xar", None, Mark::At(0, b"xar!")),
    decoder("zip_seekable", Some(Kind::Zip), Mark::Strong),
    decoder("zip_streamable", Some(Kind::Zip), Mark::At(0, b"PK")),
];

/// What a filter leaves, as one member.
pub(super) const RAW: &str = "raw";
