//! Hands over a text in UTF-8 whose own bytes say that it is in a character set in which base64, tags and all
//! else may look different: by a byte order mark, by zeros, by the declaration of XML, by shift sequences.

use std::io::{self, BufRead as _};

use encoding_rs::Encoding;

use super::charset::{Converted, hand_converted, rare_decoders};
use super::rare_charset::Rare;
use crate::blob::{Blob, to_u64};
use crate::survey::Survey;
use crate::walk::{Walk, Walked};

/// What a declaration of XML has at most.
const HEAD: usize = 4 * 1024;
const XML: &[u8] = b"<?xml";
/// The same in every code page of EBCDIC.
const XML_IN_EBCDIC: &[u8] = b"\x4c\x6f\xa7\x94\x93";
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Hands over a text in UTF-8: what is encoded in it is found there.
pub(super) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    let start = blob.bytes_at(0, MARK.len() + XML.len())?;
    if let Some(label) = label_of_start(&start) {
        hand_converted(walk, blob, label, depth)?;
    } else if start.starts_with(XML_IN_EBCDIC) {
        let (labels, _) = declaration(&Rare::PAGE_37.decode(&blob.bytes_at(0, HEAD)?));
        labels.iter().try_for_each(|label| hand_converted(walk, blob, label, depth))?;
    } else if start.strip_prefix(MARK).unwrap_or(&start).starts_with(XML) {
        let (labels, behind) = declaration(&blob.bytes_at(0, HEAD)?);
        // Without the declaration, which is not true of what is converted.
        let body = blob.tail(to_u64(behind));
        let hiding = labels.iter().filter(|label| may_hide_ascii(label));
        hiding.into_iter().try_for_each(|label| hand_converted(walk, &body, label, depth))?;
    }
    if survey.has_shifts {
        let text = text_in(walk, blob)?;
        // Browsers know no other set with shifts; some go by the sequences alone (WHATWG Encoding, 12.2).
        walk.reading(&mut Converted::new(&text, encoding_rs::ISO_2022_JP), depth)?;
        hand_converted(walk, &text, b"iso-2022-kr", depth)?;
    }
    Ok(())
}

/// The text in a file, with a line's end in place of other bytes: a set with shifts has none, and the engine
/// would take a converted program for a damaged one.
fn text_in(walk: &Walk<'_>, blob: &Blob) -> io::Result<Blob> {
    const FEWEST: usize = 16;
    const MOST: usize = 4 * 1024;
    let (mut writer, mut reader) = (walk.writer(), blob.reader());
    let (mut run, mut is_long) = (Vec::with_capacity(MOST), false);
    loop {
        let piece = reader.fill_buf()?;
        let n_bytes = piece.len();
        if n_bytes == 0 {
            break;
        }
        for byte in piece {
            let is_over = !is_text(*byte);
            if !is_over {
                run.push(*byte);
            }
            is_long |= run.len() >= FEWEST;
            if is_over && is_long {
                run.push(b'\n');
            }
            if is_long && (is_over || run.len() == MOST) {
                writer.write(&run)?;
            }
            if is_over || run.len() == MOST {
                run.clear();
            }
            is_long &= !is_over;
        }
        reader.consume(n_bytes);
    }
    if is_long {
        writer.write(&run)?;
    }
    Ok(writer.finish())
}

/// The character set of a text by its first bytes (XML 1.0, appendix F). A byte order mark says it by itself,
/// without one the first characters are in ASCII.
fn label_of_start(head: &[u8]) -> Option<&'static [u8]> {
    let is_ascii = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    Some(match head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..] => {
            b"utf-32"
        }
        [0xff, 0xfe, ..] | [b'<', 0, _, 0, ..] => b"utf-16le",
        [0xfe, 0xff, ..] | [0, b'<', 0, _, ..] => b"utf-16be",
        [a, 0, b, 0, c, 0, d, 0] if [a, b, c, d].iter().all(|byte| is_ascii(**byte)) => b"utf-16le",
        [0, a, 0, b, 0, c, 0, d] if [a, b, c, d].iter().all(|byte| is_ascii(**byte)) => b"utf-16be",
        _ => return None,
    })
}

