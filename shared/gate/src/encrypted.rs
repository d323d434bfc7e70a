//! Recognises encrypted documents in containers that are not encrypted.

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_usize};
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

/// EPUBs obfuscate embedded fonts by one of two public methods (EPUB 3.3, section 4.5); all else is digital
/// rights management.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn obfuscated_fonts_are_no_rights_management() {
        let method =
            |uri: &str| format!("<EncryptedData><EncryptionMethod Algorithm=\"{uri}\"/></EncryptedData>");
        let (fonts, rights) =
            ("http://www.idpf.org/2008/embedding", "http://www.w3.org/2001/04/xmlenc#aes128-cbc");
        let encrypts = |text: String| encrypts_more_than_fonts(text.as_bytes());
        assert!(!encrypts(method(fonts)));
        assert!(!encrypts(method("http://ns.adobe.com/pdf/enc#RC")));
        assert!(!encrypts("<e><EncryptionMethod>fonts</EncryptionMethod></e>".to_owned()));
        assert!(encrypts(method(rights)));
        assert!(encrypts(method(fonts) + &method(rights)));
    }
}
