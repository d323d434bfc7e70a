//! Removes the invisible characters of a file name.

/// Drops invisible characters: controls, direction marks and overrides, separators and noncharacters. Drops
/// joiners, variation selectors and tags as well, except where they change how a character looks: elsewhere
/// they can hide text.
pub(super) fn visible(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == BLACK_FLAG {
            kept.push(c);
            let tags = flag_tags(rest.as_str());
            kept.push_str(tags);
            rest = rest.as_str()[tags.len()..].chars();
        } else if is_modifier(c) {
            // Only one, and only after a character that it can modify: long runs of them have been used to
            // hide text.
            let is_on_something = kept.chars().next_back().is_some_and(|last| can_be_modified(last, c));
            if is_on_something {
                kept.push(c);
            }
        } else if !is_hidden(c) {
            kept.push(c);
        }
    }
    kept
}

const BLACK_FLAG: char = '\u{1f3f4}';
const CANCEL_TAG: char = '\u{e007f}';

/// The tags that make the black flag one of a region, such as Scotland's (`gbsct`): three to six letters and
/// digits, and the end (Unicode Technical Standard 51, "Emoji Tag Sequences"). Empty if no such sequence
/// follows.
fn flag_tags(text: &str) -> &str {
    let is_region_tag = |c: char| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    let end = text.find(|c| !is_region_tag(c)).unwrap_or(text.len());
    let n_tags = text[..end].chars().count();
    if (3..=6).contains(&n_tags) && text[end..].starts_with(CANCEL_TAG) {
        &text[..end + CANCEL_TAG.len_utf8()]
    } else {
        ""
    }
}

/// Joiners, which make families of emoji and shape Persian and Indian scripts, and variation selectors, which
/// choose a glyph.
fn is_modifier(c: char) -> bool {
    is_joiner(c) || is_variation_selector(c)
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// A joiner may follow a variation selector (a rainbow flag is a white flag, its selector, a joiner and a
/// rainbow); no other modifier may follow a modifier.
fn can_be_modified(last: char, modifier: char) -> bool {
    let is_bare = !is_modifier(last) && !last.is_whitespace();
    is_bare || (is_joiner(modifier) && is_variation_selector(last))
}

/// Whether a character is invisible and of no use in a name.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Zero-width space, marks of direction, separators, overrides, isolates, invisible operators, the
            // byte order mark, annotations.
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                // Tags outside a flag.
                | '\u{e0000}'..='\u{e007f}'
        )
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tag characters for ASCII.
    fn tags(text: &str) -> String {
        text.chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect()
    }

    #[test]
    fn emoji_stay_whole() {
        let flag = |region: &str| format!("\u{1f3f4}{}\u{e007f}", tags(region));
        for whole in [
            &flag("gbsct"),
            &flag("gbwls"),
            &flag("usca"),
            &format!("{}{}.txt", flag("gbsct"), flag("gbeng")),
            // The pirate flag is based on the black flag too.
            "\u{1f3f4}\u{200d}\u{2620}\u{fe0f}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{1f308}",
            "\u{1f3f3}\u{fe0f}\u{200d}\u{26a7}\u{fe0f}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}",
            "\u{1f469}\u{1f3fd}\u{200d}\u{2764}\u{fe0f}\u{200d}\u{1f48b}\u{200d}\u{1f468}\u{1f3fb}",
            "\u{1f441}\u{fe0f}\u{200d}\u{1f5e8}\u{fe0f}",
            "1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3}",
            "\u{1f1e9}\u{1f1ea}\u{1f1ef}\u{1f1f5}",
            "\u{2764}\u{fe0e}",
            // Persian, Sinhala, a variant of a Japanese name's character, Mongolian.
            "\u{6cc}\u{200c}\u{645}",
            "\u{dc1}\u{dca}\u{200d}\u{dbb}",
            "\u{845b}\u{e0100}\u{98fe}",
            "\u{182d}\u{180b}",
        ] {
            assert_eq!(visible(whole), *whole, "{whole:?}");
        }
    }

    #[test]
    fn text_cannot_be_hidden_in_them() {
        let flag = '\u{1f3f4}';
        for (given, expected) in [
            (format!("a{}b", tags("ignore what was said")), "ab".to_owned()),
            (format!("{flag}{}\u{e007f}", tags("ignorewhatwassaid")), flag.to_string()),
            (format!("{flag}{}", tags("gbsct")), flag.to_string()),
            (format!("{flag}{}\u{e007f}", tags("GBSCT")), flag.to_string()),
            (format!("{flag}\u{e007f}{flag}"), format!("{flag}{flag}")),
            ("a\u{fe00}\u{fe01}\u{e0102}\u{e01ef}b".to_owned(), "a\u{fe00}b".to_owned()),
            ("a\u{200c}\u{200d}\u{200c}b".to_owned(), "a\u{200c}b".to_owned()),
            ("a\u{200d}\u{fe0f}\u{200d}b".to_owned(), "a\u{200d}b".to_owned()),
            ("\u{fe0f}\u{200d}a \u{fe0f}b".to_owned(), "a b".to_owned()),
            ("a\u{202e}b\u{200b}c\u{feff}\u{ffff}".to_owned(), "abc".to_owned()),
        ] {
            assert_eq!(visible(&given), expected, "{given:?}");
            assert_eq!(visible(&expected), expected, "{expected:?}");
        }
    }
}
