//! Hands the data in RTF: objects, pictures and more, in hexadecimal or as they are behind `\bin` (RTF
//! 1.9.1), and the page that Outlook made RTF of.
//!
//! Word reads what only begins with `{\rt`, and readers of its objects look for that anywhere. They differ in
//! what may stand between the digits: each way to read them is handed over where an object gives reason to,
//! equal ones once.

mod destinations;
mod encapsulated;
mod hex;
mod substitutes;
mod tokens;

use std::io;

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_u64};
use crate::ole;
use crate::survey::{Survey, Word};
use crate::walk::{Walk, Walked, refuse};

use hex::{Binary, Escape, Hex, Nested, Style};
use substitutes::Substitutes;
use tokens::{Token, Tokens};

/// Destinations whose text is data.
const OBJECT: &[u8] = b"objdata";
const DATA: [&[u8]; 7] =
    [OBJECT, b"pict", b"datastore", b"themedata", b"fontemb", b"mmodsoudldata", b"mmconnectstrdata"];

/// What RTF begins with, as the most tolerant readers have it.
pub(crate) const START: &[u8] = b"{\\rt";

/// Hands over what is embedded in a blob that holds [`START`] anywhere.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, survey: &Survey, depth: u32) -> Walked {
    if !survey.has(Word::Rtf) {
        return Ok(());
    }
    if walk_embedded(walk, blob, depth, &[Binary::Data, Binary::Skipped])? {
        walk_embedded(walk, blob, depth, &[Binary::Ignored])?;
    }
    Ok(())
}

/// Returns whether there is any `\bin`.
fn walk_embedded(walk: &mut Walk<'_>, blob: &Blob, depth: u32, binary: &[Binary]) -> Walked<bool> {
    let mut finder = Finder::default();
    finder.find(walk, blob, binary != [Binary::Ignored])?;
    for body in finder.binary {
        walk.reading_of(body, depth)?;
    }
    for found in finder.found {
        for style in found.styles(binary) {
            let substitutes = found.substitutes.clone();
            let data = walk.reading(&mut Hex::new(&found.body, style, substitutes), depth)?;
            ole::hand_object(walk, &data, depth)?;
        }
    }
    if finder.is_encapsulated {
        let rtf = blob.tail(start_of(blob)?);
        for hidden in encapsulated::Hidden::ALL {
            walk.reading(&mut encapsulated::content(&rtf, hidden), depth)?;
        }
    }
    Ok(finder.has_binary)
}

/// Where the first RTF in a blob begins: what stands in front of it, such as a message that holds it, is no
/// part of its page.
fn start_of(blob: &Blob) -> io::Result<u64> {
    let mut windows = blob.windows(0, START.len() - 1);
    while let Some((at, window)) = windows.next_window()? {
        if let Some(hit) = memchr::memmem::find(window, START) {
            return Ok(at + to_u64(hit));
        }
    }
    Ok(0)
}

/// A destination with data.
#[derive(Debug)]
struct Found {
    /// From behind its control word to the end of its group.
    body: Blob,
    marks: Marks,
    substitutes: Substitutes,
}

/// What in it readers differ about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each stands for itself")]
struct Marks {
    is_object: bool,
    /// Groups or control words.
    has_groups: bool,
    has_escapes: bool,
    has_unicode: bool,
    has_binary: bool,
}

