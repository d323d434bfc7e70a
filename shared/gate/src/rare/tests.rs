//! Tests that each container gives up its files, and that what only looks like it gives nothing.

use super::*;
use crate::classic_mac::tests::{Walker, handed, is_refused};

const FILE: &[u8] = b"this stands for a file that a program writes out of a container; some 80 bytes..";

/// Stored, with the checksum.
fn zlib(data: &[u8]) -> Vec<u8> {
    let n_bytes = u16::try_from(data.len()).unwrap();
    let (low, high) = data.iter().fold((1_u32, 0_u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65521;
        (low, (high + low) % 65521)
    });
    let sum = (high << 16 | low).to_be_bytes();
    [b"\x78\x01\x01", &n_bytes.to_le_bytes()[..], &(!n_bytes).to_le_bytes(), data, &sum].concat()
}

fn be(n_bytes: usize) -> [u8; 4] {
    u32::try_from(n_bytes).unwrap().to_be_bytes()
}

fn le(n_bytes: usize) -> [u8; 4] {
    u32::try_from(n_bytes).unwrap().to_le_bytes()
}

fn is_found(bytes: &[u8]) -> bool {
    handed(walk as Walker, bytes).iter().any(|blob| blob == FILE)
}

fn book(records: &[&[u8]]) -> Vec<u8> {
    let table_bytes = 8 * records.len();
    let (mut table, mut at) = (Vec::new(), 78 + table_bytes);
    for record in records {
        table.extend([be(at), [0; 4]].concat());
        at += record.len();
    }
    let n_records = u16::try_from(records.len()).unwrap().to_be_bytes();
    [&[0; 60][..], b"BOOKMOBI", &[0; 8], &n_records, &table, &records.concat()].concat()
}

#[test]
fn records_of_books_are_handed() {
    let first = [&[0; 8][..], b"\0\x01", &[0; 20]].concat();
    let font = |flags: usize, key: &[u8], data: &[u8]| {
        let header = [be(FILE.len()), be(flags), be(24 + key.len()), be(key.len()), be(24)].concat();
        [b"FONT", &header[..], key, data].concat()
    };
    let hidden =
        |data: &[u8]| data.iter().zip([1, 2, 3].iter().cycle()).map(|(a, b)| a ^ b).collect::<Vec<_>>();
    for (name, record) in [
        ("font", font(0, b"", FILE)),
        ("compressed font", font(1, b"", &zlib(FILE))),
        ("hidden font", font(2, b"\x01\x02\x03", &hidden(FILE))),
        ("hidden and compressed font", font(3, b"\x01\x02\x03", &hidden(&zlib(FILE)))),
        ("sources", [b"SRCS", &[0; 12][..], FILE].concat()),
        ("picture", FILE.to_vec()),
    ] {
        assert!(is_found(&book(&[&first, b"text", &record])), "{name}");
    }
    assert!(!is_found(&book(&[&first, FILE])), "it is the text");
}

#[test]
fn data_of_property_lists_are_handed() {
    let list = |object: &[u8]| {
        let objects = [b"bplist00\xd0", object].concat();
        let trailer =
            [&[0; 6][..], b"\x01\x01", &[0; 4], &be(2), &[0; 8], &[0; 4], &be(objects.len())].concat();
        [&objects[..], b"\x08\x09", &trailer].concat()
    };
    let length = u8::try_from(FILE.len()).unwrap();
    assert!(is_found(&list(&[b"\x4f\x10", &[length][..], FILE].concat())));
    assert!(is_found(&list(&[b"\x4f\x11\0", &[length][..], FILE].concat())));
    assert!(!is_found(&list(&[b"\x5f\x10", &[length][..], FILE].concat())), "a text");
}

#[test]
fn chunks_of_djvu_are_handed() {
    let chunk = |kind: &[u8], data: &[u8]| [kind, &be(data.len()), data, &[0; 2][..data.len() % 2]].concat();
    let page = chunk(b"FORM", &[b"DJVU", &chunk(b"INFO", &[0; 9])[..], &chunk(b"BGjp", FILE)].concat());
    assert!(is_found(&[b"AT&T", &page[..]].concat()));
    assert!(is_found(&[b"AT&T", &chunk(b"FORM", &[b"DJVM", &page[..]].concat())[..]].concat()));
    assert!(!is_found(&page));
}

