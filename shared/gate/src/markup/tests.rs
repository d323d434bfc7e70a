//! Tests what parsers of markup decode, each in its dialect, and what is no data to any of them.

use super::*;
use crate::scratch::Scratch;
use crate::{Gate, Limits};

/// Of 66 bytes, so that text with fewer digits is left alone.
const CAT: &str = "Cat. It is long enough to be data, and it ends with its own word..";
const DIGITS: &str =
    "Q2F0LiBJdCBpcyBsb25nIGVub3VnaCB0byBiZSBkYXRhLCBhbmQgaXQgZW5kcyB3aXRoIGl0cyBvd24gd29yZC4u";

fn handed(text: &[u8]) -> Vec<String> {
    let limits =
        Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 22, max_members: 1000, max_depth: 5 };
    let gate = Gate { limits, capabilities: [].into_iter().collect() };
    let mut through = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
    let blob = Blob::from_bytes(text.to_vec());
    walk(&mut through, &blob, &Survey::of(&blob).unwrap(), 0).unwrap();
    let text = |blob: &Blob| String::from_utf8_lossy(&blob.bytes_at(0, 100).unwrap()).into_owned();
    through.into_handed().iter().map(text).collect()
}

fn in_pieces(n: usize, joint: &str) -> String {
    let pieces = DIGITS.as_bytes().chunks(n).map(|piece| str::from_utf8(piece).unwrap());
    pieces.collect::<Vec<_>>().join(joint)
}

fn by_number() -> String {
    DIGITS.bytes().map(|byte| format!("&#{byte};")).collect::<Vec<_>>().concat()
}

#[track_caller]
fn check(text: &str) {
    let handed = handed(text.as_bytes());
    assert!(handed.iter().any(|content| content == CAT), "{text}: {handed:?}");
}

#[test]
fn the_text_of_an_element_is_read_as_parsers_do() {
    for joint in
        [" ", "<!-- x -->", "<!--QUJD-->", "<?x y?>", "&#10;", "<![CDATA[]]>", "\t", "&Tab;", "<!--->-->"]
    {
        check(&format!("<?xml version='1.0'?><a>{}</a>", in_pieces(7, joint)));
    }
    check(&format!("<a>{}</a>", by_number()));
    check(&format!("\u{feff}\n<a><![CDATA[{}", in_pieces(9, "]]><![CDATA[")));
    check(&format!("<a b='c>'><d/>{}", in_pieces(9, "\n")));
    check(&format!("<!DOCTYPE a [<?b it's?>]><a>{}</a>", in_pieces(9, " ")));
    check(&format!("<!DOCTYPE a [<?b \"]> ?><!ENTITY c '?>'>]><a>{}</a>", in_pieces(9, " ")));
    check(&format!("<!DOCTYPE a [<!-- ' --><!ENTITY b '>'>]><a>{}</a>", in_pieces(9, " ")));
}

#[test]
fn what_is_no_digit_is_skipped_where_the_element_holds_data() {
    for name in ["office:binary-data", "pkg:binaryData", "w:binData", "binData"] {
        for joint in ["*", "-", "\u{e9}", "<b/>", "<b>QUJD</b>", "<b><c/>QUJD</b>"] {
            check(&format!("<x><{name} d='e'>{}</{name}></x>", in_pieces(7, joint)));
        }
    }
}

#[test]
fn addresses_in_attributes_are_resolved() {
    let percent = DIGITS.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    for data in [by_number(), in_pieces(7, " "), in_pieces(7, "\n"), percent, in_pieces(7, "&NewLine;")] {
        check(&format!("<a href=\"data:;base64,{data}\">b</a>"));
        check(&format!("Hello <a href = ' da&#116;a:text/plain;base64,{data}'>b</a>"));
    }
    check(&format!("<a href=data:;base64,{}>b</a>", by_number()));
    check(&format!("<a b=c href=data:;base64,{} d=e>b</a>", by_number()));
    check(&format!("<p it's'><a href='data:;base64,{}'>b</a>", by_number()));
    check(&format!("<meta content='0;url=data:;base64,{}'>", in_pieces(9, " ")));
    check(&format!("<meta content='0;url=&#100;ata:;base64,{}'>", by_number()));
    check(&format!("<p style='color: #123456; background: url(data:;base64,{})'>", by_number()));
    check(&format!("<x data='{}'/>", in_pieces(9, " ")));
    let behind = "x".repeat(5000) + "&lt;a href='data:;base64," + &in_pieces(9, " ") + "'>";
    check(&format!("<iframe srcdoc=\"{behind}\">"));
    check(&format!("<a href='\u{1} data:;base64,{}#AAAA<'>b</a>", in_pieces(9, " ")));
    check(&format!("\u{1}\u{2}{}<a href='data:;base64,{}'>b</a>", "\0".repeat(900), by_number()));
    let plain = CAT.replace(' ', "&#37;20");
    check(&format!("<a href='data:,{plain}'>b</a>"));
    let page = "<p>".to_owned() + &CAT[3..] + "</p>";
    let escaped = page.replace('<', "&lt;");
    assert!(handed(format!("<iframe srcdoc='{escaped}'>").as_bytes()).contains(&page));
}

