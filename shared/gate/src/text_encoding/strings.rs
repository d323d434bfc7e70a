//! Reads string literals of scripts character by character: one, or several that are joined, with the escapes
//! that these languages have, and with comments between them.

use super::hexadecimal::digit;

/// The longest escape: scripts may write any number of zeros in braces.
pub(super) const MAX_ESCAPE: usize = 256;
pub(super) const QUOTES: [u8; 3] = *b"\"'`";
/// What stands between two pieces that are joined: `+` and `.`, a comma in a list, `&` and `_` of Basic, or
/// nothing.
const GLUE: &[u8] = b" \t\r\n+.,&_\\";

/// Where a reader of literals is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strings {
    /// What ends the literal that is being read; `None` between two.
    quote: Option<u8>,
    /// What is skipped between two.
    comment: Option<Comment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comment {
    Block,
    Line,
}

/// What a reader comes across.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Opens,
    /// A character of a literal, if it stands for one.
    Character(Option<u8>),
    Ends,
    Between,
    /// Something that joins no literals.
    Other,
}

impl Strings {
    /// A reader that has passed `quote`.
    pub(super) fn within(quote: u8) -> Self {
        Self { quote: Some(quote), comment: None }
    }

    pub(super) fn is_between(self) -> bool {
        self.quote.is_none()
    }

    /// Returns whether the literal may have any line breaks in it.
    pub(super) fn is_template(self) -> bool {
        self.quote == Some(b'`')
    }

    /// Ends a comment that ends with its line.
    pub(super) fn begin_line(&mut self) {
        self.comment = self.comment.filter(|comment| *comment != Comment::Line);
    }

    /// Returns what `text`, which is not empty, begins with, and how many bytes that takes.
    pub(super) fn step(&mut self, text: &[u8]) -> (Step, usize) {
        if let Some(comment) = self.comment {
            return (Step::Between, self.skip_comment(comment, text));
        }
        match (self.quote, text) {
            (Some(quote), [first, ..]) if quote == *first => {
                self.quote = None;
                (Step::Ends, 1)
            }
            (Some(_), _) => {
                let (byte, n_bytes) = unit(text);
                (Step::Character(byte), n_bytes)
            }
            (None, [first, ..]) if QUOTES.contains(first) => {
                self.quote = Some(*first);
                (Step::Opens, 1)
            }
            (None, [b'/', b'*', ..]) => self.begin_comment(Comment::Block, 2),
            (None, [b'/', b'/', ..]) => self.begin_comment(Comment::Line, 2),
            (None, [b'#', ..]) => self.begin_comment(Comment::Line, 1),
            (None, [first, ..]) if GLUE.contains(first) => (Step::Between, 1),
            (None, _) => (Step::Other, 1),
        }
    }

    fn begin_comment(&mut self, comment: Comment, n_bytes: usize) -> (Step, usize) {
        self.comment = Some(comment);
        (Step::Between, n_bytes)
    }

    fn skip_comment(&mut self, comment: Comment, text: &[u8]) -> usize {
        let (end, n_end) = match comment {
            Comment::Block if text.starts_with(b"*/") => (Some(0), 2),
            // Behind the first byte, which is no end.
            Comment::Block => return memchr::memchr(b'*', &text[1..]).map_or(text.len(), |at| at + 1),
            Comment::Line => (memchr::memchr2(b'\r', b'\n', text), 1),
        };
        match end {
            Some(end) => {
                self.comment = None;
                end + n_end
            }
            None => text.len(),
        }
    }
}

/// The character that stands first in a literal, if it is one of the text, and how many bytes it takes.
fn unit(text: &[u8]) -> (Option<u8>, usize) {
    if let Some((byte, n_bytes)) = numeric_escape(text) {
        return (Some(byte), n_bytes);
    }
    match text {
        [b'\\', b'\r', b'\n', ..] => (None, 3),
        [b'\\', b'\r' | b'\n', ..] => (None, 2),
        // U+2028 and U+2029 end lines as well (ECMA-262, 12.3).
        [b'\\', 0xe2, 0x80, 0xa8 | 0xa9, ..] => (None, 4),
        [b'\\', letter, ..] if control(*letter).is_some() => (control(*letter), 2),
        [b'\\', byte, ..] if !byte.is_ascii_alphanumeric() => (Some(*byte), 2),
        [b'&', b'#', rest @ ..] => reference(rest),
        // At the end of a line, it continues there.
        [b'\\'] | [] => (None, 1),
        [byte, ..] => (Some(*byte), 1),
    }
}

fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        _ => return None,
    })
}

