//! Which documents are encrypted though their container is not?

use std::io;
use std::path::Path;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::{Walked, refuse};

/// OpenDocument names the encryption of its members in its manifest, EPUB in a file of its own.
pub(crate) fn refuse_protected_document(member_name: &[u8], member: &Blob) -> Walked {
    const MAX_BYTES: u64 = 1024 * 1024;
    let is_manifest = member_name == b"META-INF/manifest.xml";
    let is_epub = member_name == b"META-INF/encryption.xml";
    if !is_manifest && !is_epub {
        return Ok(());
    }
    let text = member.bytes_at(0, to_usize(member.size_bytes().min(MAX_BYTES)))?;
    let is_encrypted = if is_manifest {
        memchr::memmem::find(&text, b"encryption-data").is_some()
    } else {
        encrypts_more_than_fonts(&text)
    };
    if is_encrypted { refuse(Unscannable::Encrypted, "an encrypted document") } else { Ok(()) }
}

/// EPUBs obfuscate embedded fonts by one of two public methods (EPUB 3.3, section 4.5); all else is digital rights management.
fn encrypts_more_than_fonts(text: &[u8]) -> bool {
    const METHOD: &[u8] = b"EncryptionMethod";
    const FONTS: [&[u8]; 2] = [b"http://www.idpf.org/2008/embedding", b"http://ns.adobe.com/pdf/enc#RC"];
    memchr::memmem::find_iter(text, METHOD).any(|hit| {
        let rest = &text[hit..];
        let element = rest.split(|byte| *byte == b'>').next().unwrap_or(rest);
        let is_start = memchr::memmem::find(element, b"Algorithm").is_some();
        is_start && !FONTS.iter().any(|method| memchr::memmem::find(element, method).is_some())
    })
}

/// What each old Office program, and Office's own encryption of the new formats, leaves in a compound file
/// ([MS-OFFCRYPTO], [MS-DOC] 2.5.2, [MS-XLS] 2.4.117, [MS-PPT] 2.3.2).
pub(crate) fn refuse_protected_stream(path: &Path, head: &[u8]) -> Walked {
    let is_encrypted = match path.to_str() {
        Some("/EncryptedPackage" | "/EncryptedSummary") => true,
        Some("/WordDocument") => head.u16_le(0) == 0xa5ec && head.u16_le(0x0a) & 0x0100 != 0,
        Some("/Workbook" | "/Book") => has_file_pass(head),
        Some("/Current User") => head.u32_le(12) == 0xf3d1_c4df,
        _ => false,
    };
    if is_encrypted { refuse(Unscannable::Encrypted, "an encrypted document") } else { Ok(()) }
}

/// Records of a workbook: a type, a length, the data. `FilePass` stands in the first part, before `EOF`.
fn has_file_pass(head: &[u8]) -> bool {
    const END_OF_PART: u16 = 0x000a;
    const FILE_PASS: u16 = 0x002f;
    let mut rest = head;
    while rest.len() >= 4 && rest.u16_le(0) != END_OF_PART {
        if rest.u16_le(0) == FILE_PASS {
            return true;
        }
        rest = rest.get(4 + usize::from(rest.u16_le(2))..).unwrap_or(&[]);
    }
    false
}

/// The trailer of an encrypted PDF points at its encryption dictionary (ISO 32000-2, 7.6.2). The trailer itself is never encrypted.
pub(crate) fn refuse_encrypted_pdf(blob: &Blob) -> Walked {
    if has_encrypt_entry(blob)? { refuse(Unscannable::Encrypted, "an encrypted PDF") } else { Ok(()) }
}

fn has_encrypt_entry(blob: &Blob) -> io::Result<bool> {
    const WINDOW: usize = 1024 * 1024;
    const KEY: &[u8] = b"/Encrypt";
    const BEHIND: usize = 64;
    let mut at = 0;
    while at < blob.size_bytes() {
        let window = blob.bytes_at(at, WINDOW + KEY.len() + BEHIND)?;
        if memchr::memmem::find_iter(&window, KEY)
            .any(|hit| points_somewhere(window.at_most(hit + KEY.len(), BEHIND)))
        {
            return Ok(true);
        }
        at += to_u64(WINDOW);
    }
    Ok(false)
}

/// Whether `12 0 R` or `<<` follows.
fn points_somewhere(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut is_number = || words.next().is_some_and(|word| word.iter().all(u8::is_ascii_digit));
    text.starts_with(b"<<")
        || (is_number() && is_number() && words.next().is_some_and(|word| word.starts_with(b"R")))
}

trait AtMost {
    fn at_most(&self, offset: usize, n_bytes: usize) -> &[u8];
}

impl AtMost for Vec<u8> {
    fn at_most(&self, offset: usize, n_bytes: usize) -> &[u8] {
        let start = offset.min(self.len());
        &self[start..(start + n_bytes).min(self.len())]
    }
}
