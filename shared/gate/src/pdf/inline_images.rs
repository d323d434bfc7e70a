//! Finds images that stand amid the contents of pages, forms and annotations (ISO 32000-2, 8.9.7):
//! `pdfimages` (poppler 22.12) saves what a filter for images is applied to, up to the end of the stream.

use std::collections::BTreeSet;

use crate::blob::{Blob, to_u64, to_usize};
use crate::walk::{Walk, Walked};

use super::contents::{arrays, numbers, parts, texts};
use super::cursor::Cursor;
use super::filters::{Chain, Oddities, Wrapping, chains, decoded};
use super::index::Index;
use super::readings::Keys;
use super::tokens::{self, Token, is_regular};
use super::values;
use super::words::{APPEARANCE, CONTENTS};
use super::{index, is_image};

/// Its data with all that follows, and the filters.
#[derive(Debug)]
pub(super) struct InlineImage {
    data: Blob,
    chain: Chain,
}

impl InlineImage {
    /// Hands what its last filter is applied to.
    pub(super) fn hand(&self, walk: &mut Walk<'_>, depth: u32) -> Walked {
        let source = || Box::new(self.data.reader());
        for chain in [vec![self.chain.clone()], self.chain.with_other_digits()].concat() {
            let mut oddities = Oddities::default();
            for wrapping in [Wrapping::Zlib, Wrapping::Bare] {
                if wrapping == Wrapping::Zlib || oddities.has_bare_deflate {
                    walk.reading(&mut decoded(source(), &chain, wrapping, &mut oddities)?, depth)?;
                }
            }
        }
        Ok(())
    }
}

/// Every such image. All streams may be contents, but for images that nothing names as that.
pub(super) fn find(walk: &mut Walk<'_>, index: &mut Index, keys: &Keys) -> Walked<Vec<InlineImage>> {
    let mut shown = BTreeSet::new();
    for place in [index.values_of(CONTENTS), index.values_of(APPEARANCE)].concat() {
        index.references_at(place, |number| {
            shown.insert(number);
        })?;
    }
    let shown = index.with_referred(shown)?;
    let (mut images, mut cut) = (Vec::new(), BTreeSet::new());
    for stream in index.streams.clone() {
        let dictionary = index.dictionary(&stream)?;
        let number = stream.id.map(|(number, _)| number);
        let is_shown = number.is_some_and(|number| shown.contains(&number))
            || index.is_called(&dictionary, &[b"Form", b"Pattern", b"PatternType"])?;
        if !is_shown && is_image(index, &dictionary)? {
            continue;
        }
        for text in texts(walk, index, keys, &stream, &dictionary)? {
            if add_images(walk, index, &[text], &mut images)? {
                cut.extend(number);
            }
        }
    }
    for array in arrays(index, CONTENTS)? {
        let numbers = numbers(&array);
        if numbers.iter().any(|number| cut.contains(number)) {
            for parts in parts(walk, index, keys, &numbers)? {
                add_images(walk, index, &parts, &mut images)?;
            }
        }
    }
    Ok(images)
}

/// Adds the images of a text that comes in parts: the data of an image is in one of them. Returns whether the
/// last image has no data.
fn add_images(
    walk: &Walk<'_>,
    index: &mut Index,
    parts: &[Blob],
    images: &mut Vec<InlineImage>,
) -> Walked<bool> {
    const BEGIN: &[u8] = b"BI";
    const MAX_IMAGES: usize = 65_536;
    let mut is_cut = false;
    for (at, part) in parts.iter().enumerate() {
        let mut from = 0;
        while let Some(found) = part.find(from, BEGIN)? {
            from = found + to_u64(BEGIN.len());
            if !is_word(part, found)? {
                continue;
            }
            let Some(head) = Head::read(&parts[at..], from)? else {
                is_cut = true;
                continue;
            };
            index.count_read(head.text.size_bytes().min(head.end))?;
            let Some(dictionary) = values::values_until(&mut Cursor::new(&head.text, 0), head.end)? else {
                return index::too_many();
            };
            for chain in chains(index, &dictionary)? {
                if chain.filters.iter().any(|filter| filter.is_image()) {
                    let data = walk.kept(parts[at + head.part].tail(head.data_at))?;
                    images.push(InlineImage { data, chain });
                }
            }
            if images.len() > MAX_IMAGES {
                return index::too_many();
            }
        }
    }
    Ok(is_cut)
}

/// What stands between `BI` and `ID`.
struct Head {
    text: Blob,
    end: u64,
    /// Where the data begins: in which part, and where in that.
    part: usize,
    data_at: u64,
}

impl Head {
    /// Reads what stands behind `BI`; `None` if no data follows. No token goes from one part to the next.
    fn read(parts: &[Blob], from: u64) -> Walked<Option<Self>> {
        for longest in [512, 64 * 1024] {
            let (mut text, mut starts) = (Vec::new(), Vec::new());
            for (at, part) in parts.iter().enumerate() {
                let start = if at == 0 { from } else { 0 };
                starts.push((to_u64(text.len()), start));
                text.extend(part.bytes_at(start, longest - text.len())?);
                if text.len() >= longest {
                    break;
                }
                text.push(b'\n');
            }
            let text = Blob::from_bytes(text);
            let mut cursor = Cursor::new(&text, 0);
            while let Some((end, token)) = tokens::next(&mut cursor)? {
                // At the end of what was read, a word may be cut.
                if token == Token::Word(b"ID".to_vec()) && cursor.position() < text.size_bytes() {
                    let part = starts.partition_point(|(start, _)| *start <= end) - 1;
                    let (start, of_part) = starts[part];
                    // One byte behind it is skipped, whichever it is.
                    let data_at = of_part + (cursor.position() - start) + 1;
                    return Ok(Some(Self { text, end, part, data_at }));
                }
            }
        }
        Ok(None)
    }
}

/// Returns whether two letters are a word by themselves.
fn is_word(text: &Blob, at: u64) -> std::io::Result<bool> {
    let start = at.saturating_sub(1);
    let around = text.bytes_at(start, to_usize(at - start) + 3)?;
    let before = at.checked_sub(1).and(around.first());
    let behind = around.get(to_usize(at - start) + 2);
    Ok(before.is_none_or(|byte| !is_regular(*byte)) && behind.is_none_or(|byte| !is_regular(*byte)))
}
