//! Splits PDF into tokens (ISO 32000-2, 7.2). Nothing is an error: readers continue behind what they do not
//! understand.

use std::io;

use super::cursor::Cursor;
use super::numbers;

/// Longer ones are cut: no key, filter, key of an encryption or identifier is as long.
const MAX_NAME: usize = 256;
const MAX_STRING: usize = 1024;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    Name(Vec<u8>),
    Integer(i64),
    /// A number with a point, as its whole part: readers take it for that, or for no integer.
    Real(i64),
    /// A number that readers read differently, as each reads it.
    Either(Vec<i64>),
    String(Vec<u8>),
    OpenDictionary,
    OpenArray,
    Close,
    /// An operator.
    Word(Vec<u8>),
}

impl Token {
    /// What readers take it for that want a whole number; nothing if it is none.
    pub(super) fn integers(&self) -> &[i64] {
        match self {
            Self::Integer(integer) | Self::Real(integer) => std::slice::from_ref(integer),
            Self::Either(integers) => integers,
            _ => &[],
        }
    }
}

pub(super) fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

pub(super) fn is_regular(byte: u8) -> bool {
    !is_white(byte) && !is_delimiter(byte)
}

/// Skips white space and comments.
pub(super) fn skip_blank(cursor: &mut Cursor<'_>) -> io::Result<()> {
    loop {
        cursor.skip_while(is_white)?;
        if cursor.peek()? != Some(b'%') {
            return Ok(());
        }
        cursor.skip_while(|byte| byte != b'\n' && byte != b'\r')?;
    }
}

/// The next token, and where it begins; `None` at the end.
pub(super) fn next(cursor: &mut Cursor<'_>) -> io::Result<Option<(u64, Token)>> {
    skip_blank(cursor)?;
    let start = cursor.position();
    let Some(first) = cursor.next()? else { return Ok(None) };
    let token = match first {
        b'/' => Token::Name(name(cursor)?),
        b'(' => Token::String(literal_string(cursor, MAX_STRING)?),
        b'<' if cursor.peek()? == Some(b'<') => {
            cursor.skip(1);
            Token::OpenDictionary
        }
        b'<' => Token::String(hexadecimal_string(cursor, MAX_STRING)?),
        b'>' => {
            if cursor.peek()? == Some(b'>') {
                cursor.skip(1);
            }
            Token::Close
        }
        b'[' => Token::OpenArray,
        b']' => Token::Close,
        b')' | b'{' | b'}' => Token::Word(vec![first]),
        b'0'..=b'9' | b'+' | b'-' | b'.' => numbers::number(cursor, first)?,
        _ => Token::Word(word(cursor, first)?),
    };
    Ok(Some((start, token)))
}

/// What follows the solidus, with `#46` undone.
pub(super) fn name(cursor: &mut Cursor<'_>) -> io::Result<Vec<u8>> {
    let mut name = Vec::new();
    while let Some(mut byte) = cursor.peek()?.filter(|byte| is_regular(*byte)) {
        cursor.skip(1);
        if byte == b'#' {
            let digits = (digit(cursor.peek_at(0)?), digit(cursor.peek_at(1)?));
            if let (Some(high), Some(low)) = digits {
                cursor.skip(2);
                byte = high << 4 | low;
            }
        }
        if name.len() < MAX_NAME {
            name.push(byte);
        }
    }
    Ok(name)
}

