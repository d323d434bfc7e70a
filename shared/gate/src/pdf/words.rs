//! Recognises the words that an object begins with, and the keys that matter.

use std::io;

use crate::blob::Blob;

use super::cursor::Cursor;
use super::tokens::{self, Token, is_regular, is_white};
use super::values;

/// The longest key, with every letter escaped, and what ends it.
pub(super) const MAX_KEY: usize = 64;

/// Keys of what readers save as files. Fonts are among them: `mutool extract` saves what is there, whether it
/// is a font or not.
const SAVED: [&[u8]; 10] =
    [b"EF", b"RF", b"XFA", b"JS", b"FontFile", b"FontFile2", b"FontFile3", b"JBIG2Globals", b"Sound", b"3DD"];
pub(super) const ENCRYPT: &[u8] = b"Encrypt";
pub(super) const ID: &[u8] = b"ID";

/// Number and generation at the end of what stands before `obj`.
pub(super) fn header(before: &[u8]) -> Option<(u64, u64)> {
    let (rest, generation) = number_at_end(trim_white(before))?;
    let trimmed = trim_white(rest);
    let (_, number) = number_at_end(trimmed)?;
    (trimmed.len() < rest.len()).then_some((number, generation))
}

fn trim_white(text: &[u8]) -> &[u8] {
    let n_white = text.iter().rev().take_while(|byte| is_white(**byte)).count();
    &text[..text.len() - n_white]
}

fn number_at_end(text: &[u8]) -> Option<(&[u8], u64)> {
    let n_digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (rest, digits) = text.split_at(text.len() - n_digits);
    Some((rest, std::str::from_utf8(digits).ok()?.parse().ok()?))
}

/// Which key a name is, and how many bytes it takes.
pub(super) fn key(text: &[u8]) -> Option<(&'static [u8], usize)> {
    let n_bytes = text.iter().take_while(|byte| is_regular(**byte)).count();
    let text = &text[..n_bytes];
    let keys = || SAVED.into_iter().chain([ENCRYPT, ID]);
    let found = if text.contains(&b'#') {
        let blob = Blob::from_bytes(text.get(..MAX_KEY).unwrap_or(text).to_vec());
        let name = tokens::name(&mut Cursor::new(&blob, 0)).ok()?;
        keys().find(|key| *key == name)
    } else {
        keys().find(|key| *key == text)
    };
    found.map(|key| (key, n_bytes))
}

/// The `stream` behind a dictionary. One that is not closed ends there as well.
pub(super) fn stream_word(cursor: &mut Cursor<'_>) -> io::Result<Option<u64>> {
    let Some((_, Token::OpenDictionary)) = tokens::next(cursor)? else { return Ok(None) };
    let mut depth = 1u32;
    while let Some((start, token)) = tokens::next(cursor)? {
        match token {
            Token::OpenDictionary | Token::OpenArray => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word(word) if word.starts_with(b"stream") => return Ok(Some(start)),
            Token::Word(word) if values::is_end_of_object(&word) => return Ok(None),
            _ if depth == 0 => return Ok(None),
            _ => {}
        }
    }
    Ok(None)
}
