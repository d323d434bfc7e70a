//! Unpacks RCS files, of which co(1) writes any revision: the newest as it is, each older one as changes to
//! the one after it (rcsfile(5)).

use domain::verdict::Unscannable;

use crate::blob::{Blob, to_usize};
use crate::walk::{Walk, Walked, refuse};

/// As large a file as is read into memory.
const MOST_BYTES: u64 = 16 << 20;

struct Revision {
    number: Vec<u8>,
    text: Vec<u8>,
}

/// Hands every revision of the trunk. Revisions on branches are refused, unless they change nothing, as the
/// first import into CVS does.
pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    if !is_head(&blob.bytes_at(0, 256)?) {
        return Ok(());
    }
    if blob.size_bytes() > MOST_BYTES {
        return refuse(Unscannable::UnsupportedContainer, "an RCS file larger than the limit");
    }
    let mut newer = None::<Vec<u8>>;
    for revision in revisions(&blob.bytes_at(0, to_usize(blob.size_bytes()))?) {
        let is_on_trunk = revision.number.split(|byte| *byte == b'.').nth(2).is_none();
        let text = match &newer {
            None => Some(revision.text),
            Some(_) if !is_on_trunk && revision.text.is_empty() => continue,
            Some(newer) if is_on_trunk => changed(newer, &revision.text),
            Some(_) => None,
        };
        let Some(text) = text else {
            return refuse(Unscannable::UnsupportedContainer, "a revision of RCS that changes another");
        };
        walk.reading(&mut text.as_slice(), depth)?;
        newer = Some(text);
    }
    Ok(())
}

/// The first word is `head`, and the second one the number of the newest revision.
fn is_head(start: &[u8]) -> bool {
    let Some(rest) = start.trim_ascii_start().strip_prefix(b"head") else { return false };
    let number = rest.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let has_space = rest.first().is_some_and(u8::is_ascii_whitespace);
    has_space && !number.is_empty() && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// The strings behind the word `text`, each with the last number before it.
fn revisions(file: &[u8]) -> Vec<Revision> {
    let (mut revisions, mut number, mut is_text) = (vec![], vec![], false);
    let mut rest = file;
    while let Some(first) = rest.first() {
        if *first == b'@' {
            let (string, behind) = string(&rest[1..]);
            if std::mem::take(&mut is_text) {
                revisions.push(Revision { number: number.clone(), text: string });
            }
            rest = behind;
            continue;
        }
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b':' | b'@');
        let n_word = rest.iter().position(is_end).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(n_word);
        if !word.is_empty() {
            is_text = word == b"text";
        }
        if word.first().is_some_and(u8::is_ascii_digit) {
            number = word.to_vec();
        }
        rest = if n_word == 0 { &rest[1..] } else { behind };
    }
    revisions
}

/// A string up to its end, in which `@` is doubled, and what stands behind it.
fn string(mut rest: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut string = vec![];
    while let Some(end) = memchr::memchr(b'@', rest) {
        string.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        if rest.first() != Some(&b'@') {
            return (string, rest);
        }
        string.push(b'@');
        rest = &rest[1..];
    }
    string.extend_from_slice(rest);
    (string, &[])
}

/// Applies changes as `diff -n` writes them: `dLINE COUNT` deletes lines, `aLINE COUNT` adds those that
/// follow behind a line. `None` if they do not fit.
fn changed(old: &[u8], changes: &[u8]) -> Option<Vec<u8>> {
    let old = old.split_inclusive(|byte| *byte == b'\n').collect::<Vec<_>>();
    let mut changes = changes.split_inclusive(|byte| *byte == b'\n');
    let (mut new, mut n_done) = (vec![], 0);
    while let Some(change) = changes.next() {
        let (kind, numbers) = change.trim_ascii_end().split_first()?;
        let (line, count) = std::str::from_utf8(numbers).ok()?.split_once(' ')?;
        let (line, count) = (line.parse::<usize>().ok()?, count.parse::<usize>().ok()?);
        let n_kept = if *kind == b'd' { line.checked_sub(1)? } else { line };
        new.extend_from_slice(&old.get(n_done..n_kept)?.concat());
        n_done = n_kept;
        match kind {
            b'd' => n_done = n_done.checked_add(count)?,
            b'a' => {
                for _ in 0..count {
                    new.extend_from_slice(changes.next()?);
                }
            }
            _ => return None,
        }
    }
    new.extend_from_slice(&old.get(n_done..)?.concat());
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic_mac::tests::{handed, is_refused};

    fn file(revisions: &[(&str, &str)]) -> Vec<u8> {
        let texts =
            revisions.iter().map(|(number, text)| format!("{number}\nlog\n@text 1.9@\ntext\n@{text}@\n"));
        let texts = texts.collect::<String>();
        format!("head\t{};\naccess;\nlocks; strict;\ncomment @# @;\n\ndesc\n@@\n\n{texts}", revisions[0].0)
            .into()
    }

    #[test]
    fn every_revision_of_the_trunk_is_handed() {
        let rows = [("1.3", "a@@b\nc\n"), ("1.2", "d1 1\na1 2\nx\ny\n"), ("1.1", "a3 1\nz"), ("1.1.1.1", "")];
        let expected = ["a@b\nc\n", "x\ny\nc\n", "x\ny\nc\nz"].map(|text| text.as_bytes().to_vec());
        assert_eq!(handed(walk, &file(&rows)), expected);
        // Without the end of the last string.
        let cut = file(&rows[..1]);
        assert_eq!(handed(walk, &cut[..cut.len() - 2]), expected[..1]);
    }

    #[test]
    fn what_cannot_be_applied_is_refused() {
        for (number, text) in [
            ("1.1", "d9 1\n"),
            ("1.1", "a1 2\nx\n"),
            ("1.1", "c1 1\n"),
            ("1.1", "text"),
            ("1.2.1.1", "d1 1\n"),
        ] {
            assert!(is_refused(walk, &file(&[("1.2", "one\ntwo\n"), (number, text)])), "{number} {text}");
        }
    }

    #[test]
    fn a_text_may_begin_with_the_word() {
        for text in ["head 1.1 text @x@", "header 1;\ntext @x@", "head first;\ntext @x@", "head;\ntext @x@"] {
            assert!(handed(walk, text.as_bytes()).is_empty(), "{text}");
        }
    }
}