#[test]
fn files_of_asar_are_handed() {
    let json = format!(r#"{{"files":{{"a":{{"size":{},"offset":"3"}}}}}}"#, FILE.len());
    let n_json = json.len();
    let sizes = [le(4), le(n_json + 8), le(n_json + 4), le(n_json)].concat();
    assert!(is_found(&[&sizes, json.as_bytes(), b"...", FILE].concat()));
    assert!(is_refused(walk as Walker, &[&sizes, json.as_bytes(), FILE].concat()), "cut");
}

#[test]
fn objects_of_git_are_inflated() {
    let object = |kind: u8| {
        let length = u8::try_from(FILE.len()).unwrap();
        [&[0x80 | kind << 4 | length & 0xf, length >> 4][..], &zlib(FILE)].concat()
    };
    let pack = |objects: &[Vec<u8>]| {
        [b"PACK\0\0\0\x02", &be(objects.len())[..], &objects.concat(), &[0; 20]].concat()
    };
    let small = [&[0x31][..], &zlib(b"x")].concat();
    assert!(is_found(&pack(&[small, object(3)])));
    let bundle = [b"# v2 git bundle\n0123 HEAD\n\n", &pack(&[object(3)])[..]].concat();
    assert!(is_found(&bundle));
    // Ten bytes of the base, and the rest of the file. The base is behind the header of twelve bytes.
    let (first, rest) = FILE.split_at(10);
    let base = [&[0x3c][..], &zlib(&[b"--", first].concat())].concat();
    let n_rest = u8::try_from(rest.len()).unwrap();
    let delta = zlib(&[&[12, 80, 0x91, 2, 10, n_rest][..], rest].concat());
    let n_back = u8::try_from(base.len()).unwrap();
    let by_offset = [&[0x60, n_back][..], &delta].concat();
    let name = [
        0x89, 0xa3, 0xc5, 0x2c, 0x5c, 0x46, 0x1c, 0x22, 0x1e, 0x15, 0x8c, 0x35, 0x5b, 0x1c, 0xfb, 0x55, 0xd1,
        0xbd, 0xd5, 0x90,
    ];
    let by_name = [&[0x70][..], &name, &delta].concat();
    assert!(is_found(&pack(&[base.clone(), by_offset.clone()])));
    assert!(is_found(&pack(&[base, by_name.clone()])));
    assert!(is_refused(walk as Walker, &pack(&[by_offset])), "no base");
    assert!(is_refused(walk as Walker, &pack(&[by_name])), "no base");
    assert!(is_refused(walk as Walker, b"# v2 git bundle\n"));
}

/// A database of pages of 512 bytes: the schema, a leaf, and what does not fit on it.
fn database(table: &[u8], value: &[u8]) -> Vec<u8> {
    let n_bytes = value.len();
    let kind = 12 + 2 * n_bytes;
    let varint = |n: usize| [u8::try_from(0x80 | n >> 7).unwrap(), u8::try_from(n & 0x7f).unwrap()];
    let row = [&[0x04, 0x09][..], &varint(kind), value].concat();
    let local = if row.len() <= 477 { row.len() } else { 39 + (row.len() - 39) % 508 };
    let local = if local <= 477 { local } else { 39 };
    let (here, rest) = row.split_at(local);
    let link = if rest.is_empty() { vec![] } else { be(3).to_vec() };
    let cell = [&varint(row.len())[..], &[1], here, &link].concat();
    let start = u16::try_from(512 - cell.len()).unwrap();
    let head = [&[0x0d, 0, 0, 0, 1, 0, 0, 0][..], &start.to_be_bytes()].concat();
    let leaf = [&head[..], &vec![0; 512 - head.len() - cell.len()], &cell].concat();
    let mut file = [&b"SQLite format 3\0\x02\0"[..], &[0; 200], table].concat();
    file.resize(512, 0);
    file.extend(leaf);
    for (index, piece) in rest.chunks(508).enumerate() {
        let is_last = (index + 1) * 508 >= rest.len();
        file.extend(be(if is_last { 0 } else { index + 4 }));
        file.extend(piece);
        file.resize(file.len().next_multiple_of(512), 0);
    }
    file
}

#[test]
fn values_of_archives_of_sqlite_are_handed() {
    assert!(is_found(&database(b"sqlar", FILE)));
    assert!(is_found(&database(b"sqlar", &zlib(FILE))));
    assert!(!is_found(&database(b"table", FILE)));
    for n_bytes in [470, 473, 474, 500, 980, 1500] {
        let value = (0..n_bytes).map(|n: u32| n.to_le_bytes()[0] ^ 0x5a).collect::<Vec<_>>();
        let found = handed(walk as Walker, &database(b"sqlar", &value));
        assert!(found.contains(&value), "{n_bytes}");
    }
}

#[test]
fn parts_that_overlap_count_each_time() {
    let large = [FILE; 1000].concat();
    let first = [&[0; 8][..], b"\0\0", &[0; 20]].concat();
    let book_of = |n: usize| {
        let mut book = book(&[&[&first[..]], &vec![&b""[..]; n][..], &[&large]].concat());
        // Every other record begins at the start, and the next one at the end.
        for index in (2..n).step_by(2) {
            book.copy_within(78 + 8..78 + 12, 78 + 8 * index);
        }
        let end = be(book.len());
        for index in (3..n).step_by(2) {
            book[78 + 8 * index..78 + 8 * index + 4].copy_from_slice(&end);
        }
        book
    };
    assert!(!is_refused(walk as Walker, &book_of(2)));
    assert!(is_refused(walk as Walker, &book_of(100)));
}