#[test]
fn every_value_of_a_tag_is_read() {
    let long = "x".repeat(70);
    for data in [by_number(), by_number().replace('#', "#00")] {
        check(&format!("<a b=/{long}&amp;c href=data:;base64,{data} d>e</a>"));
        check(&format!("<a b={long}=&amp; href= data:;base64,{data}>e</a>"));
        check(&format!("<a {long}% b='c' href = data:;base64,{data}>e</a>"));
        check(&format!("<img srcset='data:,{long}&#32; 1x, data:;base64,{data} 2x'>"));
        check(&format!("<p style='{}; background: url(DATA:;base64,{data})'>", "color: red; ".repeat(60)));
        check(&format!("<meta content='0;url=data&colon;;base64,{data}'>"));
    }
    let named = in_pieces(9, "&NewLine;");
    check(&format!("<meta content='0;url=data&colon;;base64,{named}'>"));
    check(&format!(
        "<iframe srcdoc='<a href=&quot;data:;base64,{}&quot;>'>",
        by_number().replace('&', "&amp")
    ));
}

/// Values and their parts begin at, before and behind the end of whatever is read in one piece.
#[test]
fn a_value_may_stand_anywhere() {
    const PIECE: usize = 64 * 1024;
    let data = by_number();
    for n_before in (PIECE - 40..PIECE + 4).chain(2 * PIECE - 9..2 * PIECE) {
        for tag in ["<a b='0;url=data:;base64,", "<a href=data:;base64,", "<a b = ", "data:;base64,"] {
            let (tag, filler) = match tag {
                "<a b = " => (format!("<a b = data:;base64,{data}>"), "-"),
                // In the attributes of one tag.
                "data:;base64," => (format!(" href=data:;base64,{data}>"), "&"),
                _ if tag.contains('\'') => (format!("{tag}{data}'>"), "-"),
                _ => (format!("{tag}{data}>"), "-"),
            };
            let start = if filler == "&" { "<a " } else { "<p>" };
            check(&format!("{start}{}{tag}", filler.repeat(n_before - start.len())));
        }
    }
}

#[test]
fn browsers_leave_zeros_out_of_text() {
    for joint in ["\0", "\0\0\0", " \0"] {
        check(&format!("<p>{}</p>", in_pieces(7, joint)));
        check(&format!("{}<p>{}</p>", "Hello. ".repeat(10), in_pieces(7, joint)));
    }
}

#[test]
fn drawings_and_formulas_in_a_page_are_read_as_xml() {
    check(&format!("Hello<svg><a><![CDATA[{}]]></a></svg>", in_pieces(9, "]]><![CDATA[")));
    for tag in ["<svg><style>", "<SVG><title>", "<math><xmp>"] {
        check(&format!("{}{tag}<a href='data:;base64,{}'>b</a>", "Hello. ".repeat(20), by_number()));
    }
}

#[test]
fn a_short_address_may_stand_between_other_bytes() {
    let address = format!("data:,{}", CAT.replace(' ', "&#95;"));
    for (before, behind) in [("\u{e9}", "\u{e9}"), ("\u{1}", "\u{1}"), ("", "")] {
        let text = format!("{before}<a href='{address}'>{behind}");
        let handed = handed(text.as_bytes());
        assert!(handed.iter().any(|content| *content == CAT.replace(' ', "_")), "{text:?}: {handed:?}");
    }
}

#[test]
fn browsers_end_comments_and_text_elsewhere() {
    let data = in_pieces(9, " ");
    for before in [
        "<!-->",
        "<!--->",
        "<!-- --!>",
        "<?x>",
        "<!x '>",
        "<![CDATA[>",
        "<script>'<!--'</script>",
        "<title><!--</title>",
    ] {
        check(&format!("{before}<a href='data:;base64,{data}'>b</a>"));
    }
}

