//! However deep containers are nested, and wherever they begin, the gate's own stack stays small.

use std::io::Write as _;

use domain::verdict::Unscannable;
use flate2::{Compression, write::GzEncoder};

use crate::{USUAL_LIMITS, gate, inspect_bytes};

/// A gzip file behind a line of text, in a gzip file behind a line of text, and so on: none of them is a
/// container by its first bytes.
fn nested_in_text(n_levels: usize) -> Vec<u8> {
    (0..n_levels).fold(vec![b'x'; 100], |inner, level| {
        let mut packer = GzEncoder::new(format!("level {level}\n").into_bytes(), Compression::none());
        packer.write_all(&inner).unwrap();
        packer.finish().unwrap()
    })
}

#[test]
fn containers_in_the_middle_of_other_data_count_as_levels() {
    let refusal = |n_levels| inspect_bytes(&gate(USUAL_LIMITS), &nested_in_text(n_levels)).refusal;
    assert_eq!(refusal(16), None);
    for n_levels in [17, 4_000] {
        assert_eq!(refusal(n_levels).unwrap().reason, Unscannable::TooDeep, "{n_levels}");
    }
}

#[test]
fn containers_in_containers_count_as_levels() {
    let nested = |n_levels| {
        (0..n_levels).fold(vec![b'x'; 100], |inner, _| {
            let mut packer = GzEncoder::new(vec![], Compression::none());
            packer.write_all(&inner).unwrap();
            packer.finish().unwrap()
        })
    };
    let refusal = |n_levels| inspect_bytes(&gate(USUAL_LIMITS), &nested(n_levels)).refusal;
    assert_eq!(refusal(16), None);
    assert_eq!(refusal(17).unwrap().reason, Unscannable::TooDeep);
}