/// The byte that an escape by number stands for, and how long that is: `\x58`, `\u0058`, `\u{58}`,
/// `\U00000058`, `\130`, `%58`, `%u0058`, and `` `u{58} `` of PowerShell.
pub(super) fn numeric_escape(text: &[u8]) -> Option<(u8, usize)> {
    let (n_prefix, (value, n_digits)) = match text {
        [b'\\', b'x' | b'u', b'{', rest @ ..] | [b'`', b'u', b'{', rest @ ..] => {
            let (value, n_digits) = number(rest, 16, MAX_ESCAPE)?;
            (3, (value, (rest.get(n_digits) == Some(&b'}')).then_some(n_digits + 1)?))
        }
        [b'\\', b'x', rest @ ..] => (2, number(rest, 16, 2)?),
        [b'\\', b'u', rest @ ..] | [b'%', b'u' | b'U', rest @ ..] => (2, all(rest, 4)?),
        [b'\\', b'U', rest @ ..] => (2, all(rest, 8)?),
        [b'%', rest @ ..] => (1, all(rest, 2)?),
        [b'\\', b'0'..=b'7', ..] => (1, number(&text[1..], 8, 3)?),
        _ => return None,
    };
    Some((u8::try_from(value).ok()?, n_prefix + n_digits))
}

/// The number that as many digits as there are stand for, up to `n_most`.
fn number(text: &[u8], radix: u32, n_most: usize) -> Option<(u32, usize)> {
    let digits = text.iter().take(n_most).map_while(|byte| char::from(*byte).to_digit(radix));
    let (mut value, mut n_digits) = (0u32, 0);
    for digit in digits {
        value = value.saturating_mul(radix).saturating_add(digit);
        n_digits += 1;
    }
    (n_digits > 0).then_some((value, n_digits))
}

fn all(text: &[u8], n_digits: usize) -> Option<(u32, usize)> {
    // Most of what begins like an escape is none.
    digit(*text.first()?)?;
    number(text, 16, n_digits).filter(|(_, n_found)| *n_found == n_digits)
}

/// The number in `&#43;` or `&#x2b;`, behind the `#`.
fn reference(rest: &[u8]) -> (Option<u8>, usize) {
    const LONGEST: usize = 32;
    let (radix, n_prefix) = if matches!(rest.first(), Some(b'x' | b'X')) { (16, 1) } else { (10, 0) };
    let found = number(&rest[n_prefix..], radix, LONGEST)
        .filter(|(_, n_digits)| rest.get(n_prefix + n_digits) == Some(&b';'));
    match found.and_then(|(value, n_digits)| Some((u8::try_from(value).ok()?, n_digits))) {
        Some((byte, n_digits)) => (Some(byte), 2 + n_prefix + n_digits + 1),
        None => (Some(b'&'), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_written_in_many_ways() {
        for text in [
            "X",
            "\\x58",
            "\\X58",
            "\\130",
            "\\u0058",
            "\\u{58}",
            "\\u{000000058}",
            "\\x{58}",
            "\\U00000058",
            "%58",
            "%u0058",
            "`u{58}",
            "&#88;",
            "&#x58;",
            "&#0000000088;",
        ] {
            let (byte, n_bytes) = unit(text.as_bytes());
            let is_one = byte == Some(b'X') && n_bytes == text.len();
            assert_eq!(is_one, text != "\\X58", "{text}");
        }
        for (text, expected) in [
            ("\\0", (Some(0), 2)),
            ("\\1234", (Some(0o123), 4)),
            ("\\xag", (Some(10), 3)),
            ("\\n", (Some(b'\n'), 2)),
            ("\\/", (Some(b'/'), 2)),
            ("\\\u{2028}", (None, 4)),
            ("\\", (None, 1)),
            ("\\u4e2d", (Some(b'\\'), 1)),
            ("\\u{58", (Some(b'\\'), 1)),
            ("%5", (Some(b'%'), 1)),
            ("&#;", (Some(b'&'), 1)),
        ] {
            assert_eq!(unit(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn comments_stand_between_literals() {
        for text in ["'a'/* ' */+'b'", "'a' // '\n+'b'", "'a' # '\n'b'", "'a'/***/.\r\n'b'", "'a', /* */ 'b'"]
        {
            let (mut strings, mut from, mut found) = (Strings::default(), 0, Vec::new());
            while from < text.len() {
                let (step, n_bytes) = strings.step(&text.as_bytes()[from..]);
                assert_ne!(step, Step::Other, "{text}");
                found.extend(match step {
                    Step::Character(byte) => byte,
                    _ => None,
                });
                from += n_bytes;
            }
            assert_eq!(found, b"ab", "{text}");
        }
    }
}
