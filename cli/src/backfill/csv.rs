//! Reads rows of comma-separated values as S3 Inventory writes them (RFC 4180): fields may be quoted, and
//! quoted fields may hold commas, quotes and line breaks.

use std::io::{self, BufRead, Read as _};

/// More than any inventory row has: a file without line breaks must not fill the memory.
const MAX_ROW_BYTES: u64 = 64 * 1024;

/// Reads the next row; `None` at the end. Errors: a quoted field without its end, or a row that is too long.
pub(crate) fn next_row(input: &mut impl BufRead) -> io::Result<Option<Vec<String>>> {
    let mut text = Vec::new();
    loop {
        let room = MAX_ROW_BYTES.saturating_sub(text.len().try_into().unwrap_or(u64::MAX));
        if room == 0 {
            return Err(bad("a row is too long"));
        }
        let n_read = input.by_ref().take(room).read_until(b'\n', &mut text)?;
        let is_whole = text.iter().fold(true, |is_outside, byte| is_outside ^ (*byte == b'"'));
        match (n_read, is_whole) {
            (0, true) if text.is_empty() => return Ok(None),
            (0, false) => return Err(bad("a quoted field has no end")),
            (_, true) if n_read == 0 || text.ends_with(b"\n") => break,
            _ => {}
        }
    }
    let text = String::from_utf8(text).map_err(|_| bad("a row is not UTF-8"))?;
    fields(text.trim_end_matches(['\r', '\n'])).map(Some)
}

fn fields(row: &str) -> io::Result<Vec<String>> {
    let (mut fields, mut rest) = (vec![], row);
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted_field(quoted)?
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            (rest[..end].to_owned(), &rest[end..])
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(bad("a field is quoted in part")),
        }
    }
}

/// Returns the field up to its closing quote, and what follows that.
fn quoted_field(text: &str) -> io::Result<(String, &str)> {
    let (mut field, mut rest) = (String::new(), text);
    loop {
        let (part, after) = rest.split_once('"').ok_or_else(|| bad("a quoted field has no end"))?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Ok((field, after)),
        }
    }
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> io::Result<Vec<Vec<String>>> {
        let mut input = text.as_bytes();
        std::iter::from_fn(|| next_row(&mut input).transpose()).collect()
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        for (text, expected) in [
            ("", vec![]),
            ("a,b\n", vec![vec!["a", "b"]]),
            ("\"a\",\"b\"\r\n\"c\",\"\"", vec![vec!["a", "b"], vec!["c", ""]]),
            ("\"a,\"\"b\"\"\",\n", vec![vec!["a,\"b\"", ""]]),
            ("\"two\nlines\",x\ny,z\n", vec![vec!["two\nlines", "x"], vec!["y", "z"]]),
        ] {
            assert_eq!(rows(text).unwrap(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_no_row_is_an_error() {
        let long = "x".repeat(70_000);
        for text in ["\"a", "\"a\"b,c\n", &long, &format!("\"{long}\"\n")] {
            assert!(rows(text).is_err(), "{}", &text[..4.min(text.len())]);
        }
    }
}
