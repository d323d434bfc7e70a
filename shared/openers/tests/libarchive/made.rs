//! Every format and filter that bsdtar writes is extracted unchanged.

use gate::{Kind, MemberEnd, Opened};

use crate::{bsdtar, libarchive, noise, open, open_with, write};

struct Input {
    directory: tempfile::TempDir,
    contents: Vec<Vec<u8>>,
}

const NAMES: [&str; 3] = ["a.txt", "b.bin", "表だよ.txt"];

fn input() -> Input {
    let directory = tempfile::tempdir().unwrap();
    let contents = vec![b"hello world\n".repeat(5_000), noise(70_001, 1), b"kanji".to_vec()];
    for (name, content) in NAMES.iter().zip(&contents) {
        write(directory.path(), name, content);
    }
    write(directory.path(), "empty", b"");
    std::fs::create_dir(directory.path().join("directory")).unwrap();
    std::os::unix::fs::symlink("a.txt", directory.path().join("link")).unwrap();
    Input { directory, contents }
}

fn sorted(members: Vec<(Vec<u8>, MemberEnd)>) -> Vec<Vec<u8>> {
    assert!(members.iter().all(|(_, end)| *end == MemberEnd::Whole));
    let mut contents = members.into_iter().map(|(content, _)| content).collect::<Vec<_>>();
    contents.sort();
    contents
}

#[test]
fn every_format_gives_what_was_put_in() {
    let mut input = input();
    input.contents.sort();
    let all = ["a.txt", "b.bin", "表だよ.txt", "empty", "directory", "link"];
    for format in
        ["7zip", "bin", "cpio", "gnutar", "iso9660", "newc", "odc", "pax", "rpax", "ustar", "v7tar", "xar"]
    {
        let (opened, members) = open(bsdtar(input.directory.path(), &["--format", format], &all));
        assert_eq!((opened, sorted(members)), (Opened::Whole, input.contents.clone()), "{format}");
    }
    // Regular files only.
    for format in ["ar", "arbsd", "arsvr4", "pwb"] {
        let (opened, members) = open(bsdtar(input.directory.path(), &["--format", format], &NAMES));
        assert_eq!((opened, sorted(members)), (Opened::Whole, input.contents.clone()), "{format}");
    }
    // libarchive 3.6 loses its position in a WARC after a member of more than one block.
    let (opened, members) = open(bsdtar(input.directory.path(), &["--format", "warc"], &NAMES[2..]));
    assert_eq!((opened, sorted(members)), (Opened::Whole, vec![b"kanji".to_vec()]));
    // Once by the directory at the end, once member by member.
    let (opened, members) = open(bsdtar(input.directory.path(), &["--format", "zip"], &NAMES));
    let twice =
        input.contents.iter().flat_map(|content| [content.clone(), content.clone()]).collect::<Vec<_>>();
    assert_eq!((opened, sorted(members)), (Opened::Whole, twice));
}

#[test]
fn every_filter_gives_what_it_was_put_over() {
    let input = input();
    let plain = bsdtar(input.directory.path(), &["--format", "ustar"], &NAMES);
    for filter in ["b64encode", "bzip2", "compress", "gzip", "lz4", "lzip", "lzma", "uuencode", "xz", "zstd"]
    {
        let arguments = ["--format", "ustar", &format!("--{filter}")];
        let (opened, members) = open(bsdtar(input.directory.path(), &arguments, &NAMES));
        assert_eq!(opened, Opened::Whole, "{filter}");
        let [(content, MemberEnd::Whole)] = members.as_slice() else { panic!("{filter}: {}", members.len()) };
        // The last block may be padded differently.
        assert!(content.starts_with(&plain[..plain.len() - 1024]), "{filter}");
        assert!(content[plain.len() - 1024..].iter().all(|byte| *byte == 0), "{filter}");
    }
}

#[test]
fn what_the_gate_has_walked_is_left_out() {
    let input = input();
    for (arguments, kind) in [
        (["--format", "zip"], Kind::Zip),
        (["--format", "7zip"], Kind::SevenZip),
        (["--format", "iso9660"], Kind::Iso),
        (["--format", "pax"], Kind::Tar),
        (["--format", "ar"], Kind::Ar),
        (["--format", "warc"], Kind::Warc),
        (["--format=ustar", "--gzip"], Kind::Gzip),
        (["--format=ustar", "--bzip2"], Kind::Bzip2),
        (["--format=ustar", "--xz"], Kind::Xz),
    ] {
        let archive = bsdtar(input.directory.path(), &arguments, &["a.txt"]);
        let (opened, _) = open_with(&mut libarchive(), archive.clone(), Some(kind));
        assert_eq!(opened, Opened::NotMine, "{kind:?}");
        let (opened, _) = open_with(&mut libarchive(), archive, Some(Kind::Compound));
        assert_eq!(opened, Opened::Whole, "{kind:?}");
    }
}

#[test]
fn filters_over_filters_come_off_one_at_a_time() {
    let input = input();
    let tar = bsdtar(input.directory.path(), &["--format", "ustar"], &["a.txt"]);
    write(input.directory.path(), "x.tar", &tar);
    let wrapped = bsdtar(input.directory.path(), &["--format=ustar", "--lz4", "--uuencode"], &["x.tar"]);
    let (_, members) = open(wrapped);
    let lz4 = &members[0].0;
    assert!(lz4.starts_with(b"\x04\x22\x4D\x18"), "one member, of the outer filter alone");
    let (_, members) = open(lz4.clone());
    let (_, members) = open(members[0].0.clone());
    let (_, members) = open(members[0].0.clone());
    assert_eq!(members[0].0, input.contents[0]);
}

#[test]
fn a_hard_link_with_data_and_a_hole_are_as_on_the_disk() {
    let directory = tempfile::tempdir().unwrap();
    // Holes at the start, in between and at the end.
    let mut sparse = vec![0; 3 << 20];
    sparse[1 << 20..(1 << 20) + 4096].copy_from_slice(&noise(4096, 2));
    let file = std::fs::File::create(directory.path().join("sparse")).unwrap();
    file.set_len(3 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &sparse[1 << 20..(1 << 20) + 4096], 1 << 20).unwrap();
    std::fs::hard_link(directory.path().join("sparse"), directory.path().join("linked")).unwrap();
    for (format, n_members) in [("pax", 1), ("gnutar", 1), ("newc", 1), ("odc", 2)] {
        let archive = bsdtar(directory.path(), &["--format", format], &["sparse", "linked"]);
        let (opened, members) = open(archive);
        assert_eq!((opened, members.len()), (Opened::Whole, n_members), "{format}");
        assert!(members.iter().all(|member| *member == (sparse.clone(), MemberEnd::Whole)), "{format}");
    }
}
