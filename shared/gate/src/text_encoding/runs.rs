//! Runs of base64 in any text: calendars, address cards, flat office documents, `data:` URIs, armour, and mails whose header says nothing.
//!
//! Letters, digits and two signs are what ordinary text is made of too. What tells data is where they stand and how long they go on: hashes,
//! tokens, words and names are shorter, or are not of upper case, lower case and figures alike.

use super::Encoding;
use crate::blob::to_u64;
use crate::mail::{Line, Spans, holds};
use crate::walk::Walked;

/// Why a run may be data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    /// `;base64,` or `ENCODING=BASE64:` stands in front of it.
    Announced,
    /// A colon or the end of a tag does.
    Value,
    /// It begins a line.
    Lines,
    Length,
}

impl Reason {
    /// The fewest digits. The EICAR test file has 91; a SHA-512 digest has 86.
    fn least(self) -> u64 {
        match self {
            Self::Announced => to_u64(SHORTEST),
            Self::Value | Self::Lines => 90,
            Self::Length => 1024,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Run {
    reason: Reason,
    start: u64,
    end: u64,
    n_digits: u64,
    classes: u8,
    /// Digits of its first line.
    width: u64,
}

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const FIGURE: u8 = 4;
const SIGN: u8 = 8;
const ALL: u8 = UPPER | LOWER | FIGURE;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => FIGURE,
            b'+' | b'/' => SIGN,
            _ => 0,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

/// Finds runs, line by line.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    /// A run that goes to the end of the line before.
    open: Option<Run>,
    /// What the line before says about one that begins this line.
    before: Option<Reason>,
}

impl Runs {
    pub(crate) fn take(&mut self, line: &Line<'_>, spans: &mut Spans) -> Walked {
        let text = line.text.trim_ascii_end();
        let n_indent = if line.begins { text.len() - text.trim_ascii_start().len() } else { 0 };
        let mut from = n_indent;
        if let Some(mut run) = self.open.take() {
            let (n_digits, classes) = digits(&text[from..]);
            if !line.begins || run.takes_line(n_digits) && ends_run(&text[from + n_digits..]) {
                run.extend(line, from, n_digits, classes);
                from += n_digits;
                if line.begins && run.is_last_line(n_digits) || from < text.len() {
                    run.end(spans)?;
                } else {
                    self.open = Some(run);
                    return Ok(());
                }
            } else {
                run.end(spans)?;
            }
        }
        self.find(line, text, n_indent, from, spans)?;
        let ends_with_sign = matches!(text.last(), Some(b':' | b'>' | b',' | b';'));
        self.before = ends_with_sign.then(|| reason(text, text.len())).filter(|it| *it != Reason::Length);
        Ok(())
    }

    fn find(
        &mut self,
        line: &Line<'_>,
        text: &[u8],
        n_indent: usize,
        from: usize,
        spans: &mut Spans,
    ) -> Walked {
        let mut from = from;
        while let Some(at) = next_run(text, from) {
            let (n_digits, classes) = digits(&text[at..]);
            let reason = match self.before {
                Some(reason) if at == n_indent && line.begins => reason,
                _ if at == n_indent && line.begins => Reason::Lines,
                _ => reason(text, at),
            };
            let mut run =
                Run { reason, start: line.at + to_u64(at), end: 0, n_digits: 0, classes: 0, width: 0 };
            run.extend(line, at, n_digits, classes);
            from = at + n_digits;
            if from == text.len() {
                self.open = Some(run);
            } else {
                run.end(spans)?;
            }
        }
        Ok(())
    }

    /// Ends the run that goes to the end of the last line.
    pub(crate) fn finish(&mut self, spans: &mut Spans) -> Walked {
        self.open.take().map_or(Ok(()), |run| run.end(spans))
    }
}

impl Run {
    fn extend(&mut self, line: &Line<'_>, at: usize, n_digits: usize, classes: u8) {
        if line.begins && self.n_digits == 0 {
            self.width = to_u64(n_digits);
        } else if !line.begins {
            self.width = u64::MAX;
        }
        self.end = line.at + to_u64(at + n_digits);
        self.n_digits += to_u64(n_digits);
        self.classes |= classes;
    }

    /// Lines of data are as long as the first one, except for the last; names that stand below each other are not.
    fn takes_line(&self, n_digits: usize) -> bool {
        match self.reason {
            Reason::Announced | Reason::Value => n_digits > 0,
            Reason::Lines => n_digits > 0 && to_u64(n_digits) <= self.width,
            // It would be the last word of one line and the first of the next.
            Reason::Length => false,
        }
    }

    fn is_last_line(&self, n_digits: usize) -> bool {
        self.reason == Reason::Lines && to_u64(n_digits) < self.width
    }

    fn end(self, spans: &mut Spans) -> Walked {
        let is_mixed = self.classes & ALL == ALL || self.reason == Reason::Announced;
        if is_mixed && self.n_digits >= self.reason.least() {
            spans.add_plain(self.start, self.end, Encoding::Base64)?;
        }
        Ok(())
    }
}

/// What is shorter, and does not go to the end of its line, is no data for any reason.
const SHORTEST: usize = 64;

/// Where the next run begins from `from` on that is long enough, or goes to the end. Looks at one byte of each so many: all data of all files
/// come through here.
fn next_run(text: &[u8], mut from: usize) -> Option<usize> {
    let is_digit = |at: usize| CLASSES[usize::from(text[at])] != 0;
    loop {
        // A long run that begins from here on has a digit there.
        let probe = (from + SHORTEST - 1).min(text.len().checked_sub(1)?);
        if probe < from {
            return None;
        }
        let start = (from..=probe).rev().take_while(|at| is_digit(*at)).last();
        let end = start.map_or(probe + 1, |start| start + digits(&text[start..]).0);
        match start {
            Some(start) if end == text.len() || end - start >= SHORTEST => return Some(start),
            _ => from = end,
        }
    }
}

fn digits(text: &[u8]) -> (usize, u8) {
    let (mut n_digits, mut classes) = (0, 0);
    for byte in text {
        match CLASSES[usize::from(*byte)] {
            0 => break,
            class => classes |= class,
        }
        n_digits += 1;
    }
    (n_digits, classes)
}

/// Whether digits that a line begins with may be the last ones of a run, by what follows them: not the name of the next field.
fn ends_run(behind: &[u8]) -> bool {
    behind.first().is_none_or(|byte| b"=<\"'`)]}\\".contains(byte))
}

/// Why a run at `at` may be data.
fn reason(text: &[u8], at: usize) -> Reason {
    const NEAR: usize = 512;
    let before = text[at.saturating_sub(NEAR)..at].trim_ascii_end();
    let is_announced = || holds(before, b"base64") || holds(before, b"encoding=b");
    match before.last() {
        Some(b',' | b';' | b':') if is_announced() => Reason::Announced,
        Some(b':' | b'>') => Reason::Value,
        _ => Reason::Length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;
    use crate::mail::{Breaks, Lines};

    fn runs(text: &str) -> Vec<String> {
        let blob = Blob::from_bytes(text.as_bytes().to_vec());
        let (mut lines, mut spans) = (Lines::new(&blob, Breaks::Any), Spans::new(&blob, 100));
        let mut runs = Runs::default();
        while let Some(line) = lines.next_line().unwrap() {
            runs.take(&line, &mut spans).unwrap();
        }
        runs.finish(&mut spans).unwrap();
        let of = |(start, end): (u64, u64)| {
            text[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].to_owned()
        };
        spans.places().map(of).collect()
    }

    /// So many digits of all classes.
    fn data(n_digits: usize) -> String {
        "Aa0+Zz9/".repeat(n_digits.div_ceil(8))[..n_digits].to_owned()
    }

    #[test]
    fn runs_are_found_by_few_bytes_as_by_all() {
        let naive = |text: &[u8], from: usize| {
            let mut at = from;
            while at < text.len() {
                let n_digits = digits(&text[at..]).0;
                if n_digits >= SHORTEST || n_digits > 0 && at + n_digits == text.len() {
                    return Some(at);
                }
                at += n_digits.max(1);
            }
            None
        };
        for n_digits in 0..130 {
            for n_before in [0, 1, 62, 63, 64, 65, 200] {
                for behind in ["", "-", "-A", "-AA-"] {
                    let text = [b"A-".repeat(n_before), vec![b'A'; n_digits], behind.into()].concat();
                    for from in [0, 1, n_before] {
                        let found = next_run(&text, from.min(text.len()));
                        assert_eq!(
                            found,
                            naive(&text, from.min(text.len())),
                            "{n_before} {n_digits} {behind} {from}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn data_are_found_where_programs_keep_them() {
        let (data, short) = (data(91), data(64));
        for (text, expected) in [
            (format!("{data}=\n"), &data),
            (format!("ATTACH;ENCODING=BASE64;VALUE=BINARY:{data}\r\nEND:VEVENT\r\n"), &data),
            (format!("PHOTO;ENCODING=b;TYPE=JPEG:{short}\r\n"), &short),
            (format!("<img src=\"data:image/png;base64,{short}\">"), &short),
            (format!("<pkg:binaryData>{data}</pkg:binaryData>"), &data),
            (format!("value:: {data}\n"), &data),
        ] {
            assert_eq!(runs(&text), [expected.as_str()], "{text}");
        }
    }

    #[test]
    fn lines_are_joined() {
        let data = data(160);
        let (first, rest) = data.split_at(70);
        let (second, third) = rest.split_at(70);
        for text in [
            format!("ATTACH;ENCODING=BASE64:{first}\r\n {second}\r\n {third}\r\nEND:X"),
            format!("<binary-data>\n  {first}\n  {second}\n  {third}\n</binary-data>"),
            format!("words\n{first}\n{second}\n{third}=\nwords"),
        ] {
            let found = runs(&text);
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].split_whitespace().collect::<String>(), data);
        }
    }

    #[test]
    fn ordinary_text_has_none() {
        let (hex, sha512) = ("0123456789abcdef".repeat(8), data(86));
        for text in [
            format!("\"integrity\": \"sha512-{sha512}==\",\n").repeat(10),
            format!("{sha512}==\n").repeat(10),
            format!("{hex}  file\n{hex}\n{hex}\n"),
            format!("digest:{hex}\n"),
            format!("{{\"token\":\"{}.{}\"}}", data(200), data(500)),
            "usr/share/Doc1\nusr/share/zoneinfo/Africa/Abidjan\nusr/lib/A1\n".repeat(10),
            "Word\nanother\nOf1\n".repeat(100),
            format!("ACGT{}\n", "ACGT".repeat(200)),
        ] {
            assert_eq!(runs(&text), Vec::<String>::new(), "{text}");
        }
    }
}
