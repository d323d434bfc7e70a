//! Unwraps content that is signed, digested, authenticated, time-stamped or compressed (CMS, RFC 5652,
//! 3274 and 5544; `smime.p7m`): mail programs, openssl and gpgsm show it.
//!
//! gpgsm takes sizes and types that openssl refuses, and both take BER, which the crate `cms` does not. What
//! matters is a few object identifiers and what stands behind them, so that is read here.

mod ber;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_usize};
use crate::inflate::Inflate;
use crate::walk::{Walk, Walked, refuse};

use ber::{EXPLICIT_0, Head, Heads, OBJECT_IDENTIFIER, OCTETS, OCTETS_IN_PIECES, Pieces, SEQUENCE};

/// What becomes of content, by its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ContentType {
    /// Its content is what a recipient gets, or has a type itself.
    Open,
    Compressed,
    /// The content is not tagged.
    TimeStamped,
    Encrypted,
}

impl ContentType {
    fn of(identifier: &[u8]) -> Option<Self> {
        const PKCS_7: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07";
        const SMIME: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01";
        if let Some(number) = identifier.strip_prefix(PKCS_7) {
            return match number {
                // Data, signed data, digested data.
                [1 | 2 | 5] => Some(Self::Open),
                // Enveloped, signed and enveloped, encrypted.
                [3 | 4 | 6] => Some(Self::Encrypted),
                _ => None,
            };
        }
        match identifier.strip_prefix(SMIME)? {
            // Authenticated data.
            [2] => Some(Self::Open),
            [9] => Some(Self::Compressed),
            // Authenticated and enveloped.
            [23] => Some(Self::Encrypted),
            [31] => Some(Self::TimeStamped),
            _ => None,
        }
    }
}

/// Content behind its type: `SEQUENCE { identifier, [0] { content } }`.
struct Typed {
    content_type: Option<ContentType>,
    /// The tag, and the first value in it.
    tag: Head,
    value: Head,
    /// Whether nothing stands around it.
    is_outermost: bool,
}

/// Hands over whatever is wrapped, if the blob begins with a wrapper. Refuses what is encrypted.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !begins(blob)? {
        return Ok(());
    }
    let mut contents = Contents::new(blob);
    let (mut is_encrypted, mut is_compressed) = (false, false);
    while let Some(typed) = contents.next_content()? {
        is_compressed |= typed.content_type == Some(ContentType::Compressed);
        is_encrypted |= typed.content_type == Some(ContentType::Encrypted) && typed.value.tag == SEQUENCE;
        if typed.content_type == Some(ContentType::TimeStamped) && typed.is_outermost {
            hand_first_octets(walk, blob, depth)?;
        }
        hand(walk, blob, &typed, is_compressed, depth)?;
    }
    if is_encrypted { refuse(Unscannable::Encrypted, "an encrypted CMS message") } else { Ok(()) }
}

fn begins(blob: &Blob) -> Walked<bool> {
    let mut heads = Heads::new(blob);
    let (Some(sequence), Some(identifier), Some(tag)) =
        (heads.next_head()?, heads.next_head()?, heads.next_head()?)
    else {
        return Ok(false);
    };
    Ok(is_typed(&sequence, &identifier, &tag) && content_type(blob, &identifier)?.is_some())
}

fn hand(walk: &mut Walk<'_>, blob: &Blob, typed: &Typed, is_compressed: bool, depth: u32) -> Walked {
    let Typed { tag, value, .. } = typed;
    if matches!(value.tag, OCTETS | OCTETS_IN_PIECES) {
        let content = hand_octets(walk, blob, value, depth)?;
        if is_compressed {
            const ZLIB_HEADER: u64 = 2;
            walk.reading_cut_off(|| Ok(Inflate::new(content.tail(ZLIB_HEADER).reader())), depth)?;
        }
    }
    let Some(end) = tag.end().filter(|_| !typed.is_outermost) else { return Ok(()) };
    // To gpgsm, the tag says where its content ends: pieces, or whatever stands behind the first head.
    if value.tag == OCTETS_IN_PIECES {
        walk.reading(&mut Pieces::up_to(blob, value, Some(end))?, depth)?;
    } else {
        walk.reading_of(blob.slice(value.content_at, end.saturating_sub(value.content_at)), depth)?;
    }
    Ok(())
}

fn hand_octets(walk: &mut Walk<'_>, blob: &Blob, octets: &Head, depth: u32) -> Walked<Blob> {
    match octets.size {
        Some(size) if octets.tag == OCTETS => walk.reading_of(blob.slice(octets.content_at, size), depth),
        _ => walk.reading(&mut Pieces::of(blob, octets)?, depth),
    }
}

/// For time-stamped data: in front of the content stand a version, an address and a name.
fn hand_first_octets(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    let mut heads = Heads::new(blob);
    while let Some(head) = heads.next_head()? {
        if matches!(head.tag, OCTETS | OCTETS_IN_PIECES) {
            hand_octets(walk, blob, &head, depth)?;
            break;
        }
    }
    Ok(())
}

/// Finds content behind its type, however deep.
struct Contents {
    blob: Blob,
    heads: Heads,
    /// The last heads, the newest one first.
    before: [Option<Head>; 3],
}

impl Contents {
    fn new(blob: &Blob) -> Self {
        Self { blob: blob.clone(), heads: Heads::new(blob), before: [None; 3] }
    }

    fn next_content(&mut self) -> Walked<Option<Typed>> {
        while let Some(value) = self.heads.next_head()? {
            let before = self.before;
            self.before = [Some(value), before[0], before[1]];
            if let [Some(tag), Some(identifier), Some(sequence)] = before
                && is_typed(&sequence, &identifier, &tag)
            {
                let content_type = content_type(&self.blob, &identifier)?;
                return Ok(Some(Typed { content_type, tag, value, is_outermost: sequence.at == 0 }));
            }
        }
        Ok(None)
    }
}

fn content_type(blob: &Blob, identifier: &Head) -> Walked<Option<ContentType>> {
    const MOST: u64 = 32;
    let size = identifier.size.unwrap_or(0).min(MOST);
    Ok(ContentType::of(&blob.bytes_at(identifier.content_at, to_usize(size))?))
}

fn is_typed(sequence: &Head, identifier: &Head, tag: &Head) -> bool {
    // Behind a type without content, something else may be tagged alike: the certificates of a detached
    // signature.
    let is_within = sequence.end().is_none_or(|end| tag.at < end);
    (sequence.tag, identifier.tag, tag.tag) == (SEQUENCE, OBJECT_IDENTIFIER, EXPLICIT_0) && is_within
}
