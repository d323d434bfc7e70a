//! Mail: every part, decoded, is handed to the engine; so is every run of base64, whatever the headers say about it.
//!
//! Readers of MIME differ in a hundred small ways (RFC 2045 to 2049). The runs make most of those differences irrelevant.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use domain::verdict::Unscannable;
use mail_parser::{MessageParser, PartType};

use crate::blob::{Blob, to_u64, to_usize};
use crate::capability::Method;
use crate::text_encoding::decode_base64;
use crate::walk::{Reach, Walk, Walked, malformed, refuse};

/// A message is parsed in memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Messages within messages that one message may have, or seem to have. mail-parser nests as deep as the bytes do, and drops and copies what
/// it nested by recursion: 2 MB of stack are enough for 20,000 levels and not for 30,000.
const MAX_NESTED: usize = 10_000;

/// Whether a blob begins with header fields that make a reader decode what follows.
pub(crate) fn is_header(head: &[u8]) -> bool {
    const FIELDS: [&[u8]; 2] = [b"content-type", b"content-transfer-encoding"];
    let mut has_field = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let goes_on = line.starts_with(b" ") || line.starts_with(b"\t");
        // The line that begins a message in a mailbox file: no field, though it has colons.
        if goes_on || line.starts_with(b"From ") || line.starts_with(b">From ") {
            continue;
        }
        let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len());
        let Some(name) = name else { return false };
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return false;
        }
        has_field |= FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field));
    }
    has_field
}

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    walk.require(Method::Mail)?;
    if blob.size_bytes() > MAX_BYTES {
        return refuse(Unscannable::TooLarge, "mail: larger than the limit");
    }
    let text = blob.bytes_at(0, to_usize(blob.size_bytes()))?;
    for message in messages(&text) {
        walk_message(walk, message, depth)?;
    }
    for decoded in base64_runs(&text) {
        walk.stored_member(Blob::from_bytes(decoded), depth, Reach::Handed)?;
    }
    Ok(())
}

/// The text as one message, and if it is a mailbox file, each message that begins with a line `From ` (RFC 4155): readers differ on whether
/// such a line in a body begins another.
fn messages(text: &[u8]) -> Vec<&[u8]> {
    const BEGIN: &[u8] = b"From ";
    if !text.starts_with(BEGIN) {
        return vec![text];
    }
    let behind_first_line = |text: &'_ [u8]| memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1);
    let begins = memchr::memmem::find_iter(text, b"\nFrom ").map(|hit| hit + 1);
    let bounds = [0].into_iter().chain(begins).chain([text.len()]).collect::<Vec<_>>();
    let each = bounds.windows(2).map(|bounds| &text[bounds[0]..bounds[1]]);
    [text].into_iter().chain(each).map(|message| &message[behind_first_line(message)..]).collect()
}

fn walk_message(walk: &mut Walk<'_>, text: &[u8], depth: u32) -> Walked {
    if n_nested_at_most(text) > MAX_NESTED {
        return refuse(Unscannable::TooDeep, "mail: too many messages within messages");
    }
    let Some(message) = MessageParser::default().parse(text) else {
        return malformed("mail: no message");
    };
    walk.expect(to_u64(message.parts.len()), 0)?;
    for part in &message.parts {
        if part.is_encoding_problem {
            return malformed("mail: a part that cannot be decoded");
        }
        let bytes = match &part.body {
            PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes,
            PartType::Message(message) => message.raw_message(),
            PartType::Multipart(_) => continue,
        };
        walk.stored_member(Blob::from_bytes(bytes.to_vec()), depth, Reach::Handed)?;
    }
    Ok(())
}

/// How often the words stand here without which no parser begins another message: `message/rfc822`, `message/global`, `multipart/digest`
/// (RFC 2046, RFC 6532). What is nested within a part that is encoded does not show: for that the process has a stack that is large enough.
fn n_nested_at_most(text: &[u8]) -> usize {
    #[expect(clippy::expect_used, reason = "it fails for more patterns than memory holds, or never")]
    static WORDS: LazyLock<AhoCorasick> = LazyLock::new(|| {
        let words = ["rfc822", "global", "digest"];
        AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("three short words")
    });
    WORDS.find_iter(text).count()
}

/// Decodes every run of lines that are nothing but base64.
fn base64_runs(text: &[u8]) -> Vec<Vec<u8>> {
    const LEAST: usize = 24;
    let (mut runs, mut run) = (Vec::new(), Vec::new());
    let mut end_run = |run: &mut Vec<u8>| {
        let digits = std::mem::take(run);
        if digits.len() >= LEAST
            && let Some(bytes) = decode_base64(&digits)
        {
            runs.push(bytes);
        }
    };
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let digits = line.iter().rev().skip_while(|byte| **byte == b'=').count();
        let is_run = !line.is_empty()
            && line[..digits].iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
        if is_run {
            run.extend_from_slice(&line[..digits]);
        }
        if !is_run || digits < line.len() {
            end_run(&mut run);
        }
    }
    end_run(&mut run);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_their_padding_is() {
        let text = b"QUJDREVGR0hJSktMTU5PUFFSU1Q=\nYWJjZGVmZ2hpamtsbW5vcHFyc3Q=\nprose between\nQUJDREVGR0hJSktM\nTU5PUFFSU1RV\n";
        let runs = base64_runs(text);
        assert_eq!(
            runs,
            [
                b"ABCDEFGHIJKLMNOPQRST".to_vec(),
                b"abcdefghijklmnopqrst".to_vec(),
                b"ABCDEFGHIJKLMNOPQRSTU".to_vec()
            ]
        );
    }

    #[test]
    fn short_runs_are_words() {
        let least = "QUJDREVGR0hJSktMTU5PUFFS";
        assert_eq!(base64_runs(least.as_bytes()).len(), 1);
        assert!(base64_runs(&least.as_bytes()[..23]).is_empty());
    }
}
