//! Every format that can be made here is extracted with the content that was put in.

use gate::Opened;

use crate::{all_made, holds, open};

/// Made here, and not opened by 7-Zip 26.02 either (`equality.rs` compares): an old file system, and two ways
/// of packing.
const NOT_OPENED: [(&str, Opened); 3] =
    [("hfs", Opened::NotMine), ("squashfs-lz4", Opened::Unsupported), ("vmdk-stream", Opened::NotMine)];

#[test]
fn every_format_gives_what_was_put_in() {
    let all = all_made();
    assert!(all.len() > 80, "{}", all.len());
    for made in all {
        let (opened, members) = open(&made.archive);
        if let Some((_, expected)) = NOT_OPENED.iter().find(|(name, _)| *name == made.name) {
            assert_eq!((opened, members.given.len()), (*expected, 0), "{}", made.name);
            continue;
        }
        let mut expected: Vec<_> = made.members.iter().map(Vec::as_slice).collect();
        expected.sort_unstable();
        let given = members.sorted();
        let is_as_put_in = if made.has_others { holds(&given, &expected) } else { given == expected };
        let sizes = |members: &[&[u8]]| members.iter().map(|bytes| bytes.len()).collect::<Vec<_>>();
        assert!(is_as_put_in, "{}: {:?} for {:?}", made.name, sizes(&given), sizes(&expected));
        assert_eq!(opened, Opened::Whole, "{}", made.name);
        assert!(members.all_whole(), "{}", made.name);
    }
}
