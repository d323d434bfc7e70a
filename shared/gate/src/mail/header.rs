//! Reads the fields of a MIME header that make a reader decode what follows (RFC 2045), in every way that
//! some reader does.

use std::collections::BTreeSet;

use super::boundary::parameters;
use super::charset::labels;
use super::lines::Line;
use super::partial::Partial;
use super::words;
use crate::walk::{Walked, malformed};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Name {
    Type,
    Encoding,
}

/// How a body may be written. Several, if the header says several things or something unknown: readers choose
/// differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Encodings {
    pub(crate) as_is: bool,
    pub(crate) base64: bool,
    pub(crate) quoted: bool,
}

/// What a header says about the body behind it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entity {
    pub(crate) encodings: Encodings,
    pub(crate) is_multipart: bool,
    pub(crate) is_message: bool,
    /// One group for each `boundary` that stands there, with every way to read it.
    pub(crate) boundaries: Vec<Vec<Vec<u8>>>,
    /// Every way to read each `charset`.
    pub(crate) charsets: BTreeSet<Vec<u8>>,
    pub(crate) partial: Option<Partial>,
}

/// Collects a header, line by line.
#[derive(Debug, Default)]
pub(crate) struct Header {
    types: Vec<Vec<u8>>,
    encodings: Vec<Vec<u8>>,
    open: Option<Name>,
    n_bytes: usize,
}

/// Fields of MIME that are longer in sum are refused: no program writes such a header.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Returns whether a MIME field begins with this line.
pub(crate) fn is_field(line: &Line<'_>) -> bool {
    line.begins && (field(line.text).is_some() || hidden_field(line.text))
}

/// Returns whether the line is a field if words in it that are encoded are decoded first (RFC 2047): ripMIME
/// 1.4.0.10 does. All lines of all files come through here.
fn hidden_field(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'=' | b'c' | b'C'))
        && words::decoded(text).is_some_and(|text| lines_of(&text).any(|line| field(line).is_some()))
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'\r' | b'\n'))
}

impl Header {
    /// Takes a line that is not blank. Returns whether it is one of a header.
    pub(crate) fn take(&mut self, line: &Line<'_>) -> bool {
        let is_continued = !line.begins || matches!(line.text.first(), Some(b' ' | b'\t'));
        if is_continued {
            self.append(line.text);
            return true;
        }
        self.open = None;
        if let Some((name, value)) = field(line.text) {
            self.open = Some(name);
            self.values(name).push(Vec::new());
            self.append(value);
            return true;
        }
        for text in words::decoded(line.text).iter().flat_map(|text| lines_of(text)) {
            if let Some((name, value)) = field(text) {
                self.open = Some(name);
                self.values(name).push(Vec::new());
                self.append(value);
            }
        }
        let n_name = line.text.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
        line.text.get(n_name) == Some(&b':')
            || line.text.starts_with(b"From ")
            || line.text.starts_with(b">From ")
    }

    fn values(&mut self, name: Name) -> &mut Vec<Vec<u8>> {
        match name {
            Name::Type => &mut self.types,
            Name::Encoding => &mut self.encodings,
        }
    }

    fn append(&mut self, text: &[u8]) {
        let Some(name) = self.open else { return };
        self.n_bytes += text.len();
        let has_room = self.n_bytes <= MAX_BYTES;
        if let Some(value) = self.values(name).last_mut().filter(|_| has_room) {
            value.extend_from_slice(text);
        }
    }

    pub(crate) fn entity(&self) -> Walked<Entity> {
        if self.n_bytes > MAX_BYTES {
            return malformed("mail: longer fields of MIME than the limit");
        }
        let encodings = self.encodings();
        let hidden = self.types.iter().filter_map(|value| words::decoded(value)).collect::<Vec<_>>();
        let types = || self.types.iter().chain(&hidden);
        let has = |kind: &[u8]| types().any(|value| holds(value, kind));
        Ok(Entity {
            encodings: Encodings {
                // openssl decodes such a body whatever the header says of its encoding.
                base64: encodings.base64 || has(b"pkcs7-mime"),
                ..encodings
            },
            is_multipart: has(b"multipart"),
            is_message: has(b"message/"),
            boundaries: types().flat_map(|value| parameters(value, b"boundary")).collect(),
            charsets: types().flat_map(|value| labels(value)).collect(),
            partial: types().find_map(|value| Partial::of(value)),
        })
    }

    fn encodings(&self) -> Encodings {
        let mut all = Encodings { as_is: self.encodings.is_empty(), ..Encodings::default() };
        for value in &self.encodings {
            match value.trim_ascii().to_ascii_lowercase().as_slice() {
                b"base64" => all.base64 = true,
                b"quoted-printable" => all.quoted = true,
                // uuencoded data is found wherever it stands.
                b"7bit" | b"8bit" | b"binary" | b"" | b"uuencode" | b"x-uuencode" | b"uue" | b"x-uue" => {
                    all.as_is = true;
                }
                _ => all = Encodings { as_is: true, base64: true, quoted: true },
            }
        }
        all
    }
}

/// The field that begins with this line, and the first line of its value.
fn field(text: &[u8]) -> Option<(Name, &[u8])> {
    const NAMES: [(&[u8], Name); 2] =
        [(b"content-type", Name::Type), (b"content-transfer-encoding", Name::Encoding)];
    /// A byte order mark, zeros: what stands before the first field of some files.
    const MAX_MARK: usize = 8;
    let is_mark = |byte: &&u8| !byte.is_ascii_graphic() && !matches!(**byte, b' ' | b'\t');
    let n_mark = text.iter().take(MAX_MARK).take_while(is_mark).count();
    let text = &text[n_mark..];
    if !text.first()?.eq_ignore_ascii_case(&b'c') {
        return None;
    }
    NAMES.iter().find_map(|(wanted, name)| {
        let found = text.get(..wanted.len())?;
        let rest = found.eq_ignore_ascii_case(wanted).then(|| &text[wanted.len()..])?;
        let is_between = |byte: &&u8| byte.is_ascii_whitespace() || byte.is_ascii_control();
        let n_between = rest.iter().take_while(is_between).count();
        (rest.get(n_between) == Some(&b':')).then(|| (*name, &rest[n_between + 1..]))
    })
}

