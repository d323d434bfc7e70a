//! Finds out in one pass which of the words that searches begin with stand in a blob.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, MatchKind};

use crate::{markup, rtf, stored};

/// What a word is looked for by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Rtf,
    Object,
    Stream,
    Trailer,
    /// A script of PHP may be an archive.
    EndOfPhp,
    /// In any case: uuencode and yEnc have it in front of data.
    Begin,
    /// What YAML and notebooks have in front of base64.
    TagOfBinary,
    /// What parsers of HTML read as those of XML do: CDATA, drawings and formulas.
    ForeignMarkup,
}

/// Each word, and whether it counts in any case.
const WORDS: [(&[u8], bool, Word); 12] = [
    (rtf::START, false, Word::Rtf),
    (b"obj", false, Word::Object),
    (b"stream", false, Word::Stream),
    (b"trailer", false, Word::Trailer),
    (stored::phar::END_OF_PHP, false, Word::EndOfPhp),
    (b"begin", true, Word::Begin),
    (b"!binary", false, Word::TagOfBinary),
    (b":binary", false, Word::TagOfBinary),
    (b"\"image/", false, Word::TagOfBinary),
    (markup::CDATA, false, Word::ForeignMarkup),
    (markup::FOREIGN[0], true, Word::ForeignMarkup),
    (markup::FOREIGN[1], true, Word::ForeignMarkup),
];

/// The searcher goes by so many bytes of each word. It is the fastest with few and short ones.
const STEM: usize = 3;

/// Which words have been seen.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen(u32);

impl Seen {
    pub(super) fn has(self, word: Word) -> bool {
        self.0 & 1 << word as u32 != 0
    }

    fn add(&mut self, word: Word) {
        self.0 |= 1 << word as u32;
    }

    /// Adds the words that stand in a window.
    pub(super) fn add_all(&mut self, window: &[u8]) {
        let mut from = 0;
        while let Some(hit) = STEMS.searcher.find(Input::new(window).span(from..window.len())) {
            // From the next byte on: a stem can begin within another.
            from = hit.start() + 1;
            let (word, any_case, kind) = WORDS[STEMS.words[hit.pattern().as_usize()]];
            if self.has(kind) {
                continue;
            }
            let found = window.get(hit.start()..hit.start() + word.len()).unwrap_or_default();
            if found == word || any_case && found.eq_ignore_ascii_case(word) {
                self.add(kind);
            }
        }
    }
}

struct Stems {
    searcher: AhoCorasick,
    /// Which word each of its patterns begins.
    words: Vec<usize>,
}

#[expect(clippy::expect_used, reason = "it fails for more patterns than memory holds, or never")]
static STEMS: LazyLock<Stems> = LazyLock::new(|| {
    let stems = WORDS.iter().enumerate().flat_map(|(index, (word, any_case, _))| {
        let stem = [word[0], word[1], word[2]];
        let stems = if *any_case { in_any_case(stem) } else { vec![stem] };
        stems.into_iter().map(move |stem| (stem, index))
    });
    let (stems, words): (Vec<_>, _) = stems.unzip();
    let searcher = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(stems);
    Stems { searcher: searcher.expect("a handful of short patterns"), words }
});

/// Builds the searcher, which otherwise the first search does.
pub(crate) fn prepare() {
    LazyLock::force(&STEMS);
}

/// A stem with each of its letters in both cases.
fn in_any_case(stem: [u8; STEM]) -> Vec<[u8; STEM]> {
    let mut stems = vec![stem];
    for at in 0..STEM {
        for mut other in stems.clone() {
            other[at] = other[at].to_ascii_uppercase();
            if other[at] != stem[at] {
                stems.push(other);
            }
        }
    }
    stems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(window: &[u8]) -> Vec<usize> {
        let mut seen = Seen::default();
        seen.add_all(window);
        (0..WORDS.len()).filter(|index| seen.has(WORDS[*index].2)).collect()
    }

    #[test]
    fn each_word_is_seen_by_itself_and_within_what_begins_like_another() {
        for (index, (word, any_case, kind)) in WORDS.iter().enumerate() {
            let of_kind: Vec<usize> = (0..WORDS.len()).filter(|other| WORDS[*other].2 == *kind).collect();
            for front in ["", "x", "st", "strea", "{\\", "<!", "o", "be", "!bi", "<s"] {
                let text = [front.as_bytes(), word, b"x"].concat();
                assert_eq!(seen(&text), of_kind, "{front} {index}");
                assert_eq!(seen(&text[..text.len() - 1]), of_kind, "{front} {index}");
                assert!(!seen(&text[..text.len() - 2]).contains(&index), "{front} {index}");
                let other_case = text.to_ascii_uppercase();
                let counts = *any_case || word.to_ascii_uppercase() == *word;
                assert_eq!(seen(&other_case).contains(&index), counts, "{front} {index}");
            }
        }
    }

    #[test]
    fn letters_change_their_case_one_by_one() {
        let stems: std::collections::BTreeSet<_> = in_any_case(*b"<sv").into_iter().collect();
        assert_eq!(stems.into_iter().collect::<Vec<_>>(), [*b"<SV", *b"<Sv", *b"<sV", *b"<sv"]);
        assert_eq!(in_any_case(*b"beg").len(), 8);
    }
}
