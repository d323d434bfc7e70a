//! Tests encoded data in every kind of text, in the form in which real programs write it.

use crate::blob::Blob;
use crate::scratch::Scratch;
use crate::walk::Walk;
use crate::{Gate, Limits, Method};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| usize::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |bits: u8| char::from(b"0123456789abcdef"[usize::from(bits)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Lines of `width` characters, joined by `by`.
pub(super) fn split(text: &str, width: usize, by: &str) -> String {
    text.as_bytes().chunks(width).map(String::from_utf8_lossy).collect::<Vec<_>>().join(by)
}

/// One as long as the EICAR test file, and one whose base64 has the signs of both alphabets.
pub(super) fn payloads() -> [Vec<u8>; 2] {
    let noise = |at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 0xc0;
    [b"X5O!P%@AP[4\\".iter().copied().chain((0..56).map(noise)).collect(), (0..3_000).map(noise).collect()]
}

pub(super) fn handed(text: &str) -> Vec<Vec<u8>> {
    let limits =
        Limits { max_member_bytes: 1_000_000, max_total_bytes: 20_000_000, max_members: 1_100, max_depth: 8 };
    let gate = Gate { limits, capabilities: [Method::Mail].into_iter().collect() };
    let mut walk = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
    walk.look(&Blob::from_bytes(text.into()), 0).unwrap();
    walk.into_handed().iter().map(|blob| blob.bytes_at(0, 1_000_000).unwrap()).collect()
}

#[track_caller]
pub(super) fn check(text: &str, payload: &[u8]) {
    let n_shown = text.len().min(300);
    assert!(handed(text).iter().any(|bytes| bytes == payload), "{:?}", text.get(..n_shown));
}

/// `@` is the data, in one line.
const IN_A_LINE: [&str; 42] = [
    "@",
    "atob(\"@\")",
    "let data = '@';",
    "f(`@`)",
    "{\"name\":\"a\",\"data\":\"@\"}",
    "{\"a\": [\"@\", 1]}",
    "<a b=\"@\"/>",
    "<a b='@'>",
    "[Convert]::FromBase64String(\"@\")",
    "base64 -d <<< \"@\"",
    "base64 -d <<< @",
    "echo @ | base64 -d > a",
    "echo '@' | openssl base64 -d",
    "powershell -NoProfile -enc @",
    "<![CDATA[@]]>",
    "<img src=\"data:image/png;base64,@\">",
    "a { background: url(data:a/b;base64,@) }",
    "<svg><image xlink:href='data:a/b;charset=x;base64,@'/></svg>",
    "[a](data:application/zip;base64,@)",
    "BEGIN:VCALENDAR\nATTACH;ENCODING=BASE64;VALUE=BINARY:@\nEND:VCALENDAR",
    "ATTACH;FMTTYPE=a/b;ENCODING=BASE64;VALUE=BINARY;X-FILENAME=a.com:@",
    "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=\"a/b\":@",
    "PHOTO;ENCODING=b;TYPE=JPEG:@",
    "PHOTO;TYPE=JPEG;ENCODING=BASE64:@",
    "item1.PHOTO;BASE64:@",
    "PHOTO:data:image/jpeg;base64,@",
    "LOGO;ENCODING=B:@",
    "KEY;TYPE=X509;ENCODING=b:@",
    "dn: cn=a\njpegPhoto:: @\ncn: a",
    "userCertificate;binary:: @",
    "-----BEGIN DATA-----\n@\n-----END DATA-----",
    "<pkg:binaryData>@</pkg:binaryData>",
    "<w:binData w:name=\"wordml://a\" xml:space=\"preserve\">@</w:binData>",
    "<office:binary-data>@</office:binary-data>",
    "<binary id=\"a\" content-type=\"image/png\">@</binary>",
    "<dict><key>a</key><data>@</data></dict>",
    "a: !!binary @",
    "a = @",
    "data=@&b=1",
    "begin-base64 644 a\n@\n====",
    "Content-Transfer-Encoding: base64\n\n@",
    "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n\
     --b\nContent-Location: a\nContent-Transfer-Encoding: base64\n\n@\n--b--",
];

#[test]
fn data_in_a_line_are_handed() {
    for payload in payloads() {
        let digits = base64(&payload);
        for text in IN_A_LINE {
            check(&text.replace('@', &digits), &payload);
            check(&text.replace('@', digits.trim_end_matches('=')), &payload);
            check(&text.replace('\n', "\r\n").replace('@', &digits), &payload);
        }
    }
}

/// `@` is the data, in several lines with the second text between.
const IN_LINES: [(&str, &str); 30] = [
    ("f(\"@\")", "\" +\n  \""),
    ("f('@')", "'\n+ '"),
    ("f('@')", "' .\r\n'"),
    ("f(\"@\")", "\" & _\r\n    \""),
    ("f(\"@\")", "\"\n \""),
    ("f([\"@\"].join(''))", "\",\""),
    ("f([\n'@'\n].join(''))", "',\n'"),
    ("f(\"@\")", "\\\n"),
    ("{\"a\":\"@\"}", "\\n"),
    ("{\"a\":\"@\\r\\n\"}", "\\r\\n"),
    ("<a b=\"@\"/>", "&#10;"),
    ("<a b=\"@\"/>", "&#xA;"),
    ("<a b=\"@&#xD;&#xA;\"/>", "&#xD;&#xA;"),
    ("<a b=\"@\"/>", "\n    "),
    ("f(`@`)", "\n"),
    ("@", "\n"),
    ("@", "\r"),
    ("a: |\n  @\nb: 1", "\n  "),
    ("ATTACH;ENCODING=BASE64:@\r\nEND:X", "\r\n "),
    ("PHOTO;ENCODING=b:\r\n @\r\nEND:VCARD", "\r\n "),
    ("PHOTO;BASE64:\n  @\n\nEND:VCARD", "\n  "),
    ("jpegPhoto:: @\ncn: a", "\n "),
    ("<pkg:binaryData>@</pkg:binaryData>", "\r\n"),
    ("<w:binData w:name=\"a\">@\n</w:binData>", "\n"),
    ("<office:binary-data>\n   @\n  </office:binary-data>", "\n   "),
    ("<data>\n\t@\n\t</data>", "\n\t"),
    ("-----BEGIN DATA-----\nA: b\n\n@\n-----END DATA-----", "\n"),
    ("<img src=\"data:a/b;base64,@\">", "\n"),
    ("Content-Transfer-Encoding: base64\n\n@", "\n"),
    (
        "From a Mon Jan 1 10:00:00 2024\nContent-Transfer-Encoding: base64\n\n@\n\n\
         From a Mon Jan 1 10:00:00 2024\n",
        "\n",
    ),
];

#[test]
fn data_in_lines_are_handed() {
    for payload in payloads() {
        for (text, between) in IN_LINES {
            for width in [64, 72, 76] {
                check(&text.replace('@', &split(&base64(&payload), width, between)), &payload);
            }
        }
    }
}

#[test]
fn escaped_data_and_the_alphabet_for_urls_are_handed() {
    for payload in payloads() {
        let digits = base64(&payload);
        let for_urls = digits.replace('+', "-").replace('/', "_");
        let percent = digits.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
        let of_json = digits.replace('/', "\\/");
        let of_scripts = digits.replace('+', "\\x2b").replace('=', "\\u003d");
        let of_markup = digits.replace('+', "&#43;").replace('/', "&#x2F;");
        for data in [for_urls.trim_end_matches('='), &for_urls, &percent, &of_json, &of_scripts, &of_markup] {
            // The gate searches only for runs of at least this length.
            if data.split(['%', '\\', '&']).any(|piece| piece.len() >= 64) {
                check(&format!("f(\"{data}\")"), &payload);
            }
        }
    }
}

#[test]
fn escaped_bytes_are_handed() {
    for payload in payloads() {
        let each = |escape: &str| {
            let digits = hexadecimal(&payload);
            digits
                .as_bytes()
                .chunks(2)
                .fold(String::new(), |text, byte| text + escape + &String::from_utf8_lossy(byte))
        };
        let [by_x, by_percent, by_unicode] = [each("\\x"), each("%"), each("\\u00")];
        for data in [&by_x, &by_unicode, &by_percent, &by_percent.to_uppercase()] {
            check(&format!("a = unescape(\"{data}\");\nb"), &payload);
            check(&format!("it's b'{data}'"), &payload);
        }
        for between in ["\"\n  \"", "\" +\r\n \"", "\\\n", "\\\r\n", "\" . \""] {
            check(&format!("char a[] =\n  \"{}\";", split(&by_x, 64, between)), &payload);
        }
        let mixed = by_x
            .replace("\\xc", "\\xC")
            .replace("\\x00", "\\0")
            .replace("\\x50", "P")
            .replace("\\x5c", "\\\\");
        check(&format!("'{mixed}'"), &payload);
    }
}

#[test]
fn hexadecimal_data_are_handed() {
    for payload in payloads() {
        let digits = hexadecimal(&payload);
        for text in [
            "@",
            "x'@'",
            "unhexlify(\"@\")",
            "0x@",
            "'\\x@'::bytea",
            "INSERT INTO a VALUES (1,0x@,'b');",
            "a: @\nb",
            "{\\pict @}",
        ] {
            check(&text.replace('@', &digits), &payload);
            check(&text.replace('@', &digits.to_uppercase()), &payload);
        }
        check(&split(&digits, 60, "\n"), &payload);
    }
}

#[test]
fn no_number_of_tokens_is_refused() {
    let digits = base64(&payloads()[0]);
    let token = |at: usize| format!("{{\"token\": \"{}{at:04}\"}}\n", &digits[..88]);
    let text = (0..3_000).map(token).collect::<String>();
    assert_eq!(handed(&text).len(), 1_000);
}

/// Each character as `escape` writes it, or every `every`th of them.
fn escaped(bytes: &[u8], every: usize, escape: impl Fn(u8) -> String) -> String {
    let write = |(at, byte): (usize, &u8)| {
        if at % every == 0 { escape(*byte) } else { char::from(*byte).to_string() }
    };
    bytes.iter().enumerate().map(write).collect()
}

/// Every way to write a byte by its number.
fn escapes() -> Vec<fn(u8) -> String> {
    vec![
        |byte| format!("\\x{byte:02x}"),
        |byte| format!("\\{byte:03o}"),
        |byte| format!("\\u{byte:04x}"),
        |byte| format!("\\u{{{byte:x}}}"),
        |byte| format!("\\u{{000{byte:X}}}"),
        |byte| format!("\\x{{{byte:x}}}"),
        |byte| format!("\\U{byte:08x}"),
        |byte| format!("%{byte:02X}"),
        |byte| format!("%u{byte:04x}"),
        |byte| format!("`u{{{byte:x}}}"),
        |byte| format!("\\u{{{}{byte:x}}}", "0".repeat(200)),
    ]
}

#[test]
fn a_literal_may_hold_an_escape_anywhere() {
    for escape in escapes() {
        for payload in &payloads()[..1] {
            check(&format!("f(\"{}\")", escaped(payload, 1, escape)), payload);
            let digits = base64(payload);
            for every in [1, 2, 5, 30, 63, 64] {
                // The quote of templates does not stand in runs.
                if escape(0).starts_with('`') {
                    break;
                }
                check(&format!("f(\"{}\")", escaped(digits.as_bytes(), every, escape)), payload);
            }
        }
        let visible = "Cat; it (is) [long] enough to be data, as every second character of it is escaped!";
        check(&format!("f(\"{}\")", escaped(visible.as_bytes(), 2, escape)), visible.as_bytes());
    }
    let digits = base64(&payloads()[0]);
    for between in
        ["\"/**/+\"", "\" /* it's */ + \"", "\" // it's\n + \"", "\" # \"x\n \"", "\\\u{2028}", "\\/"]
    {
        let pieces = split(&digits, 70, between);
        let text = format!("f(\"{pieces}\")");
        if between != "\\/" {
            check(&text, &payloads()[0]);
        }
        if between == "\\\u{2028}" {
            check(&text.replace(&pieces, &split(&digits, 9, between)), &payloads()[0]);
        }
    }
}

#[test]
fn data_in_attributes_without_quotes_and_in_lists_are_handed() {
    for payload in payloads() {
        for text in ["<p data-x=@>x</p>", "<p data-x=@/>", "a,@,b", "{a: @}", "{a=@,b}"] {
            check(&text.replace('@', &base64(&payload)), &payload);
        }
    }
}

/// Lines that are longer than what is read in one piece: what is found must not depend on where a piece ends.
#[test]
fn data_may_stand_anywhere_in_a_long_line() {
    const PIECE: usize = 64 * 1024;
    let payload = &payloads()[0];
    let digits = base64(payload);
    let each = |every, escape: fn(u8) -> String| escaped(digits.as_bytes(), every, escape);
    let bytes = |escape: fn(u8) -> String| escaped(payload, 1, escape);
    let texts = [
        ("<a href=\"data:application/octet-stream;base64,", digits.clone(), "\">x</a>"),
        ("<script>f(atob(\"", digits.clone(), "\"))</script>"),
        ("<script>f(atob(\"", each(7, |byte| format!("\\x{byte:02x}")), "\"))</script>"),
        ("<script>f(\"", bytes(|byte| format!("\\x{byte:02x}")), "\")</script>"),
        ("<script>f(\"", bytes(|byte| format!("\\u{{0000{byte:x}}}")), "\")</script>"),
        ("<data>", digits.clone(), "</data>"),
        ("{p: 1, a: !!binary \"", digits.clone(), "\"}"),
        ("a: ", hexadecimal(payload), " b"),
        ("a = ", digits.clone(), " b"),
    ];
    for (before, data, behind) in texts {
        for n_before in (PIECE - 300..PIECE + 2).step_by(7).chain(PIECE - before.len() - 9..PIECE + 2) {
            let filler = "a ".repeat(n_before / 2) + &" ".repeat(n_before % 2);
            check(&format!("{filler}{before}{data}{behind}"), payload);
        }
        let filler = "a ".repeat(PIECE + 30);
        check(&format!("{filler}{before}{data}{behind}{filler}"), payload);
    }
    let long = format!("{}{}", "b".repeat(2_000), "Aa1".repeat(60_000));
    let literal = escaped(long.as_bytes(), 61, |byte| format!("\\x{byte:02x}"));
    let found = handed(&format!("f(\"{literal}\")"));
    assert!(found.iter().any(|bytes| bytes.len() == long.len() / 4 * 3), "a literal of several pieces");
}

#[test]
fn uuencode_may_begin_anywhere_in_a_long_line() {
    const PIECE: usize = 64 * 1024;
    for n_before in PIECE - 20..PIECE + 2 {
        let text = format!("{}begin 644 a\n#0V%T\n`\nend\n", " ".repeat(n_before));
        check(&text, b"Cat");
    }
}
