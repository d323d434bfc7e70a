//! Tests which values are found whose base64 has something in between, and that others are left alone.

use super::super::tests::{base64, check, handed, payloads, split};

#[test]
fn what_stands_between_announced_digits_is_skipped() {
    let payload = &payloads()[0];
    for joint in ["*", ".", "-", " ", "\u{e9}"] {
        let digits = split(&base64(payload), 7, joint);
        for text in [
            "BEGIN:VCARD\r\nPHOTO;ENCODING=b;TYPE=JPEG:@\r\nEND:VCARD\r\n",
            "BEGIN:VCARD\nPHOTO;ENCODING=BASE64;TYPE=JPEG:@\n\nEND:VCARD\n",
            "BEGIN:VCARD\nPHOTO;X=\"a:b\";BASE64:@\nEND:VCARD\n",
            "BEGIN:VCALENDAR\nATTACH;ENCODING=BASE64;VALUE=BINARY:@\nEND:VCALENDAR\n",
            "version: 1\n\ndn: cn=a\njpegPhoto:: @\ncn: a\n",
            "a: !!binary \"@\"\n",
            "- !<tag:yaml.org,2002:binary> '@'\n",
            "a: !!binary @\nb: 1\n",
            "{\"data\": {\"image/png\": \"@\"}, \"a\": 1}",
            "<plist><data>@</data></plist>",
            "<?xml version='1.0'?><value><base64>@</base64></value>",
            "<FictionBook><binary id=\"a\">@</binary></FictionBook>",
        ] {
            check(&text.replace('@', &digits), payload);
        }
    }
}

#[test]
fn announced_digits_may_stand_in_any_lines() {
    let payload = &payloads()[0];
    let digits = base64(payload);
    let growing = |by: &str| {
        let (mut text, mut at, mut n) = (String::new(), 0, 3);
        while at < digits.len() {
            text += &digits[at..digits.len().min(at + n)];
            text += by;
            (at, n) = (at + n, n + 1);
        }
        text
    };
    for text in [
        format!("a: !!binary |\n  {}b: 1\n", growing("\n  ")),
        format!("- a: !!binary >\n    {}\n", growing("\n    ")),
        format!("a: !!binary |\n  {}\n  {}\nb: 1\n", &digits[..5], &digits[5..]),
        format!("a: !!binary \"{}\"\n", split(&digits, 7, "\n  ")),
        format!("BEGIN:VCARD\nPHOTO;ENCODING=b:{}\nEND:VCARD\n", growing("\n ").trim_end()),
        format!("dn: cn=a\njpegPhoto:: {}\ncn: a\n", growing("\n ").trim_end()),
    ] {
        check(&text, payload);
    }
}

#[test]
fn quoted_properties_are_decoded() {
    let payload = &payloads()[0];
    let quoted = payload.iter().map(|byte| format!("={byte:02X}")).collect::<Vec<_>>().concat();
    for value in [quoted.clone(), split(&quoted, 60, "=\r\n")] {
        let text =
            format!("BEGIN:VCARD\r\nVERSION:2.1\r\nNOTE;ENCODING=QUOTED-PRINTABLE:{value}\r\nEND:VCARD\r\n");
        let is_payload = |bytes: &Vec<u8>| bytes.starts_with(payload);
        assert!(handed(&text).iter().any(is_payload), "{text}");
    }
}

#[test]
fn prose_and_programs_announce_nothing() {
    let prose = "The 3 words of a Text that is no data, but long enough to be some. ".repeat(4);
    for text in [
        format!("std::string a;\nFoo::bar() {{ {prose} }}\n"),
        format!("Note; with base64 in it, and: {prose}\n"),
        format!("binary: {prose}\n"),
        format!("TITLE;CHARSET=UTF-8:{prose}\n"),
    ] {
        let n_handed = handed(&text).len();
        assert!(n_handed == 0 || text.starts_with("Note"), "{text}");
    }
}
