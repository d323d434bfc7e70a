//! Restores the page or the text that Outlook keeps in RTF: what stands in `\htmltag` destinations and
//! between them ([MS-OXRTFEX] 2.1.3.1, 2.1.3.2).
//!
//! Readers (RTFDE 0.1.2 as extract-msg has it, Outlook) differ in how long `\htmlrtf` hides what is there for
//! readers of RTF alone.

use std::io::{self, Read};

use super::destinations::is_destination;
use super::substitutes::Substitutes;
use super::tokens::{Token, Tokens};
use crate::blob::Blob;
use crate::text_encoding::{decoder, hexadecimal_digit};

/// Words that say that something is encapsulated.
pub(super) const STARTS: [&[u8]; 2] = [b"fromhtml", b"fromtext"];

/// What `\htmlrtf` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hidden {
    /// It hides up to `\htmlrtf0`, or to the end of its group.
    ForGroup,
    UpToZero,
    /// It hides nothing, and neither does `\mhtmltag`.
    Nothing,
}

impl Hidden {
    pub(super) const ALL: [Self; 3] = [Self::ForGroup, Self::UpToZero, Self::Nothing];
}

/// Reads what is encapsulated, in the character set of the RTF. What is not ASCII there is U+FFFD.
pub(super) fn content(rtf: &Blob, hidden: Hidden) -> impl Read + use<> {
    const PIECE: usize = 16 * 1024;
    let mut reader = Reader::new(rtf, hidden);
    decoder(move || {
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE {
            if !reader.read(&mut piece)? {
                break;
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    })
}

/// More groups within each other than documents have: those beyond are like the one around them.
const MAX_GROUPS: usize = 10_000;
const OTHER: &[u8] = "\u{fffd}".as_bytes();

/// What holds in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Group {
    /// A destination that is no part of the content.
    is_foreign: bool,
    is_tag: bool,
    is_hidden: bool,
}

struct Reader {
    tokens: Tokens,
    hidden: Hidden,
    groups: Vec<Group>,
    n_deeper: u64,
    group: Group,
    /// What has been read of a group so far.
    start: Start,
    /// Whether a control word was the last thing: a space behind it is part of it.
    is_behind_word: bool,
    substitutes: Substitutes,
    n_substitutes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Brace,
    Star,
    Over,
}

impl Reader {
    fn new(rtf: &Blob, hidden: Hidden) -> Self {
        Self {
            tokens: Tokens::new(rtf),
            hidden,
            groups: Vec::new(),
            n_deeper: 0,
            group: Group::default(),
            start: Start::Over,
            is_behind_word: false,
            substitutes: Substitutes::default(),
            n_substitutes: 0,
        }
    }

    /// Reads one token. Returns `false` at the end.
    fn read(&mut self, content: &mut Vec<u8>) -> io::Result<bool> {
        let Some(token) = self.tokens.next_token()? else { return Ok(false) };
        let start = std::mem::replace(&mut self.start, Start::Over);
        let is_behind_word = std::mem::take(&mut self.is_behind_word);
        match token {
            Token::Open => self.open(),
            Token::Close => self.close(),
            Token::Symbol(b'*') if start == Start::Brace => self.start = Start::Star,
            Token::Symbol(b'\'') => self.take_escape(content)?,
            Token::Symbol(symbol) => self.take_symbol(symbol, content),
            Token::Word => self.take_word(start, content)?,
            Token::Text => self.take_text(is_behind_word, content),
        }
        Ok(true)
    }

    fn open(&mut self) {
        if self.groups.len() < MAX_GROUPS {
            self.groups.push(self.group);
        } else {
            self.n_deeper += 1;
        }
        (self.start, self.n_substitutes) = (Start::Brace, 0);
        self.substitutes.open();
    }

    fn close(&mut self) {
        let is_hidden = self.group.is_hidden;
        if self.n_deeper > 0 {
            self.n_deeper -= 1;
        } else {
            self.group = self.groups.pop().unwrap_or_default();
        }
        if self.hidden == Hidden::UpToZero {
            self.group.is_hidden = is_hidden;
        }
        self.n_substitutes = 0;
        self.substitutes.close();
    }

    fn is_shown(&self) -> bool {
        let is_hidden = self.group.is_hidden && self.hidden != Hidden::Nothing;
        !self.group.is_foreign && (self.group.is_tag || !is_hidden)
    }

    /// Adds a character, unless it stands behind one that it replaces.
    fn add(&mut self, character: &[u8], content: &mut Vec<u8>) {
        if self.n_substitutes > 0 {
            self.n_substitutes -= 1;
        } else if self.is_shown() {
            content.extend_from_slice(character);
        }
    }

    fn take_text(&mut self, is_behind_word: bool, content: &mut Vec<u8>) {
        let text = self.tokens.text().to_vec();
        let text = if is_behind_word { text.strip_prefix(b" ").unwrap_or(&text) } else { &text };
        for byte in text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
            self.add(&[*byte], content);
        }
    }

    fn take_escape(&mut self, content: &mut Vec<u8>) -> io::Result<()> {
        let mut digits = self.tokens.raw(1)?;
        digits.extend(self.tokens.raw(1)?);
        if let [high, low] = digits[..]
            && let (Some(high), Some(low)) = (hexadecimal_digit(high), hexadecimal_digit(low))
        {
            self.add(&[high << 4 | low], content);
        }
        Ok(())
    }

    fn take_symbol(&mut self, symbol: u8, content: &mut Vec<u8>) {
        match symbol {
            b'\\' | b'{' | b'}' => self.add(&[symbol], content),
            b'_' => self.add(b"-", content),
            b'~' => self.add(OTHER, content),
            b'\r' | b'\n' => self.add(b"\r\n", content),
            _ => {}
        }
    }

    fn take_word(&mut self, start: Start, content: &mut Vec<u8>) -> io::Result<()> {
        self.is_behind_word = true;
        let parameter = self.tokens.parameter();
        let is = |name: &[u8]| self.tokens.is_word(name);
        if is(b"bin") {
            let n_bytes = self.tokens.begin_binary()?;
            self.is_behind_word = false;
            self.tokens.skip(n_bytes)?;
        } else if is(b"htmltag") {
            (self.group.is_tag, self.group.is_foreign) = (true, false);
        } else if is(b"htmlrtf") {
            self.group.is_hidden = parameter != Some(0);
        } else if is(b"mhtmltag") && self.hidden == Hidden::Nothing {
            self.group.is_foreign = false;
        } else if start == Start::Star || start == Start::Brace && is_destination(self.tokens.name()) {
            self.group.is_foreign = true;
        } else if is(b"u") {
            let unit = u32::try_from(parameter.unwrap_or(0) & 0xffff).unwrap_or(0);
            let character = char::from_u32(unit).unwrap_or('\u{fffd}');
            self.add(character.encode_utf8(&mut [0; 4]).as_bytes(), content);
            self.n_substitutes = self.substitutes.n_characters();
        } else if is(b"uc") {
            self.substitutes.set(parameter);
        } else if is(b"par") || is(b"line") {
            self.add(b"\r\n", content);
        } else if is(b"tab") {
            self.add(b"\t", content);
        } else if self.n_substitutes > 0 {
            self.n_substitutes -= 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rtf: &str, expected: [&str; 3]) {
        for (hidden, expected) in Hidden::ALL.into_iter().zip(expected) {
            let mut text = String::new();
            content(&Blob::from_bytes(rtf.as_bytes().to_vec()), hidden).read_to_string(&mut text).unwrap();
            assert_eq!(text, expected, "{hidden:?}: {rtf}");
        }
    }

    #[test]
    fn a_page_is_what_stands_in_tags_and_between_them() {
        for rtf in [
            "{\\rtf1\\ansi\\fromhtml1 {\\*\\htmltag64 <p>}Cat{\\*\\htmltag72 </p>}}",
            "{\\rtf1\\fromhtml1{\\fonttbl A}{\\*\\htmltag64 <p}{\\*\\htmltag >C}at{\\*\\htmltag </p>}}",
            "{\\rtf1\\fromhtml1{\\*\\g}{\\*\\htmltag <p>\\'43}\\u97 ?t{\\*\\htmltag </}{\\*\\htmltag p>}}",
            "{\\rtf1\\fromhtml1\r\n{\\*\\htmltag <\r\np>}\\uc0\\u67\\u97 t\\bin3 {}}{\\htmltag </p>}}",
            "{\\rtf1\\fromhtml1 <p>{\\b C}\\plain a\\pard t</p>",
            "{\\rtf1\\fromhtml1{\\*\\HTMLTAG <p>}\\u67 \\'43at</p>}",
        ] {
            check(rtf, ["<p>Cat</p>"; 3]);
        }
        check("{\\rtf1\\fromhtml1 \\{a\\}\\\\\\_\\~\\par b\\tab c\\line}", ["{a}\\-\u{fffd}\r\nb\tc\r\n"; 3]);
        check("{\\rtf1\\fromtext begin 644 a\\par ab\\'63\\par end}", ["begin 644 a\r\nabc\r\nend"; 3]);
    }

    #[test]
    fn readers_differ_in_what_is_hidden() {
        check("{\\rtf1\\fromhtml1 a\\htmlrtf b\\htmlrtf0 c}", ["ac", "ac", "abc"]);
        check("{\\rtf1\\fromhtml1 a{\\htmlrtf b}c\\htmlrtf0 d}", ["acd", "ad", "abcd"]);
        check("{\\rtf1\\fromhtml1 a{\\*\\mhtmltag b}c}", ["ac", "ac", "abc"]);
        check("{\\rtf1\\fromhtml1 a\\htmlrtf {\\*\\htmltag b}c\\htmlrtf0}", ["ab", "ab", "abc"]);
    }

    #[test]
    fn groups_may_be_nested_as_deeply_as_they_are() {
        let n = MAX_GROUPS + 5;
        check(&format!("{}a{}b", "{".repeat(n), "}".repeat(n)), ["ab"; 3]);
    }
}
