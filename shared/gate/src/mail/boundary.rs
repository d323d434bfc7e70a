//! Reads the parameters of a Content-Type, such as the delimiter between parts (RFC 2046, 5.1.1; RFC 2231),
//! in every way that some reader does.

use super::header::find;

/// For each parameter of this name that seems to stand in `value`, what it may be. Continued ones
/// (`boundary*0=`) are joined into one more.
pub(super) fn parameters(value: &[u8], word: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let (mut all, mut joined, mut n_joined, mut from) = (Vec::new(), Vec::new(), 0, 0);
    while let Some(hit) = find(&value[from..], word) {
        from += hit + word.len();
        let Some((is_continued, rest)) = behind_equals_sign(&value[from..]) else { continue };
        if is_continued {
            joined.extend(section(rest));
            n_joined += 1;
        }
        all.push(readings(rest));
    }
    if n_joined > 1 {
        all.push(vec![joined]);
    }
    all.retain(|readings| !readings.is_empty());
    all
}

/// Skips `*`, digits and white space up to the `=`. Says whether there was a number.
fn behind_equals_sign(text: &[u8]) -> Option<(bool, &[u8])> {
    let is_between = |byte: &&u8| byte.is_ascii_whitespace() || byte.is_ascii_digit() || **byte == b'*';
    let n_between = text.iter().take_while(is_between).count();
    let rest = text[n_between..].strip_prefix(b"=")?;
    Some((text[..n_between].iter().any(u8::is_ascii_digit), rest))
}

fn readings(text: &[u8]) -> Vec<Vec<u8>> {
    let text = without_comments(text.trim_ascii_start());
    let mut readings = Vec::new();
    let mut add = |reading: &[u8]| {
        let reading = reading.trim_ascii().to_vec();
        if !reading.is_empty() && !readings.contains(&reading) {
            readings.push(reading);
        }
    };
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let unescaped = unquoted(quoted);
        add(&unescaped);
        add(quoted.split(|byte| *byte == b'"').next().unwrap_or_default());
        add(unescaped.split(|byte| *byte == 0).next().unwrap_or_default());
    }
    let plain = text.split(|byte| *byte == b';').next().unwrap_or_default();
    add(plain);
    add(plain.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default());
    add(&percent_decoded(plain.rsplit(|byte| *byte == b'\'').next().unwrap_or_default()));
    add(&plain.iter().filter(|byte| !matches!(byte, b'"' | b'\\')).copied().collect::<Vec<_>>());
    if let Some(single) = plain.strip_prefix(b"'") {
        add(single.split(|byte| *byte == b'\'').next().unwrap_or_default());
    }
    readings
}

/// One of the values that are joined.
fn section(text: &[u8]) -> Vec<u8> {
    match text.trim_ascii_start().strip_prefix(b"\"") {
        Some(quoted) => unquoted(quoted),
        None => text.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_vec(),
    }
}

/// A quoted string up to its end, without the backslashes.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let (mut plain, mut bytes) = (Vec::new(), text.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    plain
}

fn without_comments(mut text: &[u8]) -> &[u8] {
    while text.starts_with(b"(") {
        let Some(end) = memchr::memchr(b')', text) else { break };
        text = text[end + 1..].trim_ascii_start();
    }
    text
}

pub(super) fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (mut plain, mut rest) = (Vec::new(), text);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte == b'%'
            && let (Some(high), Some(low)) = (digit(behind.first()), digit(behind.get(1)))
            && let Ok(decoded) = u8::try_from(high * 16 + low)
        {
            plain.push(decoded);
            rest = &behind[2..];
        } else {
            plain.push(*byte);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_is_read_in_every_way() {
        for value in [
            "boundary=b",
            "boundary = \"b\"",
            "BOUNDARY=b; x",
            "boundary=\"\\b\"",
            "boundary=(c)b",
            "boundary*=us-ascii''%62",
            "boundary='b'",
            "boundary=\"b",
            "boundary=\"b\0\"",
            r#"boundary=\"b\""#,
            "boundary=\"b \"",
            "boundary=b c",
            "boundary*0=\"\"; boundary*1=b",
            "(boundary=c) boundary=b",
        ] {
            assert!(parameters(value.as_bytes(), b"boundary").concat().contains(&b"b".to_vec()), "{value}");
        }
        assert_eq!(
            parameters(b"boundary*0=a; boundary*1=\"b\"", b"boundary").last().unwrap(),
            &[b"ab".to_vec()]
        );
        assert_eq!(
            parameters(b"boundary*0=a; boundary*1=\"\"", b"boundary").last().unwrap(),
            &[b"a".to_vec()]
        );
        assert!(parameters(b"multipart/mixed; bound=a", b"boundary").is_empty());
    }
}
