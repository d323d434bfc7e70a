//! Finds lines that announce encoded data: `begin 644 name`, `=ybegin`, BinHex's first colon.

use super::announced::Announced;
use super::{Encoding, binhex};
use crate::blob::Blob;
use crate::mail::{Breaks, Line, Spans};
use crate::survey::{Survey, Word};
use crate::walk::Walked;

/// Finds such lines. What begins with one ends where the next one of its kind stands.
#[derive(Debug)]
pub(crate) struct Marks {
    blob: Blob,
    breaks: Breaks,
    has_begin: bool,
    has_tag: bool,
    announced: Announced,
    begun: Option<(u64, Encoding)>,
    yenc_at: Option<u64>,
    first_yenc_at: Option<u64>,
    text_end: u64,
    /// The last bytes of a line that comes in pieces.
    tail: Vec<u8>,
}

impl Marks {
    pub(crate) fn new(blob: &Blob, breaks: Breaks, survey: &Survey) -> Self {
        let (has_begin, has_tag) = (survey.has(Word::Begin), survey.has(Word::TagOfBinary));
        let blob = blob.clone();
        let announced = Announced::default();
        Self {
            blob,
            breaks,
            has_begin,
            has_tag,
            announced,
            begun: None,
            yenc_at: None,
            first_yenc_at: None,
            text_end: 0,
            tail: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if self.has_begin {
            self.take_begin(line, spans)?;
        }
        self.announced.take(line, self.has_tag, spans)?;
        if line.begins
            && line.text.starts_with(b":")
            && binhex::begins(&binhex::head_of(&self.blob, line.at)?)
        {
            spans.add_plain(line.at, self.blob.size_bytes(), Encoding::BinHex)?;
        }
        self.text_end = line.next_at;
        Ok(())
    }

    fn take_begin(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        if let Some(encoding) = self.begun_by(line) {
            self.end_begun(line.at, spans)?;
            self.begun = Some((line.next_at, encoding));
        } else if self.begun.is_some_and(|(_, encoding)| encoding == Encoding::Base64)
            && line.text.trim_ascii_end() == b"===="
        {
            self.end_begun(line.at, spans)?;
        }
        if line.text.starts_with(b"=ybegin ") {
            self.end_yenc(line.at, spans)?;
            self.first_yenc_at.get_or_insert(line.at);
            self.yenc_at = Some(line.at);
        }
        Ok(())
    }

    /// Reads a piece of a line with the last bytes of the piece before.
    fn begun_by(&mut self, line: &Line<'_>) -> Option<Encoding> {
        const NEAR: usize = 512;
        let mut before = std::mem::take(&mut self.tail);
        if line.ended_by.is_empty() {
            self.tail = line.text[line.text.len().saturating_sub(NEAR)..].to_vec();
        }
        if line.begins || before.is_empty() {
            return begun_by(line.text, self.breaks);
        }
        before.extend_from_slice(line.text);
        begun_by(&before, self.breaks)
    }

    fn end_begun(&mut self, end: u64, spans: &mut Spans) -> Walked {
        match self.begun.take() {
            Some((start, encoding)) => spans.add_plain(start, end, encoding),
            None => Ok(()),
        }
    }

    fn end_yenc(&mut self, end: u64, spans: &mut Spans) -> Walked {
        match self.yenc_at.take() {
            Some(start) => spans.add_plain(start, end, Encoding::YEnc),
            None => Ok(()),
        }
    }

    /// Ends what has begun, at the end of the last line. Blocks of yEnc may be parts of one file.
    pub(crate) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.announced.finish(spans)?;
        self.end_begun(self.text_end, spans)?;
        self.end_yenc(self.text_end, spans)?;
        match self.first_yenc_at {
            Some(start) => spans.add_plain(start, self.text_end, Encoding::YEnc),
            None => Ok(()),
        }
    }
}

