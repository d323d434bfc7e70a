//! Tests which runs are found, and where each begins and ends.

use super::*;
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

/// `n_digits` digits of all classes.
fn data(n_digits: usize) -> String {
    "Aa0+Zz9/".repeat(n_digits.div_ceil(8))[..n_digits].to_owned()
}

#[test]
fn runs_are_found_by_few_bytes_as_by_all() {
    let naive = |text: &[u8], from: usize| {
        let mut at = from;
        while at < text.len() {
            let n_digits = digits(&text[at..], is_digit).0;
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
                    let found = next_run(&text, from.min(text.len()), is_digit);
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