/// Returns whether `text` holds `word`, which is in lower case, in any case.
pub(crate) fn holds(text: &[u8], word: &[u8]) -> bool {
    find(text, word).is_some()
}

/// Where `word`, which is in lower case, stands in `text` in any case.
pub(super) fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    let (lower, upper) = (*word.first()?, word.first()?.to_ascii_uppercase());
    memchr::memchr2_iter(lower, upper, text)
        .find(|at| text[*at..].get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;
    use crate::mail::lines::{Breaks, Lines};

    fn entity(text: &str) -> Entity {
        let mut lines = Lines::new(&Blob::from_bytes(text.as_bytes().to_vec()), Breaks::Any);
        let mut header = Header::default();
        while let Some(line) = lines.next_line().unwrap() {
            header.take(&line);
        }
        header.entity().unwrap()
    }

    #[test]
    fn a_field_is_found_however_its_name_is_written() {
        for name in [
            "Content-Transfer-Encoding:",
            "content-TRANSFER-encoding :",
            "\u{feff}Content-Transfer-Encoding\t:",
        ] {
            for value in ["base64", " base64 ", "\n base64", "\tBASE64\t"] {
                assert!(entity(&format!("{name}{value}")).encodings.base64, "{name}{value}");
            }
        }
        for line in [
            "Content-Transfer: base64",
            " Content-Transfer-Encoding: base64",
            "content-transfer-encoding base64",
        ] {
            assert!(!entity(line).encodings.base64, "{line}");
        }
    }

    #[test]
    fn what_readers_may_take_differently_is_taken_in_every_way() {
        let every = Encodings { as_is: true, base64: true, quoted: true };
        for value in ["\"base64\"", "base64 (x)", "b\0ase64", "x-base64", "b64", "quoted-printable;"] {
            assert_eq!(entity(&format!("Content-Transfer-Encoding: {value}\n")).encodings, every, "{value}");
        }
        let twice = entity("Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n").encodings;
        assert_eq!(twice, Encodings { as_is: true, base64: true, quoted: false });
        assert_eq!(entity("Subject: x\n").encodings, Encodings { as_is: true, ..Encodings::default() });
    }

    #[test]
    fn a_type_says_what_follows() {
        let mixed = entity("Content-Type:\n MULTIPART/Mixed;\n\tboundary=b\n");
        assert!(mixed.is_multipart && !mixed.is_message);
        assert_eq!(mixed.boundaries, [[b"b"]]);
        assert!(entity("content-type: message/global").is_message);
    }

    #[test]
    fn a_character_set_is_read_in_every_way() {
        for parameter in [
            "charset=\"utf-16\"",
            "x-charset=utf-8; charset=utf-16",
            "name=\"charset=utf-8\"; charset=utf-16",
            "charset*0=\"utf\"; charset*1=\"-16\"",
            "charset*=us-ascii''%75tf-16",
            "charset=\"utf\\-16\"",
            "charset=(c)utf-16",
            "charset=\"utf/16\"",
            "charset=\"utf 16\"",
            "charset=utf--16",
            "charset=utf+16",
            "charset=\"=?us-ascii?q?utf=2D16?=\"",
            "charset=\"=?us-ascii?B?dXRmLTE2?=\"",
            "charset=utf-8\nContent-Type: text/plain; charset=UTF_16",
        ] {
            let charsets = entity(&format!("Content-Type: text/plain; {parameter}\n")).charsets;
            assert!(charsets.contains(b"utf-16".as_slice()), "{parameter}: {charsets:?}");
        }
    }

    #[test]
    fn words_that_are_encoded_may_be_fields() {
        let base64 = Encodings { as_is: false, base64: true, quoted: false };
        for line in [
            "=?us-ascii?Q?Content-Transfer-Encoding=3A_base64?=",
            "=?us-ascii?q?Content-Transfer-Encoding=3a?= base64",
            "=?us-ascii?B?Q29udGVudC1UcmFuc2Zlci1FbmNvZGluZzogYmFzZTY0?=",
            "Content-=?x?Q?Transfer?=-Encoding: base64",
            "X: =?x?Q?y=0AContent-Transfer-Encoding:_base64?=",
        ] {
            assert_eq!(entity(line).encodings, base64, "{line}");
        }
        let mixed = entity("Content-Type: =?x?Q?multipart/mixed;_boundary=3Db?=\n");
        assert!(mixed.is_multipart && mixed.boundaries.iter().flatten().any(|boundary| boundary == b"b"));
        assert!(!entity("=?x?Q?Subject?=: Content-Transfer-Encoding: base64").encodings.base64);
    }

    #[test]
    fn only_fields_of_mime_count_and_too_long_ones_are_refused() {
        let long = " x\n".repeat(MAX_BYTES / 2 + 1);
        let text = format!("Content-Type: a/b\nSubject: y\n{long}Content-Transfer-Encoding: base64\n");
        assert!(entity(&text).encodings.base64);
        let mut lines =
            Lines::new(&Blob::from_bytes(format!("Content-Type: a/b\n{long}").into()), Breaks::Any);
        let mut header = Header::default();
        while let Some(line) = lines.next_line().unwrap() {
            header.take(&line);
        }
        assert!(header.entity().is_err());
    }
}
