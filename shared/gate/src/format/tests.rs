//! Which headers are followed, and which are chance?

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
fn cpio_headers_are_digits_to_their_end() {
    let (newc, odc) =
        ([b"070701".as_slice(), &[b'f'; 104]].concat(), [b"070707".as_slice(), &[b'7'; 70]].concat());
    for header in [&newc, &odc] {
        assert!(is_cpio(header));
        assert!(!is_cpio(&header[..header.len() - 1]));
        let mut spoilt = header.clone();
        *spoilt.last_mut().unwrap() = b'g';
        assert!(!is_cpio(&spoilt));
    }
    assert!(is_cpio(&[b"070702".as_slice(), &newc[6..]].concat()));
    assert!(!is_cpio(&[b"070703".as_slice(), &newc[6..]].concat()));
    assert!(!is_cpio(&[b"070707".as_slice(), &[b'8'; 70]].concat()));
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
fn only_single_cabinets_of_version_1_3_have_a_size() {
    let header = |reserved: u32, size: u32, version: [u8; 2]| {
        [CABINET, &size.to_le_bytes(), &[0; 8], &reserved.to_le_bytes(), &version].concat()
    };
    assert_eq!(cabinet_size(&header(0, 37, [3, 1])), Some(37));
    assert_eq!(cabinet_size(&header(0, 36, [3, 1])), None);
    assert_eq!(cabinet_size(&header(1, 37, [3, 1])), None);
    assert_eq!(cabinet_size(&header(0, 37, [4, 1])), None);
    assert_eq!(cabinet_size(&header(0, 37, [3, 1])[..25]), None);
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