/// What a line says that the next ones are: `begin 644 name`, `begin-base64 644 name` and their kin
/// (POSIX.1-2024 and sharutils). At the start of a line whatever mode it says, behind other text only with
/// one that is sure.
fn begun_by(line: &[u8], breaks: Breaks) -> Option<Encoding> {
    let is_before = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'>');
    let n_before = line.iter().take_while(is_before).count();
    memchr::memchr2_iter(b'b', b'B', line).find_map(|at| {
        let (is_base64, rest) = behind_begin(&line[at..])?;
        let is_sure = if at == n_before { has_mode(rest) } else { is_mode(rest) };
        match (at == n_before || is_sure, is_base64) {
            (false, _) => None,
            (true, true) => Some(Encoding::Base64),
            (true, false) => Some(Encoding::Uu(breaks, is_sure)),
        }
    })
}

/// Returns whether the data are base64, and what stands behind the word.
fn behind_begin(text: &[u8]) -> Option<(bool, &[u8])> {
    const WORD: &[u8] = b"begin";
    let word = text.get(..WORD.len())?;
    let rest = word.eq_ignore_ascii_case(WORD).then(|| &text[WORD.len()..])?;
    let (is_base64, rest) = match rest.strip_prefix(b"-base64") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.strip_prefix(b"-encoded").unwrap_or(rest);
    matches!(rest.first(), Some(b' ' | b'\t')).then_some((is_base64, rest))
}

/// Returns whether some reader takes the start for a mode and finds a name behind it. Python's `int(mode, 8)`
/// takes a sign, `0o` and underscores (email and uu of 3.11); sharutils' `%o %s` takes what follows the
/// digits for the name.
fn has_mode(text: &[u8]) -> bool {
    let is_white = |byte: &&u8| byte.is_ascii_whitespace() || **byte == b'\x0b';
    let text = &text[text.iter().take_while(is_white).count()..];
    let is_before = |byte: &&u8| matches!(byte, b'+' | b'-');
    let text = &text[text.iter().take(1).take_while(is_before).count()..];
    let is_of_mode = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'_' | b'o' | b'O');
    let n_mode = text.iter().take_while(is_of_mode).count();
    text.first().is_some_and(u8::is_ascii_digit) && n_mode < text.len()
}

/// Octal digits, or what some readers take for them, and a name.
fn is_mode(text: &[u8]) -> bool {
    let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mode = words.next().unwrap_or_default();
    let digits = mode.strip_prefix(b"-").unwrap_or(mode);
    let digits = digits.strip_prefix(b"0o").unwrap_or(digits);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) && words.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_begin_in_every_way() {
        let begun = |line: &str| begun_by(line.as_bytes(), Breaks::Any);
        let sure = Some(Encoding::Uu(Breaks::Any, true));
        for line in [
            "begin 644 a",
            "begin 6 a",
            "begin 00644 a b",
            "begin  644 a",
            "> begin 644 a",
            "begin 0o644 a",
            "Begin 644 a",
            "begin +644 a",
            "begin 6_44 a",
            "begin 0O644 a",
            "begin \x0b644 a",
            "begin 644 ",
            "begin 644a",
        ] {
            assert_eq!(begun(line), sure, "{line}");
        }
        for line in ["<pre>begin 644 a", "begin -644 a", "begin-encoded 644 ZS5jb20="] {
            assert_eq!(begun(line), sure, "{line}");
        }
        for line in ["begin with", "begin a", "begin  e.com", "begin 644"] {
            assert_eq!(begun(line), Some(Encoding::Uu(Breaks::Any, false)), "{line}");
        }
        for line in ["begin-base64 644 a", "begin-base64-encoded 6 YQ==", "begin-base64 a b"] {
            assert_eq!(begun(line), Some(Encoding::Base64), "{line}");
        }
        for line in ["begin", "we begin with", "beginning 644 a", "to begin 644", ""] {
            assert_eq!(begun(line), None, "{line}");
        }
    }
}
