//! Which data a tar may have after its end and in its attributes.

use domain::verdict::Unscannable;

use crate::{USUAL_LIMITS, gate, inspect_bytes};

fn reason(bytes: &[u8]) -> Option<Unscannable> {
    inspect_bytes(&gate(USUAL_LIMITS), bytes).refusal.map(|refusal| refusal.reason)
}

/// A header and its data, padded to whole blocks.
fn member(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..6].copy_from_slice(b"member");
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut bytes = [&header, data].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[test]
fn nothing_but_zeros_follows_the_end() {
    for n_zeros in [1024, 64 * 1024, 64 * 1024 + 512, 1024 * 1024] {
        let tar = [member(b'0', b"data"), vec![0; n_zeros]].concat();
        assert_eq!(reason(&tar), None, "{n_zeros}");
        assert_eq!(reason(&[&tar[..], b"hidden"].concat()), Some(Unscannable::Malformed), "{n_zeros}");
    }
}

/// One pax record of `n_bytes` bytes; for member types that are not attributes it is a long name.
fn attribute(n_bytes: usize) -> Vec<u8> {
    let mut record = format!("{n_bytes} comment=").into_bytes();
    record.resize(n_bytes - 1, b'a');
    record.push(b'\n');
    record
}

#[test]
fn attributes_have_a_largest_size() {
    const LARGEST: usize = 1024 * 1024;
    for kind in [b'x', b'g', b'L', b'K'] {
        let with = |n_bytes: usize| {
            let attributes = member(kind, &attribute(n_bytes));
            reason(&[attributes, member(b'0', b"data"), vec![0; 1024]].concat())
        };
        assert_eq!(with(LARGEST), None, "{}", char::from(kind));
        for n_more in [1, 2, 512] {
            assert_eq!(with(LARGEST + n_more), Some(Unscannable::Malformed), "{}", char::from(kind));
        }
    }
}
