//! Unpacks shell archives: texts that stand in a script, which writes them to files (POSIX.1-2024, Shell
//! Command Language, 2.7.4 "Here-Document").

use std::io;

use crate::blob::Blob;
use crate::format::is_text;
use crate::mail::{Breaks, Lines};
use crate::walk::{Walk, Walked};

const HERE: &[u8] = b"<<";

/// A text that has begun.
struct Text {
    /// The line that ends it.
    end: Vec<u8>,
    lines: Vec<u8>,
    /// The same without the first character of each line, which `sed` takes away; `None` once lines begin
    /// differently.
    stripped: Option<Vec<u8>>,
    mark: Option<u8>,
}

/// Hands the texts in a script, as they stand, and without what all of their lines begin with.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !may_be_script(blob)? {
        return Ok(());
    }
    let (mut lines, mut open) = (Lines::new(blob, Breaks::LfOnly), None::<Text>);
    while let Some(line) = lines.next_line()? {
        match &mut open {
            Some(text) if line.text == text.end => {
                for bytes in [Some(&text.lines), text.stripped.as_ref()].into_iter().flatten() {
                    walk.reading(&mut bytes.as_slice(), depth)?;
                }
                open = None;
            }
            Some(text) => text.take(line.text, walk.gate.limits.max_member_bytes),
            None => open = end_of_text(line.text).map(Text::new),
        }
    }
    Ok(())
}

/// Most files are none: they are not read to their end.
fn may_be_script(blob: &Blob) -> io::Result<bool> {
    const HEAD: usize = 64 * 1024;
    Ok(memchr::memmem::find(&blob.bytes_at(0, HEAD)?, HERE).is_some() && is_text(blob)?)
}

/// The word behind `<<`, which ends the text: quoted or not.
fn end_of_text(line: &[u8]) -> Option<Vec<u8>> {
    let behind = &line[memchr::memmem::find(line, HERE)? + HERE.len()..];
    let is_quote = |byte: &u8| b"'\"\\-".contains(byte);
    let word = behind.iter().skip_while(|byte| **byte == b' ' || is_quote(byte));
    let word: Vec<u8> =
        word.take_while(|byte| !byte.is_ascii_whitespace() && !is_quote_end(**byte)).copied().collect();
    (!word.is_empty()).then_some(word)
}

fn is_quote_end(byte: u8) -> bool {
    b"'\">;&|)".contains(&byte)
}

impl Text {
    fn new(end: Vec<u8>) -> Self {
        Self { end, lines: vec![], stripped: Some(vec![]), mark: None }
    }

    /// A text beyond the limit of a member is cut: the bytes are judged where they stand besides.
    fn take(&mut self, line: &[u8], max_bytes: u64) {
        if crate::blob::to_u64(self.lines.len() + line.len()) > max_bytes {
            return;
        }
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        let mark = *self.mark.get_or_insert(line.first().copied().unwrap_or(b'\n'));
        self.stripped = self.stripped.take().filter(|_| line.first() == Some(&mark)).map(|mut stripped| {
            stripped.extend_from_slice(&line[1..]);
            stripped.push(b'\n');
            stripped
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::handed;

    #[test]
    fn texts_are_handed_as_they_stand_and_stripped() {
        for (script, expected) in [
            (
                "sed 's/^X//' << 'SHAR_EOF' > 'a' &&\nXone\nXtwo\nSHAR_EOF\n",
                vec!["Xone\nXtwo\n", "one\ntwo\n"],
            ),
            ("cat >a <<END-of-a\none\nXtwo\nEND-of-a\n", vec!["one\nXtwo\n"]),
            ("cat <<- \"E F\n1\nE\n", vec!["1\n", "\n"]),
            ("cat <<\\E;\nxa\nE\ncat <<E|b\nxb\nE\n", vec!["xa\n", "a\n", "xb\n", "b\n"]),
            ("cat << E\nnever ends\n", vec![]),
            ("1 << \n\n", vec![]),
        ] {
            let handed =
                handed(walk, script.as_bytes()).into_iter().map(|text| String::from_utf8(text).unwrap());
            assert_eq!(handed.collect::<Vec<_>>(), expected, "{script}");
        }
    }
}
