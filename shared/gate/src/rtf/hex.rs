//! Decodes the hexadecimal digits of a destination, in each way that readers do.

use std::io::{self, Read};

use crate::blob::Blob;

use super::destinations::is_destination;
use super::substitutes::Substitutes;
use super::tokens::{Token, Tokens};

/// What a group within the destination is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Nested {
    /// Part of it, unless it is a destination of its own.
    Destination,
    /// Part of it, unless it begins with `\*`.
    Starred,
    Part,
    NoPart,
}

/// What `\'xx` does, whatever the two characters are, and `\uN`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Escape {
    /// As Word: a lonely digit before it is dropped.
    DropsDigit,
    Nothing,
    /// Two digits of the data.
    Digits,
    /// One character, and so is `\uN`: as LibreOffice.
    Characters,
}

/// What `\bin` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Binary {
    Data,
    Skipped,
    /// Nothing: what follows is text.
    Ignored,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Style {
    pub(super) nested: Nested,
    pub(super) escape: Escape,
    pub(super) binary: Binary,
}

/// Reads the bytes that the digits of a destination stand for. A digit too many is dropped.
#[derive(Debug)]
pub(super) struct Hex {
    tokens: Tokens,
    style: Style,
    level: u64,
    /// The level of the outermost group that is no part of the data.
    foreign_level: Option<u64>,
    begins_group: bool,
    substitutes: Substitutes,
    /// What is left of the substitutes of the last character.
    n_substitutes: u64,
    /// Whether `\uN` has just been read: a space behind it is part of it.
    ends_with_space: bool,
    n_binary: u64,
    high: Option<u8>,
    has_ended: bool,
    ready: io::Cursor<Vec<u8>>,
}

impl Hex {
    /// Reads `body`, which goes from behind the destination's control word to the end of its group. Around
    /// it, characters have these `substitutes`.
    pub(super) fn new(body: &Blob, style: Style, substitutes: Substitutes) -> Self {
        Self {
            tokens: Tokens::new(body),
            style,
            level: 0,
            foreign_level: None,
            begins_group: false,
            substitutes,
            n_substitutes: 0,
            ends_with_space: false,
            n_binary: 0,
            high: None,
            has_ended: false,
            ready: io::Cursor::default(),
        }
    }

    fn decode_more(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.n_binary > 0 {
            self.take_binary(&mut bytes)?;
            return Ok(bytes);
        }
        let begins_group = std::mem::take(&mut self.begins_group);
        let ends_with_space = std::mem::take(&mut self.ends_with_space);
        match self.tokens.next_token()? {
            None => self.has_ended = true,
            Some(Token::Open) => {
                self.level = self.level.saturating_add(1);
                self.begins_group = true;
                self.substitutes.open();
                if self.style.nested == Nested::NoPart {
                    self.foreign_level.get_or_insert(self.level);
                }
            }
            Some(Token::Close) => {
                if self.foreign_level == Some(self.level) {
                    self.foreign_level = None;
                }
                self.level = self.level.saturating_sub(1);
                self.substitutes.close();
            }
            Some(Token::Symbol(b'*')) if begins_group && self.style.nested == Nested::Starred => {
                self.foreign_level.get_or_insert(self.level);
            }
            Some(Token::Symbol(b'\'')) => self.take_escape(&mut bytes)?,
            Some(Token::Word) => self.take_word(&mut bytes)?,
            Some(Token::Text) if self.foreign_level.is_none() => {
                let text = self.tokens.text();
                let n_delimiters = usize::from(ends_with_space && text.starts_with(b" "));
                for byte in &text[n_delimiters..] {
                    if self.n_substitutes == 0 || matches!(byte, b'\r' | b'\n') {
                        take_digit(&mut self.high, *byte, &mut bytes);
                    } else {
                        self.n_substitutes -= 1;
                    }
                }
            }
            Some(Token::Symbol(_) | Token::Text) => {}
        }
        Ok(bytes)
    }

    fn take_word(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if self.style.escape == Escape::Characters {
            self.take_unicode(bytes);
        }
        if self.style.binary != Binary::Ignored && self.tokens.is_word(b"bin") {
            self.n_binary = self.tokens.begin_binary()?;
        } else if self.style.nested == Nested::Destination && is_destination(self.tokens.name()) {
            // Another one in the same group ends this one.
            self.has_ended = self.level == 0;
            self.foreign_level.get_or_insert(self.level);
        }
        Ok(())
    }

    fn take_unicode(&mut self, bytes: &mut Vec<u8>) {
        let parameter = self.tokens.parameter();
        if self.tokens.is_word(b"uc") {
            self.substitutes.set(parameter);
        } else if self.tokens.is_word(b"u") && self.foreign_level.is_none() {
            let unit = parameter.unwrap_or(0) & 0xffff;
            take_digit(&mut self.high, u8::try_from(unit).unwrap_or(0), bytes);
            self.n_substitutes = self.substitutes.n_characters();
            self.ends_with_space = true;
        }
    }

