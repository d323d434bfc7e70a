//! Finds the files that a patch adds: GNU patch 2.7.6 and `git apply` 2.39.5 write them.
//!
//! What a patch changes in a file that is elsewhere is no file by itself; what it inserts into a binary one
//! is looked into.

use std::io::{self, BufRead as _, Read};

use super::{Encoding, decoder};
use crate::blob::Blob;
use crate::mail::{Breaks, Line, Lines, Spans};
use crate::walk::{Damage, Walk, Walked};

/// Finds such files, line by line.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    /// Where the lines of an added file begin, and what stands in front of each.
    added: Option<(u64, &'static [u8])>,
    /// Where the text that a script of ed inserts begins.
    inserted_at: Option<u64>,
    is_of_git: bool,
    binary: Option<(u64, bool)>,
    /// Where the text of the line before ended.
    text_end: u64,
    /// Whether the line before says that the old file of a context diff is empty.
    was_empty: bool,
}

impl Patches {
    pub(crate) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if line.begins {
            // All lines of all files come through here.
            let text = without_indent(line.text);
            if self.added.is_some() {
                self.end_added(text, spans)?;
            }
            if self.inserted_at.is_some() && line.text == b"." {
                self.end_inserted(line.at, spans)?;
            }
            if self.is_of_git {
                self.take_of_git(line, spans)?;
            }
            let was_empty = std::mem::take(&mut self.was_empty);
            match text.first() {
                Some(b'@') if adds_in_unified(text) => self.begin_added(line, b"+"),
                Some(b'*') => self.was_empty = matches!(text, b"*** 0 ****" | b"*** 0,0 ****"),
                Some(b'-') if was_empty && text.ends_with(b"----") => self.begin_added(line, b"+ "),
                Some(b'0'..=b'9') => self.take_command(line, text),
                Some(b'G') if line.text.starts_with(b"GIT binary patch") => self.is_of_git = true,
                _ => {}
            }
        }
        self.text_end = line.text_end;
        Ok(())
    }

    fn begin_added(&mut self, line: &Line<'_>, mark: &'static [u8]) {
        self.added.get_or_insert((line.next_at, mark));
    }

    /// A command of ed, or of a normal diff: `0a1,5`. To ed, the text that follows ends at a dot.
    fn take_command(&mut self, line: &Line<'_>, text: &[u8]) {
        let n_before = text.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b',').count();
        match &text[n_before..] {
            [b'a' | b'c' | b'i'] => self.inserted_at = self.inserted_at.or(Some(line.next_at)),
            [b'a', rest @ ..] if rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b',') => {
                self.begin_added(line, b"> ");
            }
            _ => {}
        }
    }

    fn end_added(&mut self, text: &[u8], spans: &mut Spans) -> Walked {
        let goes_on =
            |mark: &[u8]| text.starts_with(mark) || text.starts_with(b"\\") || adds_in_unified(text);
        if let Some((start, mark)) = self.added.take_if(|(_, mark)| !goes_on(mark)) {
            spans.add_plain(start, self.text_end, Encoding::Added(mark))?;
        }
        Ok(())
    }

    /// In other data, such lines stand by chance.
    fn end_inserted(&mut self, end: u64, spans: &mut Spans) -> Walked {
        match self.inserted_at.take() {
            Some(start) if spans.is_text(0, end)? || spans.is_text(start, end)? => {
                spans.add_plain(start, end, Encoding::AsIs)
            }
            _ => Ok(()),
        }
    }

    fn take_of_git(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if line.text.trim_ascii().is_empty() {
            return self.end_binary(spans);
        }
        let is_size = |text: &[u8]| text.trim_ascii_end().iter().all(u8::is_ascii_digit);
        for (word, is_delta) in [(&b"literal "[..], false), (b"delta ", true)] {
            if line.text.strip_prefix(word).is_some_and(is_size) {
                self.end_binary(spans)?;
                self.binary = Some((line.next_at, is_delta));
            }
        }
        Ok(())
    }

    fn end_binary(&mut self, spans: &mut Spans) -> Walked {
        let Some((start, is_delta)) = self.binary.take() else { return Ok(()) };
        spans.add_plain(start, self.text_end, Encoding::GitBinary { is_delta })
    }

    /// Ends what has begun, at the end of the last line. A script of ed that does not end inserts nothing.
    pub(crate) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.end_binary(spans)?;
        let added = self.added.take();
        added.map_or(Ok(()), |(start, mark)| spans.add_plain(start, self.text_end, Encoding::Added(mark)))
    }
}

/// patch takes a whole diff that is indented.
fn without_indent(text: &[u8]) -> &[u8] {
    let is_indent = |byte: &&u8| matches!(byte, b' ' | b'\t');
    &text[text.iter().take_while(is_indent).count()..]
}

/// Returns whether a piece of a unified diff has nothing of the old file: `@@ -0,0 +1,5 @@`.
fn adds_in_unified(text: &[u8]) -> bool {
    let Some(old) = text.strip_prefix(b"@@ -") else { return false };
    let n_digits = old.iter().take_while(|byte| byte.is_ascii_digit()).count();
    old[n_digits..].starts_with(b",0 +")
}

