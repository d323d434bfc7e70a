//! Parses values as real clients write them, byte by byte.

use super::Disposition;

fn file_name(parameters: &[u8]) -> Option<String> {
    let value = [b"form-data; name=\"file\"; ", parameters].concat();
    let disposition = Disposition::parse(&value);
    assert_eq!(disposition.name.as_deref(), Some("file"), "{}", String::from_utf8_lossy(&value));
    disposition.file_name
}

#[test]
fn names_are_read_as_clients_write_them() {
    for (parameters, expected) in [
        (&b"filename=\"a.txt\""[..], "a.txt"),
        (b"filename=a.txt", "a.txt"),
        (b"FileName = a.txt ;x=y", "a.txt"),
        ("filename=\"Übung.txt\"".as_bytes(), "Übung.txt"),
        (b"filename=\"a;b=c.txt\"", "a;b=c.txt"),
        // .NET HttpClient, and PowerShell 7, which leaves out the second.
        (b"filename=\"=?utf-8?B?S8O8Y2hlLnR4dA==?=\"; filename*=utf-8''K%C3%BCche.txt", "Küche.txt"),
        (b"filename=\"=?utf-8?B?S8O8Y2hlLnR4dA==?=\"", "Küche.txt"),
        (b"filename==?UTF-8?b?S8O8Y2hlLnR4dA==?=", "Küche.txt"),
        // Mail libraries.
        (b"filename=\"=?utf-8?Q?K=C3=BCche_1=25.txt?=\"", "Küche 1%.txt"),
        (b"filename=\"=?iso-8859-1*de?q?K=FCche.txt?=\"", "Küche.txt"),
        (b"filename=\"=?utf-8?B?S8O8?= =?utf-8?B?Y2hlLnR4dA==?=\"", "Küche.txt"),
        // Not an encoded word, or only in part.
        (b"filename=\"=?utf-8?B?*?=\"", "=?utf-8?B?*?="),
        (b"filename=\"=?utf-8?B?YQ==?= b.txt\"", "=?utf-8?B?YQ==?= b.txt"),
        // requests 2.21 with urllib3 1.24: `filename*` alone, before and after `filename`.
        (b"filename*=utf-8''%E6%96%87%E6%A1%A3.pdf", "文档.pdf"),
        (b"filename*=UTF-8'en'%E2%82%AC.txt; filename=\"EURO.txt\"", "€.txt"),
        (b"filename=\"EURO.txt\"; filename*=\"UTF-8''%E2%82%AC.txt\"", "€.txt"),
        (b"filename*=ISO-8859-1''K%FCche.txt", "Küche.txt"),
        // An invalid `filename*` yields to `filename`, and is used if there is no other.
        (b"filename*=UTF-8''%FF.txt; filename=\"a.txt\"", "a.txt"),
        (b"filename*=koi8-r''%FF.txt; filename=\"a.txt\"", "a.txt"),
        (b"filename*=a.txt", "a.txt"),
        // Browsers' escapes, and percent-encoding that is part of the name.
        (b"filename=\"a%22b%0D%0Ac.txt\"", "a\"b\r\nc.txt"),
        (b"filename=\"50%25 of%20it.txt\"", "50%25 of%20it.txt"),
        // curl before 7.81, and Internet Explorer.
        (b"filename=\"a\\\"b\\\\c.txt\"", "a\"b\\c.txt"),
        (b"filename=\"C:\\temp\\a.txt\"", "C:\\temp\\a.txt"),
        (b"filename=\"a\\\"", "a\\"),
        (b"filename=\"unterminated.txt", "unterminated.txt"),
        (b"filename=\"\"", ""),
        // Latin-1, Shift_JIS (whose second byte may be a backslash) and GBK, which the request does not name.
        (b"filename=\"K\xfcche.txt\"", "K\u{fffd}che.txt"),
        (b"filename=\"\x95\x5c.txt\"; x=\"y\"", "\u{fffd}\\.txt"),
        (b"filename=\"\x95\x5c\"", "\u{fffd}\\"),
        (b"filename=\"\xc4\xfa\xba\xc3.pdf\"", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}.pdf"),
    ] {
        assert_eq!(
            file_name(parameters).as_deref(),
            Some(expected),
            "{}",
            String::from_utf8_lossy(parameters)
        );
    }
}

#[test]
fn a_field_without_a_file_has_no_file_name() {
    for parameters in [&b""[..], b"x=y", b"filename", b"filename ; =", b";;;\"", b"filenames=\"a\""] {
        assert_eq!(file_name(parameters), None, "{}", String::from_utf8_lossy(parameters));
    }
    let unquoted = Disposition::parse(b"form-data; name=file; filename=a.txt");
    assert_eq!((unquoted.name.as_deref(), unquoted.file_name.as_deref()), (Some("file"), Some("a.txt")));
    for nothing in [&b""[..], b"form-data", b";", b"=", b";=", b";=\"", b"form-data; \"\\"] {
        assert_eq!(Disposition::parse(nothing).file_name, None);
    }
}

#[test]
fn any_bytes_are_parsed() {
    // Every pair of bytes with a special meaning, before and after every other.
    let odd = b"\"\\;=%'? *\xff\0ab";
    let values = odd.iter().flat_map(|a| odd.iter().flat_map(move |b| odd.iter().map(move |c| [*a, *b, *c])));
    for [a, b, c] in values {
        let value = [b"form-data; filename=\"", &[a, b][..], b"\"; filename*=", &[c, a], b"; name=", &[b, c]];
        let disposition = Disposition::parse(&value.concat());
        assert!(disposition.file_name.is_some(), "{a} {b} {c}");
    }
}
