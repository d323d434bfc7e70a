//! Tests which headers are followed, and which count as accidental.

use super::*;

/// A boot sector with one partition of this kind, start and length.
fn boot_sector(active: u8, kind: u8, start: u32, length: u32) -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[446] = active;
    sector[450] = kind;
    sector[454..458].copy_from_slice(&start.to_le_bytes());
    sector[458..462].copy_from_slice(&length.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

#[test]
fn a_partition_makes_a_disk_image() {
    assert!(is_partitioned(&boot_sector(0x80, 0x83, 2048, 100)));
    assert!(is_partitioned(&boot_sector(0, 7, 1, 1)));
    for (active, kind, start, length) in
        [(0x81, 0x83, 1, 1), (0x80, 0, 1, 1), (0x80, 0x83, 0, 1), (0x80, 0x83, 1, 0), (0, 0, 0, 0)]
    {
        assert!(
            !is_partitioned(&boot_sector(active, kind, start, length)),
            "{active} {kind} {start} {length}"
        );
    }
    assert!(!is_partitioned(&boot_sector(0x80, 0x83, 1, 1)[..511]));
}

#[test]
fn a_cpio_member_has_digits_and_a_name_that_ends() {
    let is_cpio = |bytes: &[u8]| super::is_cpio(&Blob::from_bytes(bytes.to_vec())).unwrap();
    let newc = |magic: &str, n_name: &str, name: &[u8]| {
        [format!("{magic}{}{n_name}{}", "0".repeat(88), "0".repeat(8)).as_bytes(), name].concat()
    };
    let odc = |n_name: &str, name: &[u8]| {
        [format!("070707{}{n_name}{}", "0".repeat(53), "0".repeat(11)).as_bytes(), name].concat()
    };
    let longest = [vec![b'x'; 4095], vec![0]].concat();
    for (long, short) in [
        (newc("070701", "00000004", b"a/b\0"), odc("000004", b"a/b\0")),
        (newc("070702", "00001000", &longest), odc("010000", &longest)),
    ] {
        for header in [long, short] {
            assert!(is_cpio(&header));
            assert!(!is_cpio(&header[..header.len() - 1]), "no end of the name");
            for digit in [b'g', b' ', b'+'] {
                let mut spoilt = header.clone();
                spoilt[20] = digit;
                assert!(!is_cpio(&spoilt));
            }
        }
    }
    assert!(!is_cpio(&newc("070703", "00000004", b"a/b\0")));
    assert!(!is_cpio(&newc("070701", "00000000", b"a/b\0")));
    assert!(!is_cpio(&newc("070701", "00001001", &[&[0; 4097][..], b"\0"].concat())));
    assert!(!is_cpio(&odc("000004", b"a/bc")));
    for (word, magic) in
        [(u16::to_le_bytes as fn(u16) -> [u8; 2], [0xc7, 0x71]), (u16::to_be_bytes, [0x71, 0xc7])]
    {
        let member = |mode: u16, n_name: u16, name: &[u8]| {
            [&magic[..], &[0; 4], &word(mode), &[0; 12], &word(n_name), &[0; 4], name].concat()
        };
        assert!(is_cpio(&member(0o100_644, 4, b"a/b\0")));
        assert!(!is_cpio(&member(0o100_644, 4, b"a/b")), "no end of the name");
        assert!(!is_cpio(&member(0o040_755, 4, b"a/b\0")), "a directory");
        assert!(!is_cpio(&member(0o100_644, 0, b"a/b\0")), "no name");
        assert!(!is_cpio(&member(0o100_644, 4097, &longest)), "a name that is too long");
    }
    // Pictures in RTF are written so.
    for digit in *b"0123456789abcdefABCDEF" {
        assert!(!is_cpio(&[b"070701".as_slice(), &vec![digit; 9000]].concat()));
        assert!(!is_cpio(&[b"070707".as_slice(), &vec![digit; 9000]].concat()));
    }
}

#[test]
fn arj_headers_are_guarded_by_a_checksum() {
    let arj = |n_header: u16| {
        let header = vec![7; usize::from(n_header)];
        let checksum = crc32fast::hash(&header).to_le_bytes();
        [[0x60, 0xea].as_slice(), &n_header.to_le_bytes(), &header, &checksum].concat()
    };
    for n_header in [30, 100, 2600] {
        assert!(is_arj(&arj(n_header)), "{n_header}");
        assert!(!is_arj(&arj(n_header)[..usize::from(n_header) + 3]));
    }
    assert!(!is_arj(&arj(29)) && !is_arj(&arj(2601)));
}

#[test]
fn a_cabinet_has_files_behind_its_header_and_before_its_end() {
    let header = |reserved: u32, size: u32, files_at: u32| {
        let fields = [reserved, size, reserved, files_at].map(u32::to_le_bytes);
        [CABINET, fields.concat().as_slice()].concat()
    };
    for (size, files_at, expected) in
        [(37, 36, Some(37)), (36, 36, None), (90, 44, Some(90)), (90, 90, None), (90, 35, None)]
    {
        assert_eq!(cabinet_size(&header(0, size, files_at)), expected);
        assert_eq!(cabinet_size(&header(1, size, files_at)), expected, "to cabextract");
    }
    assert_eq!(cabinet_size(&header(0, 37, 36)[..19]), None);
}

#[test]
fn containers_are_what_has_members() {
    for format in [Format::Zip, Format::Tar, Format::Mail, Format::Ambiguous] {
        assert!(format.is_container());
    }
    assert!(!Format::Pdf.is_container() && !Format::Other.is_container());
}

#[test]
fn rar_headers_are_guarded_by_a_checksum() {
    // Version 4: CRC-16 of what follows it, the kind, flags, the size of all of it.
    let version_4 = |n_header: u16| {
        let rest = [&[0x73, 0, 0][..], &n_header.to_le_bytes(), &[5; 40]].concat();
        let header = rest.get(..usize::from(n_header).saturating_sub(2)).unwrap();
        let checksum = crc32fast::hash(header).to_le_bytes();
        [RAR, &[0], &checksum[..2], &rest].concat()
    };
    for n_header in [13, 20] {
        let rar = version_4(n_header);
        assert!(is_rar(&rar), "{n_header}");
        for at in [6, 7, 8, 9, 10, 12] {
            let mut changed = rar.clone();
            changed[at] ^= 1;
            assert!(!is_rar(&changed), "{n_header}: {at}");
        }
    }
    assert!(!is_rar(&version_4(2)), "nothing that has a checksum");
    // Version 5: CRC-32 of what follows it, the size in seven bits a byte.
    let version_5 = |size: &[u8], n_header: usize| {
        let header = [size, &vec![5; n_header]].concat();
        [RAR, &[1, 0], &crc32fast::hash(&header).to_le_bytes(), &header].concat()
    };
    for (size, n_header) in
        [(&[10][..], 10), (&[0x7f], 0x7f), (&[0x8a, 1], 0x8a), (&[0x80, 2], 0x100), (&[0x81, 3], 0x181)]
    {
        let rar = version_5(size, n_header);
        assert!(is_rar(&rar), "{n_header}");
        assert!(!is_rar(&rar[..rar.len() - 1]), "{n_header}");
        let mut changed = rar.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(!is_rar(&changed), "{n_header}");
    }
    assert!(!is_rar(&version_5(&[0], 0)), "a size and nothing behind it");
    assert!(is_rar(&version_5(&[1], 1)));
}

#[test]
fn lha_members_have_a_level_that_agrees_with_their_length() {
    let member = |n_header: u8, level: u8| {
        let mut header = vec![0; usize::from(n_header)];
        header[..5].copy_from_slice(b"-lh5-");
        header[18] = level;
        let sum = header.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
        [&[n_header, sum][..], &header].concat()
    };
    for level in [0, 1] {
        assert!(is_lha_member(&member(21, level)) && is_lha_member(&member(200, level)));
        assert!(!is_lha_member(&member(20, level)), "too short for its fields");
        let mut changed = member(30, level);
        changed[1] ^= 1;
        assert!(!is_lha_member(&changed), "another sum");
    }
    let of_level = |level: u8, length: u16| {
        let mut header = member(40, level);
        header[..2].copy_from_slice(&length.to_le_bytes());
        is_lha_member(&header)
    };
    assert!(of_level(2, 26) && of_level(2, 4096) && !of_level(2, 25) && !of_level(2, 4097));
    assert!(of_level(3, 4) && !of_level(3, 5) && !of_level(3, 3));
    assert!(!of_level(4, 26) && !of_level(4, 4));
}

#[test]
fn what_only_the_gate_walks_is_told_by_its_start() {
    for (start, format) in [
        (&b"\x89LZO\0\r\n\x1a\nand a header"[..], Format::Lzop),
        (b"\x89LZO is a program", Format::Other),
        (b"WARC/1.1\r\nWARC-Type: warcinfo\r\n", Format::Warc),
        (b"WARC/1.0 is a format.\n", Format::Other),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", Format::Http),
        (b"HTTP/JSON is an interface.\n", Format::Other),
    ] {
        assert_eq!(sniff(&Blob::from_bytes(start.to_vec())).unwrap(), format);
    }
}
