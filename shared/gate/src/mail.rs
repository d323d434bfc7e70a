//! Mail: every part, decoded, is handed to the engine; so is every run of base64, whatever the headers say about it.
//!
//! Readers of MIME differ in a hundred small ways (RFC 2045 to 2049). The runs make most of those differences irrelevant.

use domain::verdict::Unscannable;
use mail_parser::{MessageParser, PartType};

use crate::blob::{Blob, to_u64, to_usize};
use crate::capability::Method;
use crate::text_encoding::decode_base64;
use crate::walk::{Reach, Walk, Walked, malformed, refuse};

/// A message is parsed in memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Whether a blob begins with header fields that make a reader decode what follows.
pub(crate) fn is_header(head: &[u8]) -> bool {
    const FIELDS: [&[u8]; 2] = [b"content-type", b"content-transfer-encoding"];
    let mut has_field = false;
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let is_folded = line.starts_with(b" ") || line.starts_with(b"\t");
        let name = line.split(|byte| *byte == b':').next().filter(|name| name.len() < line.len());
        let Some(name) = name.filter(|_| !is_folded) else {
            if is_folded || line.starts_with(b"From ") || line.starts_with(b">From ") {
                continue;
            }
            return false;
        };
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
    if has_several_messages(&text) {
        return refuse(Unscannable::UnsupportedContainer, "mail: several messages in one file");
    }
    let message_at = if text.starts_with(b"From ") { first_line_end(&text) } else { 0 };
    let Some(message) = MessageParser::default().parse(&text[message_at..]) else {
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
    for decoded in base64_runs(&text) {
        walk.stored_member(Blob::from_bytes(decoded), depth, Reach::Handed)?;
    }
    Ok(())
}

fn first_line_end(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).map_or(text.len(), |end| end + 1)
}

/// Mailbox files separate messages by lines that begin with `From ` (RFC 4155).
fn has_several_messages(text: &[u8]) -> bool {
    text.starts_with(b"From ") && memchr::memmem::find(text, b"\nFrom ").is_some()
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