    fn take_escape(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if self.foreign_level.is_some() {
            return self.tokens.skip(2);
        }
        match self.style.escape {
            Escape::DropsDigit => {
                self.high = None;
                self.tokens.skip(2)
            }
            Escape::Nothing => self.tokens.skip(2),
            Escape::Digits => {
                for byte in self.tokens.raw(2)? {
                    take_digit(&mut self.high, byte, bytes);
                }
                Ok(())
            }
            Escape::Characters if self.n_substitutes > 0 => {
                self.n_substitutes -= 1;
                self.tokens.skip(2)
            }
            Escape::Characters => {
                let (mut high, mut character) = (None, Vec::new());
                for _ in 0..2 {
                    let digit = self.tokens.raw(1)?;
                    for byte in digit {
                        take_digit(&mut high, byte, &mut character);
                    }
                }
                for byte in character {
                    take_digit(&mut self.high, byte, bytes);
                }
                Ok(())
            }
        }
    }

    fn take_binary(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let raw = self.tokens.raw(self.n_binary)?;
        self.n_binary = if raw.is_empty() { 0 } else { self.n_binary.saturating_sub(raw.len() as u64) };
        if self.style.binary == Binary::Data && self.foreign_level.is_none() {
            for byte in raw {
                take_half(&mut self.high, byte >> 4, bytes);
                take_half(&mut self.high, byte & 0x0f, bytes);
            }
        }
        Ok(())
    }
}

fn take_digit(high: &mut Option<u8>, byte: u8, bytes: &mut Vec<u8>) {
    let half = match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => return,
    };
    take_half(high, half, bytes);
}

fn take_half(high: &mut Option<u8>, half: u8, bytes: &mut Vec<u8>) {
    match high.take() {
        Some(first) => bytes.push(first << 4 | half),
        None => *high = Some(half),
    }
}

impl Read for Hex {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let n_bytes = self.ready.read(buffer)?;
            if n_bytes > 0 || buffer.is_empty() || self.has_ended {
                return Ok(n_bytes);
            }
            self.ready = io::Cursor::new(self.decode_more()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(body: &str, nested: Nested, escape: Escape, binary: Binary) -> String {
        let style = Style { nested, escape, binary };
        let body = Blob::from_bytes(body.as_bytes().to_vec());
        let mut hex = Hex::new(&body, style, Substitutes::default());
        let mut bytes = Vec::new();
        hex.read_to_end(&mut bytes).unwrap();
        bytes.into_iter().map(char::from).collect()
    }

    #[test]
    fn what_stands_between_digits_is_no_data() {
        for body in [
            "436174",
            "43 61\r\n74",
            "4\t36174",
            "43617",
            "4361\\par 74",
            "zz43zz6174zz",
            "4\\b0 36174",
            "43{}{{}}6174",
            "43\\~6174\\{",
        ] {
            for nested in [Nested::Destination, Nested::Starred, Nested::Part, Nested::NoPart] {
                let cat = decoded(body, nested, Escape::Nothing, Binary::Data);
                assert_eq!(cat, if body == "43617" { "Ca" } else { "Cat" }, "{body}");
            }
        }
    }

    #[test]
    fn groups_are_read_in_four_ways() {
        let all = |body: &str| {
            [Nested::Destination, Nested::Starred, Nested::Part, Nested::NoPart]
                .map(|nested| decoded(body, nested, Escape::Nothing, Binary::Data))
        };
        assert_eq!(all("43{\\b 61}74"), ["Cat", "Cat", "Cat", "Ct"]);
        assert_eq!(all("43{\\*\\x 61}74"), ["Cat", "Ct", "Cat", "Ct"]);
        assert_eq!(all("43{\\pict 61{61}}74"), ["Ct", "Caat", "Caat", "Ct"]);
        assert_eq!(all("43{{\\*\\x 61}61}74"), ["Caat", "Cat", "Caat", "Ct"]);
        assert_eq!(all("43\\pict 6174"), ["C", "Cat", "Cat", "Cat"]);
    }

    #[test]
    fn escapes_are_read_in_four_ways() {
        let all = |body: &str| {
            [Escape::DropsDigit, Escape::Nothing, Escape::Digits, Escape::Characters]
                .map(|escape| decoded(body, Nested::Part, escape, Binary::Data))
        };
        assert_eq!(all("43\\'616174"), ["Cat", "Cat", "Caat", "C\u{a6}\u{17}"]);
        assert_eq!(all("436\\'zz6174"), ["Cat", "Cf\u{17}", "Cf\u{17}", "Cf\u{17}"]);
        assert_eq!(all("43\\'36\\'3174"), ["Ct", "Ct", "C61t", "Cat"]);
    }

    #[test]
    fn characters_by_number_have_substitutes() {
        let characters = |body: &str| decoded(body, Nested::Part, Escape::Characters, Binary::Data);
        for body in [
            "43\\u54?174",
            "43\\u54 1174",
            "43\\u54\r\n\\'41174",
            "43\\uc0\\u54 174",
            "43\\uc2\\u54 11174",
            "{\\uc0 4}3\\u-65482?174",
            "43\\u8206?6174",
        ] {
            assert_eq!(characters(body), "Cat", "{body}");
        }
        assert_eq!(decoded("436\\u54 174", Nested::Part, Escape::Nothing, Binary::Data), "Cat");
    }

    #[test]
    fn binary_data_are_read_in_three_ways() {
        let all = |body: &str| {
            [Binary::Data, Binary::Skipped, Binary::Ignored]
                .map(|binary| decoded(body, Nested::Part, Escape::Nothing, binary))
        };
        assert_eq!(all("43\\bin1 a74"), ["Cat", "Ct", "C\u{a7}"]);
        assert_eq!(all("43\\bin0 6174"), ["Cat", "Cat", "Cat"]);
    }
}
