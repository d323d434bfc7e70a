//! Classifies a finding by its name: malware, a file that was not scanned whole, or an unexpected
//! configuration of the engine.
//!
//! ClamAV also reports that it did not scan everything as a finding, under a name that begins with
//! `Heuristics.`. Such a name never means clean, and means infected only if it names malware.
//! `finding/clamav.txt` lists every such name in ClamAV's library with its meaning; a test compares the list
//! with the installed library.

use crate::reason::Unscannable;

/// The meaning of a finding, worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Finding {
    Malware,
    /// The reply proves nothing: its name was lost (`(null) FOUND`, clamav issue 720), or only settings that
    /// Airlock leaves off produce it.
    Untrusted,
    NotScanned(Unscannable),
}

/// Exact names, and prefixes, which end in a dot. The first match counts.
const HEURISTICS: &[(&str, Finding)] = &[
    ("Heuristics.Encrypted.", Finding::NotScanned(Unscannable::Encrypted)),
    ("Heuristics.Broken.", Finding::NotScanned(Unscannable::Malformed)),
    ("Heuristics.Limits.Exceeded.MaxFileSize", Finding::NotScanned(Unscannable::TooLarge)),
    ("Heuristics.Limits.Exceeded.MaxFiles", Finding::NotScanned(Unscannable::TooManyFiles)),
    ("Heuristics.Limits.Exceeded.MaxRecursion", Finding::NotScanned(Unscannable::TooDeep)),
    ("Heuristics.Limits.Exceeded.MaxScanTime", Finding::NotScanned(Unscannable::ScanTimeout)),
    ("Heuristics.Limits.Exceeded.EmailMIMEPartsPerMessage", Finding::NotScanned(Unscannable::TooManyFiles)),
    // Header fields, folds and arguments of a mail: something in the file is too large to be read.
    ("Heuristics.Limits.Exceeded.EmailHeaderBytes", Finding::NotScanned(Unscannable::TooLarge)),
    ("Heuristics.Limits.Exceeded.EmailHeaders", Finding::NotScanned(Unscannable::TooLarge)),
    ("Heuristics.Limits.Exceeded.EmailLineFoldCnt", Finding::NotScanned(Unscannable::TooLarge)),
    ("Heuristics.Limits.Exceeded.EmailMIMEArguments", Finding::NotScanned(Unscannable::TooLarge)),
    // `MaxScanSize`, and any limit that a later engine adds.
    ("Heuristics.Limits.", Finding::NotScanned(Unscannable::ExpandsTooMuch)),
    // A dictionary above 1 GiB; ClamAV has removed it since (pull request 1573).
    ("Heuristics.XZ.DicSizeLimit", Finding::NotScanned(Unscannable::ExpandsTooMuch)),
    ("Heuristics.Zip.OverlappingFiles", Finding::NotScanned(Unscannable::Malformed)),
    // A program whose unpacker would read outside the file.
    ("Heuristics.BoundsCheck", Finding::NotScanned(Unscannable::Malformed)),
    // Names that are escaped needlessly, to hide them from scanners: `/Fl#61teDecode`.
    ("Heuristics.PDF.ObfuscatedNameObject", Finding::NotScanned(Unscannable::Malformed)),
    // `AlertPartitionIntersection`. ClamAV spells the second of them like this.
    ("Heuristics.APMPartitionIntersection", Finding::NotScanned(Unscannable::Malformed)),
    ("Heuristics.MBRPartitionnIntersect", Finding::NotScanned(Unscannable::Malformed)),
    ("Heuristics.GPTPartitionIntersection", Finding::NotScanned(Unscannable::Malformed)),
    // These report content that is not malware; `AlertOLE2Macros` and `StructuredDataDetection` are off.
    ("Heuristics.OLE2.ContainsMacros.", Finding::Untrusted),
    ("Heuristics.Structured.", Finding::Untrusted),
    ("Heuristics.Exploit.", Finding::Malware),
    ("Heuristics.Phishing.", Finding::Malware),
    ("Heuristics.Safebrowsing.", Finding::Malware),
    ("Heuristics.Trojan.", Finding::Malware),
    ("Heuristics.W32.", Finding::Malware),
    ("Heuristics.Worm.", Finding::Malware),
];

/// What the finding `name` means. A name beginning with `Heuristics.` that is not ClamAV's own comes from
/// definitions, which name malware.
pub(crate) fn classify(name: &str) -> Finding {
    let name = name.trim_end_matches(".UNOFFICIAL");
    if name.is_empty() || name == "(null)" {
        return Finding::Untrusted;
    }
    heuristic(name).unwrap_or(Finding::Malware)
}

/// The meaning of one of ClamAV's own names; `None` for any other name.
fn heuristic(name: &str) -> Option<Finding> {
    let fits = |known: &str| match known.strip_suffix('.') {
        Some(family) => {
            name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        None => name == known,
    };
    HEURISTICS.iter().find(|(known, _)| fits(known)).map(|(_, finding)| *finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The word for a finding in `clamav.txt`.
    fn word(finding: Finding) -> &'static str {
        match finding {
            Finding::Malware => "infected",
            Finding::Untrusted => "untrusted",
            Finding::NotScanned(reason) => reason.code(),
        }
    }

    #[test]
    fn each_name_in_clamavs_library_has_its_meaning() {
        let lines = include_str!("finding/clamav.txt").lines().filter(|line| !line.starts_with('#'));
        let mut n_names = 0;
        for line in lines {
            let (name, meaning) = line.split_once(' ').unwrap();
            assert_eq!(heuristic(name).map(word), Some(meaning), "{name}");
            n_names += 1;
        }
        assert!(n_names > 70, "{n_names}");
    }

    #[test]
    fn later_names_of_known_families_are_not_malware_and_unknown_names_are() {
        for (name, meaning) in [
            ("Heuristics.Limits.Exceeded", "expands_too_much"),
            ("Heuristics.Limits.Exceeded.MaxNewLimit", "expands_too_much"),
            ("Heuristics.Limits.Exceeded.MaxFileSize.UNOFFICIAL", "too_large"),
            ("Heuristics.Encrypted.NewFormat", "encrypted"),
            ("Heuristics.Broken.NewFormat.Cut", "malformed"),
            ("Heuristics.BrokenArrow.Agent", "infected"),
            ("Heuristics.Win.Agent-1", "infected"),
            ("BC.Heuristics.Win.Packer", "infected"),
            ("Win.Test.EICAR_HDB-1", "infected"),
            ("(null)", "untrusted"),
            ("", "untrusted"),
        ] {
            assert_eq!(word(classify(name)), meaning, "{name}");
        }
    }
}