#[test]
fn other_text_is_no_data() {
    let plain = |width: usize| in_pieces(width, "\n  ");
    for text in [
        format!("<a>{DIGITS}</a>"),
        format!("<a>\n  {}\n</a>", plain(60)),
        format!("{}, <a>", in_pieces(7, " ")),
        format!("<a>The price, {} is</a>", in_pieces(7, " ")),
        format!("<a href='https://example.org/?a=b&amp;{DIGITS}'>"),
        "<a>&#67;&#97;&#116;</a>".to_owned(),
        format!("<a>{}</a>", "a program that knows of archives ".repeat(9)),
        in_pieces(7, " "),
        String::new(),
    ] {
        assert_eq!(handed(text.as_bytes()), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_page_between_other_bytes_is_read_wherever_it_stands() {
    let page = format!("<a href='data:x;base64,{}'>", by_number());
    let other = |n_bytes: usize| -> Vec<u8> {
        (0..n_bytes).map(|n| if n % 60 == 0 { [1, 0x80, 0xff][n / 60 % 3] } else { b'-' }).collect()
    };
    for n_before in [0, 1, 99, 100, 65_000, 65_536, 262_000, 262_144, 300_000] {
        for n_behind in [0, 100, 300_000] {
            let bytes = [&other(n_before)[..], page.as_bytes(), &other(n_behind)].concat();
            let handed = handed(&bytes);
            assert!(handed.iter().any(|content| content == CAT), "{n_before} {n_behind}: {handed:?}");
        }
    }
    for n_bytes in [0, 63, 64, 65_536, 300_000] {
        assert!(!holds_text(&Blob::from_bytes(other(n_bytes))).unwrap(), "{n_bytes}");
    }
    for n_before in [0, 65_500, 65_535, 65_536, 262_044, 262_143, 262_144, 524_238, 900_000] {
        let bytes = [&vec![1; n_before][..], &[b'-'; 64], &vec![1; 300_000]].concat();
        assert!(holds_text(&Blob::from_bytes(bytes)).unwrap(), "{n_before}");
    }
}

/// Whether an element holds text alone depends on what is around it, and so does what is in a comment.
#[test]
fn an_address_is_found_whatever_it_seems_to_be_in() {
    let data = by_number();
    for front in [
        "<svg><title>",
        "<svg><style><p>",
        "<svg><xmp><p>",
        "<math><style><p>",
        "<math><textarea>",
        "<svg><iframe>",
        "<noscript><textarea></noscript>",
        "<script><!--<script></script><textarea>--></script>",
        "<svg><desc><title></title></desc><title>",
        "<script>'<!--'</script><svg><title>",
        "<svg><![CDATA[>]]></svg><svg><title><![CDATA[",
        "<p =\"><title>",
        "<_ a=\"><xmp>",
        "</ a=\"><xmp>",
    ] {
        for value in [
            format!("\"data:x;base64,{data}\""),
            format!("'data:x;base64,{data}'"),
            format!("data:x;base64,{data}"),
            format!("{}\" &#100;ata:x;base64,{data}\"", " ".repeat(300)),
            format!("&#0000000100;ata:x;base64,{data}"),
            format!("\"data:x;</title>;</style>;base64,{data}\""),
        ] {
            check(&format!("Hello {front}<a download href={value}>b</a>"));
            check(&format!("<html>{front}<a download href={value}>b</a>"));
        }
    }
    let quotes = format!("Hello <title>{}", "<a href=\" d".repeat(20_000));
    assert_eq!(handed(quotes.as_bytes()), Vec::<String>::new());
}

#[test]
fn a_value_ends_where_its_quote_does() {
    let content = "Cat) that's `long`, <enough> to be data (and has every mark in it) as URLs may.";
    let escaped = content.replace(' ', "%20");
    let octets = content.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    for media_type in ["", "a/b", &format!("a/b;x={}", "a".repeat(5000)), "a/b;x=~!(a)"] {
        for data in [&escaped, &octets] {
            let text = format!("<a href=\"data:{media_type},{data}#x\">b</a>");
            let handed = handed(text.as_bytes());
            assert!(handed.iter().any(|found| found == content), "{text}: {handed:?}");
        }
        check(&format!("<a href=\"data:{media_type};base64,{}\">b</a>", by_number()));
    }
}

#[test]
fn scripts_are_read_as_a_parser_changes_them() {
    let zeros = DIGITS.bytes().map(|byte| format!("&#{byte:07};")).collect::<Vec<_>>().concat();
    let some = |form: fn(u8) -> String| {
        let write =
            |(at, byte): (usize, u8)| if at % 4 == 0 { form(byte) } else { char::from(byte).to_string() };
        DIGITS.bytes().enumerate().map(write).collect::<String>()
    };
    // Of what is handed, the first bytes are compared.
    let script = format!("atob('{}", &DIGITS[..64]);
    for data in [zeros, by_number(), by_number().replace(';', ""), some(|byte| format!("&#x0000{byte:x};"))] {
        for text in [
            format!("<body onload=\"atob('{data}')\">"),
            format!("<a href=\"javascript&colon;atob('{data}')\">b</a>"),
            format!("<svg><script>atob('{data}')</script></svg>"),
        ] {
            assert!(handed(text.as_bytes()).iter().any(|found| found.contains(&script)), "{text}");
        }
    }
    for joint in ["<!-- -->", "<![CDATA[]]>", "<?a?>"] {
        let text = format!("<html><script>atob('{}')</script></html>", in_pieces(9, joint));
        assert!(handed(text.as_bytes()).iter().any(|found| found.contains(&script)), "{text}");
    }
    let text = "<a href='javascript:atob(%27".to_owned() + DIGITS + "%27)'>b</a>";
    assert!(handed(text.as_bytes()).iter().any(|found| found.contains(&script)), "{text}");
}
