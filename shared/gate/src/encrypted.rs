//! Which documents are encrypted though their container is not?

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_usize};
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

/// What each old Office program, and Office's own encryption of the new formats, leaves in a compound file, also in one that is embedded as a
/// storage ([MS-OFFCRYPTO], [MS-DOC] 2.5.2, [MS-XLS] 2.4.117, [MS-PPT] 2.3.2).
pub(crate) fn refuse_protected_stream(name: &str, head: &[u8]) -> Walked {
    let is_named = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let is_encrypted = is_named(&["EncryptedPackage", "EncryptedSummary"])
        || is_named(&["WordDocument"]) && head.u16_le(0) == 0xa5ec && head.u16_le(0x0a) & 0x0100 != 0
        || is_named(&["Workbook", "Book"]) && has_file_pass(head)
        || is_named(&["Current User"]) && head.u32_le(12) == 0xf3d1_c4df;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_office_documents_say_it_in_their_first_bytes() {
        let refuses = |path: &str, head: &[u8]| refuse_protected_stream(path, head).is_err();
        let word =
            |magic: u16, flags: u16| [magic.to_le_bytes().as_slice(), &[0; 8], &flags.to_le_bytes()].concat();
        assert!(refuses("WordDocument", &word(0xa5ec, 0x0100)));
        assert!(!refuses("WordDocument", &word(0xa5ec, 0xfeff)));
        assert!(!refuses("WordDocument", &word(0xa5dc, 0x0100)));
        let user = |token: u32| [[0; 12].as_slice(), &token.to_le_bytes()].concat();
        assert!(refuses("Current User", &user(0xf3d1_c4df)));
        assert!(!refuses("Current User", &user(0xe391_c05f)));
        assert!(refuses("EncryptedPackage", b"") && refuses("EncryptedSummary", b""));
        assert!(!refuses("Data", &word(0xa5ec, 0x0100)));
    }

    #[test]
    fn a_workbook_says_it_in_its_first_part() {
        let record = |kind: u16, n_bytes: u16| {
            [kind.to_le_bytes(), n_bytes.to_le_bytes()].concat().into_iter().chain((0..n_bytes).map(|_| 0x2f))
        };
        let book =
            |kinds: &[(u16, u16)]| kinds.iter().flat_map(|(kind, n)| record(*kind, *n)).collect::<Vec<_>>();
        let (begin, pass, end) = ((0x0809, 16), (0x002f, 54), (0x000a, 0));
        for path in ["Workbook", "Book"] {
            let refuses = |records: &[(u16, u16)]| refuse_protected_stream(path, &book(records)).is_err();
            assert!(refuses(&[begin, pass, end]));
            assert!(refuses(&[begin, (0x0086, 0), pass]));
            assert!(!refuses(&[begin, end, pass]));
            assert!(!refuses(&[begin, (0x0086, 0)]));
            assert!(!refuses(&[]));
        }
        assert!(!has_file_pass(&[0x2f, 0, 0]), "a cut record");
        assert!(has_file_pass(&[0x2f, 0, 0, 0]));
    }

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