/// The lines of an added file, without what stands in front of each.
pub(super) fn added(body: &Blob, mark: &'static [u8], breaks: Breaks) -> impl Read + use<> {
    let mut lines = Lines::new(body, breaks);
    let (mut is_of_file, mut is_end_open) = (false, false);
    decoder(move || {
        let Some(line) = lines.next_line()? else {
            return Ok(std::mem::take(&mut is_end_open).then(|| b"\n".to_vec()));
        };
        let mut text = line.text;
        if line.begins {
            let written = without_indent(text);
            // `\ No newline at end of file`.
            is_end_open &= !written.starts_with(b"\\");
            let data = written.strip_prefix(mark);
            is_of_file = data.is_some();
            text = data.unwrap_or_default();
        }
        if !is_of_file {
            return Ok(Some(Vec::new()));
        }
        let before: &[u8] = if line.begins && is_end_open { b"\n" } else { b"" };
        is_end_open = true;
        Ok(Some([before, text].concat()))
    })
}

/// Unpacks a file, or what a delta inserts into one.
pub(super) fn hand_binary(walk: &mut Walk<'_>, body: &Blob, is_delta: bool, depth: u32) -> Walked<Blob> {
    let unpacked = || Ok(flate2::read::ZlibDecoder::new(base85(body)));
    if !is_delta {
        return walk.reading_cut_off(unpacked, depth).map(|(blob, _)| blob);
    }
    let mut writer = walk.writer();
    walk.fill(&mut writer, &mut unpacked()?, Damage::CutOff)?;
    let delta = writer.finish();
    walk.reading(&mut insertions(&delta), depth)
}

/// Lines of as many bytes as the first letter says, five characters for four bytes (git, `base85.c`).
fn base85(body: &Blob) -> impl Read + use<> {
    const DIGITS: &[u8; 85] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut lines = Lines::new(body, Breaks::Any);
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        let Some((length, text)) = line.text.split_first() else { return Ok(None) };
        let n_bytes = match length {
            b'A'..=b'Z' => length - b'A' + 1,
            b'a'..=b'z' => length - b'a' + 27,
            _ => return Ok(None),
        };
        let digit = |byte: &u8| memchr::memchr(*byte, DIGITS).and_then(|digit| u32::try_from(digit).ok());
        let mut bytes = Vec::new();
        for group in text.chunks_exact(5) {
            let word = group
                .iter()
                .try_fold(0_u32, |word, byte| Some(word.wrapping_mul(85).wrapping_add(digit(byte)?)));
            bytes.extend(word.map(u32::to_be_bytes).into_iter().flatten());
        }
        bytes.truncate(usize::from(n_bytes));
        Ok(Some(bytes))
    })
}

/// What a delta inserts (git, `patch-delta.c`): behind two sizes, a byte says how many bytes follow, or which
/// bytes follow that say what to copy from the old file.
fn insertions(delta: &Blob) -> impl Read + use<> {
    let (mut source, mut n_sizes) = (delta.reader(), 2);
    decoder(move || {
        while let Some(command) = next_byte(&mut source)? {
            if n_sizes > 0 {
                n_sizes -= u32::from(command < 0x80);
                continue;
            }
            if command >= 0x80 {
                for _ in 0..(command & 0x7f).count_ones() {
                    next_byte(&mut source)?;
                }
                continue;
            }
            let mut bytes = Vec::new();
            source.by_ref().take(u64::from(command)).read_to_end(&mut bytes)?;
            return Ok(Some(bytes));
        }
        Ok(None)
    })
}

fn next_byte(source: &mut crate::blob::BlobReader) -> io::Result<Option<u8>> {
    let byte = source.fill_buf()?.first().copied();
    source.consume(usize::from(byte.is_some()));
    Ok(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text_encoding::tests::handed;

    #[track_caller]
    fn check(patch: &str, expected: &[u8]) {
        assert!(handed(patch).iter().any(|bytes| bytes == expected), "{patch}");
    }

    #[test]
    fn files_that_a_patch_adds_are_handed() {
        const NO_BREAK: &str = "\\ No newline at end of file\n";
        check("--- /dev/null\n+++ b/a\n@@ -0,0 +1,2 @@\n+Cat\n++Dog\n", b"Cat\n+Dog\n");
        check(&format!("--- a\n+++ b\n@@ -0,0 +1 @@\n+Cat\n{NO_BREAK}--- c\n+++ d\n"), b"Cat");
        check("@@ -0,0 +1 @@ f\n+Cat\n@@ -1,0 +2 @@\n+Dog\ndiff", b"Cat\nDog\n");
        check("  @@ -0,0 +1,2 @@\n  +Cat\n  +\n  +Dog\n", b"Cat\n\nDog\n");
        check("0a1,2\n> Cat\n> Dog\n", b"Cat\nDog\n");
        check("***************\n*** 0 ****\n--- 1,2 ----\n+ Cat\n+ Dog\n", b"Cat\nDog\n");
        check("0a\nCat\nDog\n.\nw\n", b"Cat\nDog\n");
    }

    #[test]
    fn binary_patches_of_git_are_unpacked() {
        const LITERAL: &str =
            "GIT binary patch\nliteral 6\nNc-nJLEMaiT2LJ{{0n7jZ\n\nliteral 0\nHcmV?d00001\n\n";
        check(LITERAL, b"Cat\0Do");
    }

    #[test]
    fn deltas_have_insertions() {
        let delta = Blob::from_bytes(b"\x80\x01\x07\x03Cat\x91\x01\x02\x03Dog\x05xy".to_vec());
        let mut inserted = Vec::new();
        insertions(&delta).read_to_end(&mut inserted).unwrap();
        assert_eq!(inserted, b"CatDogxy");
    }
}