impl Found {
    fn styles(&self, binary: &[Binary]) -> Vec<Style> {
        let marks = self.marks;
        // A picture has properties in groups and nothing to hide: programs that save one read it in one way.
        let is_clear = !marks.is_object;
        let nested: &[Nested] = match (marks.has_groups, is_clear) {
            (false, _) => &[Nested::Part],
            (true, true) => &[Nested::Destination, Nested::Starred],
            (true, false) => &[Nested::Destination, Nested::Starred, Nested::Part, Nested::NoPart],
        };
        let escapes: &[Escape] = match (marks.has_escapes, marks.has_unicode, is_clear) {
            (true, _, false) => &[Escape::DropsDigit, Escape::Nothing, Escape::Digits, Escape::Characters],
            (false, false, _) => &[Escape::DropsDigit],
            _ => &[Escape::DropsDigit, Escape::Characters],
        };
        let binary = if marks.has_binary && !is_clear { binary } else { &binary[..1] };
        let mut styles = Vec::new();
        for nested in nested {
            for escape in escapes {
                styles.extend(binary.iter().map(|binary| Style {
                    nested: *nested,
                    escape: *escape,
                    binary: *binary,
                }));
            }
        }
        styles
    }
}

/// Finds destinations with data, and binary data outside of them.
#[derive(Debug, Default)]
struct Finder {
    found: Vec<Found>,
    binary: Vec<Blob>,
    has_binary: bool,
    /// It says that it was made of a page or of a text.
    is_encapsulated: bool,
    level: i64,
    substitutes: Substitutes,
    open: Vec<Open>,
}

/// A destination that has begun, and the level of its group.
#[derive(Debug)]
struct Open {
    level: i64,
    start: u64,
    marks: Marks,
    substitutes: Substitutes,
}

/// Objects within objects: each is read with all that it holds.
const MAX_NESTED: usize = 8;

impl Finder {
    fn find(&mut self, walk: &Walk<'_>, blob: &Blob, counts_binary: bool) -> Walked {
        let mut tokens = Tokens::new(blob);
        loop {
            let at = tokens.position();
            let Some(token) = tokens.next_token()? else { break };
            match token {
                Token::Open => {
                    self.level += 1;
                    self.substitutes.open();
                    self.mark(|marks| marks.has_groups = true);
                }
                Token::Close => {
                    self.close(blob, at);
                    self.level -= 1;
                    self.substitutes.close();
                }
                Token::Symbol(b'\'') => self.mark(|marks| marks.has_escapes = true),
                Token::Word => self.take_word(blob, &mut tokens, counts_binary)?,
                Token::Symbol(_) | Token::Text => {}
            }
            if self.open.len() > MAX_NESTED {
                return refuse(Unscannable::TooDeep, "RTF: objects nested too deeply");
            }
            walk.expect(to_u64(self.found.len() + self.binary.len()), 0)?;
        }
        while !self.open.is_empty() {
            self.end_last(blob, blob.size_bytes());
        }
        Ok(())
    }

    fn take_word(&mut self, blob: &Blob, tokens: &mut Tokens, counts_binary: bool) -> Walked {
        self.mark(|marks| marks.has_groups = true);
        if let Some(name) = DATA.iter().find(|name| tokens.is_word(name)) {
            let marks = Marks { is_object: *name == OBJECT, ..Marks::default() };
            let (start, substitutes) = (tokens.position(), self.substitutes.clone());
            self.open.push(Open { level: self.level, start, marks, substitutes });
        } else if tokens.is_word(b"bin") {
            self.has_binary = true;
            self.mark(|marks| marks.has_binary = true);
            if counts_binary {
                let n_bytes = tokens.begin_binary()?;
                if self.open.is_empty() {
                    self.binary.push(blob.slice(tokens.position(), n_bytes));
                }
                tokens.skip(n_bytes)?;
            }
        } else if tokens.is_word(b"u") {
            self.mark(|marks| marks.has_unicode = true);
        } else if tokens.is_word(b"uc") {
            self.substitutes.set(tokens.parameter());
        } else if encapsulated::STARTS.iter().any(|start| tokens.is_word(start)) {
            self.is_encapsulated = true;
        }
        Ok(())
    }

    fn mark(&mut self, set: fn(&mut Marks)) {
        self.open.iter_mut().for_each(|open| set(&mut open.marks));
    }

    /// Ends what began in the group that ends here.
    fn close(&mut self, blob: &Blob, at: u64) {
        while self.open.last().is_some_and(|open| open.level >= self.level) {
            self.end_last(blob, at);
        }
    }

