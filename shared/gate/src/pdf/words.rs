//! Recognises the words that an object begins with, and the keys that matter.

use std::io;

use crate::blob::Blob;

use super::cursor::Cursor;
use super::tokens::{self, Token, is_regular};
use super::values;

/// The longest key, with every letter escaped, and what ends it.
pub(super) const MAX_KEY: usize = 64;

/// Keys of what readers save as files. Fonts are among them: `mutool extract` saves what is there, whether it
/// is a font or not. And metadata, which `pdfinfo -meta` (poppler 22.12) writes as it is.
const SAVED: [&[u8]; 11] = [
    b"EF",
    b"RF",
    FORM,
    SCRIPT,
    b"FontFile",
    b"FontFile2",
    b"FontFile3",
    b"JBIG2Globals",
    b"Sound",
    b"3DD",
    b"Metadata",
];
/// Keys whose values are looked at by themselves: contents of pages and of signatures, how annotations look,
/// scripts, and forms.
const FOLLOWED: [&[u8]; 4] = [CONTENTS, APPEARANCE, SCRIPT, FORM];
pub(super) const CONTENTS: &[u8] = b"Contents";
pub(super) const APPEARANCE: &[u8] = b"AP";
pub(super) const SCRIPT: &[u8] = b"JS";
pub(super) const FORM: &[u8] = b"XFA";
pub(super) const ENCRYPT: &[u8] = b"Encrypt";
pub(super) const ID: &[u8] = b"ID";
/// In the dictionary of a signature (ISO 32000-2, table 255), whose contents are a string.
pub(super) const BYTE_RANGE: &[u8] = b"ByteRange";
pub(super) const SUB_FILTER: &[u8] = b"SubFilter";

/// Returns whether a key that matters may follow the solidus.
pub(super) fn may_be_key(text: &[u8]) -> bool {
    matches!(
        text,
        [b'E' | b'R' | b'X' | b'J' | b'F' | b'S' | b'I' | b'3' | b'#', ..]
            | [b'B', b'y' | b'#', ..]
            | [b'C', b'o' | b'#', ..]
            | [b'A', b'P' | b'#', ..]
            | [b'M', b'e' | b'#', ..]
    )
}

/// Which key a name is, and how many bytes it takes.
pub(super) fn key(text: &[u8]) -> Option<(&'static [u8], usize)> {
    let n_bytes = text.iter().take_while(|byte| is_regular(**byte)).count();
    let text = &text[..n_bytes];
    let keys = || SAVED.into_iter().chain(FOLLOWED).chain([ENCRYPT, ID, BYTE_RANGE, SUB_FILTER]);
    let found = if text.contains(&b'#') {
        let blob = Blob::from_bytes(text.get(..MAX_KEY).unwrap_or(text).to_vec());
        let name = tokens::name(&mut Cursor::new(&blob, 0)).ok()?;
        keys().find(|key| *key == name)
    } else {
        keys().find(|key| *key == text)
    };
    found.map(|key| (key, n_bytes))
}

pub(super) fn is_saved(key: &[u8]) -> bool {
    SAVED.contains(&key)
}

pub(super) fn is_followed(key: &[u8]) -> bool {
    FOLLOWED.contains(&key)
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