/// What the declaration that a text begins with says that the character set is, and where the declaration
/// ends.
fn declaration(head: &[u8]) -> (Vec<Vec<u8>>, usize) {
    const WORD: &[u8] = b"encoding";
    let end = memchr::memmem::find(head, b"?>").map_or(0, |at| at + 2);
    let labels = memchr::memmem::find_iter(&head[..end], WORD).map(|at| {
        let is_between = |byte: &&u8| byte.is_ascii_whitespace() || b"='\"".contains(*byte);
        let rest = head[at + WORD.len()..end].iter().skip_while(is_between);
        rest.take_while(|byte| !b"'\"?".contains(*byte)).copied().collect()
    });
    (labels.collect(), end)
}

/// Returns whether a text in this set, in which a declaration is ASCII, may hold ASCII that is not there byte
/// by byte, or the other way round.
fn may_hide_ascii(label: &[u8]) -> bool {
    let plain = [encoding_rs::UTF_8, encoding_rs::UTF_16LE, encoding_rs::UTF_16BE];
    match Encoding::for_label(label) {
        Some(known) => !known.is_single_byte() && !plain.contains(&known),
        None => rare_decoders(label).into_iter().any(Rare::has_ascii),
    }
}

/// Returns whether a window of a file holds a shift sequence of ISO 2022 within text: ESC, `(` or `$`.
pub(crate) fn holds_shift(window: &[u8]) -> bool {
    const NEAR: usize = 8;
    [b"\x1b(", b"\x1b$"].into_iter().any(|shift| {
        memchr::memmem::find_iter(window, shift).any(|at| {
            let near = at.saturating_sub(NEAR)..window.len().min(at + 2 * NEAR);
            window[near].iter().copied().all(is_text)
        })
    })
}

