//! Tests encoded data in every kind of text, in the form in which real programs write it.

use crate::blob::Blob;
use crate::scratch::Scratch;
use crate::walk::Walk;
use crate::{Gate, Limits, Method};

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
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
fn split(text: &str, width: usize, by: &str) -> String {
    text.as_bytes().chunks(width).map(String::from_utf8_lossy).collect::<Vec<_>>().join(by)
}

/// One as long as the EICAR test file, and one whose base64 has the signs of both alphabets.
fn payloads() -> [Vec<u8>; 2] {
    let noise = |at: u32| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] | 0xc0;
    [b"X5O!P%@AP[4\\".iter().copied().chain((0..56).map(noise)).collect(), (0..3_000).map(noise).collect()]
}

pub(super) fn handed(text: &str) -> Vec<Vec<u8>> {
    let limits =
        Limits { max_member_bytes: 1_000_000, max_total_bytes: 2_000_000, max_members: 1_100, max_depth: 8 };
    let gate = Gate { limits, capabilities: [Method::Mail].into_iter().collect() };
    let mut walk = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
    walk.look(&Blob::from_bytes(text.into()), 0).unwrap();
    walk.into_handed().iter().map(|blob| blob.bytes_at(0, 1_000_000).unwrap()).collect()
}

#[track_caller]
fn check(text: &str, payload: &[u8]) {
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