    fn end_last(&mut self, blob: &Blob, at: u64) {
        if let Some(Open { start, marks, substitutes, .. }) = self.open.pop() {
            let body = blob.slice(start, at.saturating_sub(start));
            self.found.push(Found { body, marks, substitutes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::{Gate, Limits};

    fn handed(text: &[u8]) -> Vec<String> {
        let limits =
            Limits { max_member_bytes: 1000, max_total_bytes: 100_000, max_members: 100, max_depth: 3 };
        let gate = Gate { limits, capabilities: [].into_iter().collect() };
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        let blob = Blob::from_bytes(text.to_vec());
        walk(&mut through, &blob, &Survey::of(&blob).unwrap(), 0).unwrap();
        let blobs = through.into_handed();
        blobs
            .iter()
            .map(|blob| blob.bytes_at(0, 100).unwrap().into_iter().map(char::from).collect())
            .collect()
    }

    #[test]
    fn data_are_found_wherever_a_destination_begins() {
        for text in [
            "{\\rtf1{\\object{\\*\\objdata 436174}}}",
            "{\\rtX\\objdata436174 436174",
            "{\\rt{\\*\\OBJDATA0 436174",
            "junk }}} {{{ {\\rtf1{\\pict 436174}}",
            "{\\rtf1{\\info{\\objdata 4361\\bin1 t}}}",
            "{\\rtf1 \\bin3 Cat}",
            "\\bin999 {\\rtf1{\\objdata 436174}}",
            "{\\rtf1{\\objdata 00{\\objdata 436174}}}",
            "{\\rtf1{\\objdata \\'34\\'336174}}",
            "{\\rtf1{\\objdata \\u52?36174}}",
            "{\\rtf1\\uc0{\\uc5{\\objdata 00}}{\\objdata \\u52 36174}}",
            "{\\rtf1\\uc2{\\pict \\u52 4\\'3436174}}",
        ] {
            let handed = handed(text.as_bytes());
            assert!(handed.iter().any(|bytes| bytes == "Cat"), "{text} {handed:?}");
        }
    }

    #[test]
    fn a_page_in_it_is_handed() {
        for start in ["fromhtml1", "FROMHTML", "fromtext"] {
            let text = format!("{{\\rtf1\\ansi\\{start} {{\\*\\htmltag64 C}}{{\\*\\htmltag \\'61}}t}}");
            assert_eq!(handed(text.as_bytes()), ["Cat"], "{text}");
            let behind = format!("junk {{}} \\b {text}");
            assert_eq!(handed(behind.as_bytes()), ["Cat"], "{text}");
        }
        assert_eq!(handed(b"{\\rtf1\\ansi Cat}"), Vec::<String>::new());
    }

    #[test]
    fn other_text_has_none() {
        for text in
            ["{\\objdata 436174}", "{\\rtf1 436174}", "{\\rtf1{\\b 436174}}", "{\\rtf1{\\objdata}}", ""]
        {
            assert_eq!(handed(text.as_bytes()), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn readings_that_do_not_differ_are_handed_once() {
        assert_eq!(handed(b"{\\rtf1{\\objdata {\\b 4361}74\\'zz}}").len(), 2, "with and without the group");
        assert_eq!(handed(b"{\\rtf1{\\objdata 436174}{\\objdata 43 61 74}}").len(), 1);
    }

    #[test]
    fn objects_within_objects_end_somewhere() {
        let limits =
            Limits { max_member_bytes: 1000, max_total_bytes: 100_000, max_members: 100, max_depth: 3 };
        let gate = Gate { limits, capabilities: [].into_iter().collect() };
        let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        let text = [b"{\\rtf1".as_slice(), &b"{\\objdata ".repeat(MAX_NESTED + 1)].concat();
        let blob = Blob::from_bytes(text);
        assert!(walk(&mut through, &blob, &Survey::of(&blob).unwrap(), 0).is_err());
    }
}