/// Returns whether a byte may stand in a text with shift sequences.
fn is_text(byte: u8) -> bool {
    matches!(byte, 9..=15 | 0x1b | b' '..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::{Gate, Limits};

    const CAT: &str = "A cat that is long enough to be found as base64 in any text, whatever it is about.";
    const DIGITS: &str = "QSBjYXQgdGhhdCBpcyBsb25nIGVub3VnaCB0byBiZSBmb3VuZCBhcyBiYXNlNjQgaW4gYW55IHRleHQs\
        IHdoYXRldmVyIGl0IGlzIGFib3V0Lg==";

    #[track_caller]
    fn check(name: &str, text: &[u8]) {
        let limits =
            Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 22, max_members: 1000, max_depth: 5 };
        let gate = Gate { limits, capabilities: [].into_iter().collect() };
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        through.look(&Blob::from_bytes(text.to_vec()), 0).unwrap();
        let handed = through.into_handed();
        let is_found = |blob: &Blob| blob.bytes_at(0, 200).unwrap() == CAT.as_bytes();
        assert!(handed.iter().any(is_found), "{name}: {}", String::from_utf8_lossy(text));
    }

    fn joined(joint: &str) -> String {
        DIGITS.chars().map(|digit| format!("{digit}{joint}")).collect::<Vec<_>>().concat()
    }

    fn in_utf7(text: &str) -> String {
        text.chars().map(|digit| format!("+{}-", base64_of(digit))).collect::<Vec<_>>().concat()
    }

    /// One unit of UTF-16 in base64, without padding.
    fn base64_of(character: char) -> String {
        use base64::Engine as _;
        let unit = u16::try_from(u32::from(character)).unwrap().to_be_bytes();
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(unit)
    }

    #[test]
    fn pages_with_shift_sequences_are_read_without_them() {
        for joint in ["\x1b(B", "\x1b(J", "\x1b$B\x1b(B", "\x1b$@\x1b(J", "\x1b(I\x1b(B"] {
            let digits = joined(joint);
            for page in [
                format!("<meta charset=iso-2022-jp><a href='data:;base64,{digits}'>a</a>"),
                format!("Hello <script>a = \"{digits}\"</script>"),
                format!("<?xml version='1.0' encoding='ISO-2022-JP'?><a b='{digits}'/>"),
                format!("begin-base64 644 a\n{digits}\n====\n"),
            ] {
                check(joint, page.as_bytes());
            }
        }
        let once = format!("<p>{}\x1b(B{}", &DIGITS[..50], &DIGITS[50..]);
        check("once", once.as_bytes());
    }

    #[test]
    fn xml_is_read_in_the_set_that_it_declares() {
        let page = |label: &str, digits: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"{label}\"?>\n<a><binary-data>{digits}</binary-data></a>"
            )
        };
        for (label, digits) in [
            ("UTF-7", in_utf7(DIGITS)),
            ("unicode-1-1-utf-7", in_utf7(DIGITS)),
            ("UTF-7-IMAP", in_utf7(DIGITS).replace('+', "&").replace('/', ",")),
            ("ISO-2022-KR", joined("\x0f")),
            ("ISO2022CN", joined("\x0e\x0f")),
            ("HZ", joined("~{~}")),
            ("HZ-GB-2312", joined("~\n")),
            ("ISO-2022-JP-3", joined("\x1b.A")),
        ] {
            check(label, page(label, &digits).as_bytes());
            check(label, format!("\u{feff}{}", page(label, &digits).replace('"', "'")).as_bytes());
        }
        // What follows the first byte of a character is part of it.
        for (label, lead) in
            [("Shift_JIS", 0x8b), ("GBK", 0xb0), ("Big5", 0xb0), ("EUC-KR", 0xb0), ("Johab", 0xb0)]
        {
            let page = page(label, "|");
            let (before, behind) = page.split_once('|').unwrap();
            let digits = DIGITS.bytes().flat_map(|digit| [digit, lead, b'a']).collect::<Vec<_>>();
            check(label, &[before.as_bytes(), &digits, behind.as_bytes()].concat());
        }
    }

    #[test]
    fn xml_in_ebcdic_is_read_in_the_page_that_it_declares() {
        // Letters, digits and these signs are the same in all pages.
        let to_ebcdic = |byte: u8| (0..=255).find(|to| Rare::PAGE_37.decode(&[*to]) == [byte]).unwrap();
        for label in ["IBM037", "ebcdic-cp-us", "cp500", "IBM-1047"] {
            let text = format!("<?xml version=\"1.0\" encoding=\"{label}\"?><a b=\"{DIGITS}\"/>");
            check(label, &text.bytes().map(to_ebcdic).collect::<Vec<_>>());
        }
    }

    #[test]
    fn wide_text_is_read_by_its_mark_or_its_zeros() {
        let long = format!("\u{4e00}: Hello <p>{}</p>", joined(" "));
        let plain = format!("<a>{}</a>", joined(" "));
        for (name, text, has_mark) in
            [("mark", &long, true), ("mark", &plain, true), ("zeros", &plain, false)]
        {
            let text = if has_mark { format!("\u{feff}{text}") } else { text.clone() };
            let units = text.encode_utf16().collect::<Vec<_>>();
            check(name, &units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>());
            check(name, &units.iter().flat_map(|unit| unit.to_be_bytes()).collect::<Vec<_>>());
            check(name, &text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>());
            check(name, &text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect::<Vec<_>>());
        }
        let words = format!("Hello <p>{}</p>", joined(" "));
        check("words", &words.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    }

    #[test]
    fn other_texts_are_read_once() {
        for text in ["\x1b[1mHello\x1b[0m", "\x1b\x1b", "\u{80}\x1b(B", ""] {
            assert!(!holds_shift(text.as_bytes()), "{text:?}");
        }
        for label in ["utf-8", "ISO-8859-1", "us-ascii", "koi8-r", "utf-16", "ucs-4", "ibm037", "cp850"] {
            assert!(!may_hide_ascii(label.as_bytes()), "{label}");
        }
    }
}
