//! Splits RTF into tokens (RTF 1.9.1, "RTF Syntax"). No text is malformed: everything is some token.

use std::io::{self, BufRead as _};

use crate::blob::{Blob, BlobReader, to_u64, to_usize};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Open,
    Close,
    /// A control word. Its name and its parameter are with [`Tokens`].
    Word,
    /// A backslash and the byte behind it.
    Symbol(u8),
    /// See [`Tokens::text`].
    Text,
}

/// Word reads no more of a control word and its parameter.
const MAX_WORD: usize = 253;

#[derive(Debug)]
pub(super) struct Tokens {
    source: BlobReader,
    name: Vec<u8>,
    parameter: Option<i64>,
    text: Vec<u8>,
}

impl Tokens {
    pub(super) fn new(blob: &Blob) -> Self {
        Self { source: blob.reader(), name: Vec::new(), parameter: None, text: Vec::new() }
    }

    pub(super) fn position(&self) -> u64 {
        self.source.position()
    }

    /// Returns whether the last control word is this one, in whatever case.
    pub(super) fn is_word(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    /// The number behind the last control word.
    pub(super) fn parameter(&self) -> Option<i64> {
        self.parameter
    }

    /// The last piece of text: not empty, and part of a longer one at times.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn next_token(&mut self) -> io::Result<Option<Token>> {
        let Some(byte) = self.peek()? else { return Ok(None) };
        let token = match byte {
            b'{' => Token::Open,
            b'}' => Token::Close,
            b'\\' => {
                self.source.consume(1);
                return self.behind_backslash().map(Some);
            }
            _ => {
                self.read_text()?;
                return Ok(Some(Token::Text));
            }
        };
        self.source.consume(1);
        Ok(Some(token))
    }

    fn read_text(&mut self) -> io::Result<()> {
        let buffer = self.source.fill_buf()?;
        let n_bytes = memchr::memchr3(b'{', b'}', b'\\', buffer).unwrap_or(buffer.len());
        self.text.clear();
        self.text.extend_from_slice(&buffer[..n_bytes]);
        self.source.consume(n_bytes);
        Ok(())
    }

    fn behind_backslash(&mut self) -> io::Result<Token> {
        self.name.clear();
        while let Some(letter) = self.peek()?.filter(u8::is_ascii_alphabetic) {
            if self.name.len() == MAX_WORD {
                break;
            }
            self.name.push(letter);
            self.source.consume(1);
        }
        if self.name.is_empty() {
            let symbol = self.peek()?;
            self.source.consume(symbol.map_or(0, |_| 1));
            return Ok(Token::Symbol(symbol.unwrap_or(b'\\')));
        }
        self.parameter = self.read_parameter()?;
        Ok(Token::Word)
    }

    /// A sign without digits is skipped as well: it is no data.
    fn read_parameter(&mut self) -> io::Result<Option<i64>> {
        let mut n_left = MAX_WORD - self.name.len();
        let is_negative = n_left > 0 && self.peek()? == Some(b'-');
        if is_negative {
            self.source.consume(1);
            n_left -= 1;
        }
        let mut value: Option<i64> = None;
        while n_left > 0 {
            let Some(digit) = self.peek()?.filter(u8::is_ascii_digit) else { break };
            self.source.consume(1);
            n_left -= 1;
            let scaled = value.unwrap_or(0).saturating_mul(10);
            value = Some(scaled.saturating_add((digit - b'0').into()));
        }
        Ok(value.map(|value| if is_negative { -value } else { value }))
    }

    /// How many bytes of binary data follow the control word `\bin`. One space before them is skipped; less
    /// than none is none.
    pub(super) fn begin_binary(&mut self) -> io::Result<u64> {
        if self.peek()? == Some(b' ') {
            self.source.consume(1);
        }
        Ok(self.parameter.and_then(|n_bytes| u64::try_from(n_bytes).ok()).unwrap_or(0))
    }

    /// Up to `n_bytes` as they stand; none only at the end.
    pub(super) fn raw(&mut self, n_bytes: u64) -> io::Result<Vec<u8>> {
        let buffer = self.source.fill_buf()?;
        let raw = buffer[..buffer.len().min(to_usize(n_bytes))].to_vec();
        self.source.consume(raw.len());
        Ok(raw)
    }

    pub(super) fn skip(&mut self, n_bytes: u64) -> io::Result<()> {
        let mut n_left = n_bytes;
        while n_left > 0 {
            let n_buffered = to_u64(self.source.fill_buf()?.len());
            if n_buffered == 0 {
                break;
            }
            let n_skipped = n_buffered.min(n_left);
            self.source.consume(to_usize(n_skipped));
            n_left -= n_skipped;
        }
        Ok(())
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.source.fill_buf()?.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut tokens = Tokens::new(&Blob::from_bytes(text.as_bytes().to_vec()));
        let mut all = Vec::new();
        while let Some(token) = tokens.next_token().unwrap() {
            all.push(match token {
                Token::Open => "{".to_owned(),
                Token::Close => "}".to_owned(),
                Token::Word => format!("{} {:?}", String::from_utf8_lossy(tokens.name()), tokens.parameter),
                Token::Symbol(byte) => format!("symbol {}", byte as char),
                Token::Text => String::from_utf8_lossy(tokens.text()).into_owned(),
            });
        }
        all
    }

    #[test]
    fn words_end_where_their_letters_or_digits_end() {
        assert_eq!(tokens("{\\b a}"), ["{", "b None", " a", "}"]);
        assert_eq!(tokens("\\b0\\b-1a\\b-"), ["b Some(0)", "b Some(-1)", "a", "b None"]);
        assert_eq!(tokens("\\*\\'41\\{\\"), ["symbol *", "symbol '", "41", "symbol {", "symbol \\"]);
        assert_eq!(tokens(&format!("\\b{}", "9".repeat(60))), [format!("b Some({})", i64::MAX)]);
        assert_eq!(tokens(&format!("\\b{}", "9".repeat(260)))[1], "9".repeat(8), "no word is longer");
    }

    #[test]
    fn binary_data_are_counted() {
        for (text, expected) in
            [("\\bin3 {}}x", &b"{}}"[..]), ("\\bin3{}}x", b"{}}"), ("\\bin-3 x", b""), ("\\bin99 ab", b"ab")]
        {
            let mut tokens = Tokens::new(&Blob::from_bytes(text.as_bytes().to_vec()));
            assert_eq!(tokens.next_token().unwrap(), Some(Token::Word));
            let n_bytes = tokens.begin_binary().unwrap();
            assert_eq!(tokens.raw(n_bytes).unwrap(), expected, "{text}");
        }
    }
}
