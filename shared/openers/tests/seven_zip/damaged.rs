//! A damaged archive never passes for a whole one, and never ends the process.

use gate::Opened;

use crate::{Members, all_made, made, open};

fn claims_to_be_whole(opened: Opened, members: &Members) -> bool {
    opened == Opened::Whole && members.all_whole()
}

/// Cut at every seventh byte where it is small, and at every byte of its end.
#[test]
fn a_truncated_archive_is_not_whole() {
    for name in [
        "small-7z",
        "small-zip",
        "small-cab",
        "small-arj",
        "small-wim",
        "small-xz",
        "small-gzip",
        "small-bzip2",
        "small-zstd",
        "7z",
        "rar4",
        "rar5",
        "rpm",
        "lzh",
        "cpio-newc",
        "bsdtar-xar",
        "iso",
        "squashfs-gzip",
        "cramfs",
        "szdd",
        "dmg",
        "nsis",
    ] {
        let archive = made(name).archive;
        let (opened, whole) = open(&archive);
        assert!(claims_to_be_whole(opened, &whole), "{name}");
        let step = (archive.len() / 200).max(7);
        let last = archive.len() - 40;
        for end in (1..archive.len()).filter(|end| *end > last || end % step == 0) {
            let (opened, members) = open(&archive[..end]);
            let has_all = members.sorted() == whole.sorted();
            assert!(!claims_to_be_whole(opened, &members) || has_all, "{name} of {end} bytes: {opened:?}");
        }
    }
}

/// A changed byte may change a name or a time; no change crashes.
#[test]
fn a_changed_archive_ends_no_process() {
    let mut n_opened = 0;
    for made in all_made().into_iter().filter(|made| made.archive.len() < 200_000) {
        let mut archive = made.archive;
        // Headers are at the start or the end.
        let step = (archive.len() / 40).max(1);
        for at in (0..archive.len().min(60)).chain((0..archive.len()).step_by(step)) {
            archive[at] ^= 0xFF;
            let (opened, _) = open(&archive);
            n_opened += usize::from(opened != Opened::NotMine);
            archive[at] ^= 0xFF;
        }
    }
    assert!(n_opened > 1000, "{n_opened}");
}