fn digit(byte: Option<u8>) -> Option<u8> {
    let digit = char::from(byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Returns whether a number begins here.
pub(super) fn number_follows(cursor: &mut Cursor<'_>) -> io::Result<bool> {
    skip_blank(cursor)?;
    Ok(cursor.peek()?.is_some_and(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.')))
}

/// The string that begins here, up to `max` bytes; `None` if none does.
pub(super) fn string(cursor: &mut Cursor<'_>, max: usize) -> io::Result<Option<Vec<u8>>> {
    skip_blank(cursor)?;
    let opening = cursor.peek()?;
    cursor.skip(1);
    match opening {
        Some(b'(') => literal_string(cursor, max).map(Some),
        Some(b'<') if cursor.peek()? != Some(b'<') => hexadecimal_string(cursor, max).map(Some),
        _ => Ok(None),
    }
}

fn literal_string(cursor: &mut Cursor<'_>, max: usize) -> io::Result<Vec<u8>> {
    let (mut string, mut n_open) = (Vec::new(), 1);
    while let Some(byte) = cursor.next()? {
        let byte = match byte {
            b'(' => {
                n_open += 1;
                Some(byte)
            }
            b')' if n_open == 1 => break,
            b')' => {
                n_open -= 1;
                Some(byte)
            }
            b'\\' => escaped(cursor)?,
            _ => Some(byte),
        };
        string.extend(byte.filter(|_| string.len() < max));
    }
    Ok(string)
}

/// What a reversed solidus and what follows it stand for; nothing before the end of a line.
fn escaped(cursor: &mut Cursor<'_>) -> io::Result<Option<u8>> {
    let Some(byte) = cursor.next()? else { return Ok(None) };
    Ok(match byte {
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(8),
        b'f' => Some(12),
        b'0'..=b'7' => {
            let mut value = u32::from(byte - b'0');
            for _ in 0..2 {
                let Some(next) = cursor.peek()?.filter(|next| (b'0'..=b'7').contains(next)) else { break };
                value = value * 8 + u32::from(next - b'0');
                cursor.skip(1);
            }
            Some(value.to_le_bytes()[0])
        }
        b'\r' => {
            if cursor.peek()? == Some(b'\n') {
                cursor.skip(1);
            }
            None
        }
        b'\n' => None,
        _ => Some(byte),
    })
}

fn hexadecimal_string(cursor: &mut Cursor<'_>, max: usize) -> io::Result<Vec<u8>> {
    let (mut string, mut high) = (Vec::new(), None);
    while let Some(byte) = cursor.next()?.filter(|byte| *byte != b'>') {
        let Some(digit) = digit(Some(byte)) else { continue };
        match high.take() {
            None => high = Some(digit),
            Some(high) if string.len() < max => string.push(high << 4 | digit),
            Some(_) => {}
        }
    }
    string.extend(high.map(|high| high << 4));
    Ok(string)
}

fn word(cursor: &mut Cursor<'_>, first: u8) -> io::Result<Vec<u8>> {
    let mut word = vec![first];
    while let Some(byte) = cursor.peek()?.filter(|byte| is_regular(*byte)) {
        cursor.skip(1);
        if word.len() < MAX_NAME {
            word.push(byte);
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;

    fn tokens(text: &[u8]) -> Vec<Token> {
        let blob = Blob::from_bytes(text.to_vec());
        let mut cursor = Cursor::new(&blob, 0);
        std::iter::from_fn(|| next(&mut cursor).unwrap()).map(|(_, token)| token).collect()
    }

    #[test]
    fn tokens_are_read_as_readers_do() {
        let name = |text: &[u8]| Token::Name(text.to_vec());
        let string = |text: &[u8]| Token::String(text.to_vec());
        let word = |text: &[u8]| Token::Word(text.to_vec());
        let cases: &[(&[u8], Vec<Token>)] = &[
            (b"/#46ilter/Fl#61te", vec![name(b"Filter"), name(b"Flate")]),
            (b"/a#4g#", vec![name(b"a#4g#")]),
            (b"4 0R", vec![Token::Integer(4), Token::Integer(0), word(b"R")]),
            (b"+7 -1 1.5", vec![Token::Integer(7), Token::Integer(-1), Token::Real(1)]),
            (b"(a(b)\\)\\101\\\r\nc)", vec![string(b"a(b))Ac")]),
            (b"<4 1 4>", vec![string(b"A@")]),
            (
                b"<</A[%]>>\n1]>>",
                vec![
                    Token::OpenDictionary,
                    name(b"A"),
                    Token::OpenArray,
                    Token::Integer(1),
                    Token::Close,
                    Token::Close,
                ],
            ),
            (b"\0\x0cobj", vec![word(b"obj")]),
            (b"(open", vec![string(b"open")]),
        ];
        for (text, expected) in cases {
            assert_eq!(&tokens(text), expected, "{}", text.escape_ascii());
        }
    }
}
