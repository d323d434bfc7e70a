//! What only some readers read, or each in its own way.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::*;

fn embedded(fields: &str, data: &[u8], more: &str) -> Vec<u8> {
    let before = format!("{more} 1 0 obj<</Type/EmbeddedFile{fields}/Length {}>>stream\n", data.len());
    [before.as_bytes(), data, b"\nendstream"].concat()
}

#[track_caller]
fn check_hands(pdf: &[u8], expected: &[u8]) {
    let found = handed(pdf).unwrap();
    assert!(found.iter().any(|bytes| bytes == expected), "{}: {found:?}", pdf.escape_ascii());
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn parameters_are_read_by_every_reading() {
    let rows = packed(b"\x02file");
    let zeros = "0".repeat(300);
    let usual = "<</Predictor 12/Columns 4>>";
    for (fields, more) in [
        (format!("/Filter/Fl/DecodeParms{usual}"), ""),
        ("/Filter/Fl/DecodeParms<</Predictor 12.0/Columns 4.0>>".to_owned(), ""),
        ("/Filter/Fl/DecodeParms<</Predictor 1-2/Columns +\n4>>".to_owned(), ""),
        ("/Filter/Fl/DecodeParms<</Predictor 1.2e1/Columns 4>>".to_owned(), ""),
        (format!("/Filter/Fl/DecodeParms<</Predictor {zeros}12/Columns {zeros}4>>"), ""),
        ("/Filter/Fl/DecodeParms<</Predictor 7 0 R/Columns 4>>".to_owned(), "7 0 obj 12. endobj"),
        ("/Filter/Fl/DecodeParms<</Predictor 1/Predictor 12/Columns 4>>".to_owned(), ""),
        (format!("/Filter {zeros}7 0 R/DecodeParms{usual}"), "7 0 obj/Fl endobj"),
        (format!("/Filter 8 0 R/DecodeParms{usual}"), "8 0 obj 7 0 R endobj 7 0 obj/Fl endobj"),
        (format!("/Filter 7 0 R/DecodeParms{usual}"), "7 %5\n0 obj/Fl endobj"),
        (
            "/Filter[/Fl]/DecodeParms[7 0 R]".to_owned(),
            "7 0 obj<</Predictor 1>>endobj 7 0 obj<</Predictor 12/Columns 4>>endobj",
        ),
        (format!("/Filter[null/Fl]/DecodeParms[null{usual}]"), ""),
        (format!("/Filter[null/Fl]/DecodeParms[{usual}]"), ""),
        (format!("/Filter[/Other/Fl]/DecodeParms[null{usual}]"), ""),
        (format!("/Filter[/AHx/Other/Fl]/DecodeParms[null null{usual}]"), ""),
    ] {
        let data = if fields.contains("AHx") {
            rows.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
        } else {
            rows.clone()
        };
        check_hands(&embedded(&fields, &data, more), b"file");
    }
    for predictor in [3, 9, 16, 99] {
        let fields = format!("/Filter/Fl/DecodeParms<</Predictor {predictor}/Columns 3>>");
        check_hands(&embedded(&fields, &packed(b"a file"), ""), b"a file");
    }
    check_hands(&embedded("/Filter/A85", b"87cT\xa7~>", ""), b"Hell");
}

#[test]
fn objects_are_found_behind_every_header() {
    let (spaces, comment) = (" ".repeat(70), "c".repeat(5000));
    let stream = "<</Length 4>>stream\nfile\nendstream endobj";
    for pdf in [
        format!("/EF 10 0 R 10{spaces}0 obj{stream}"),
        format!("/EF 10 0 R\n10 %{comment} 5\n0 obj{stream}"),
        format!("/EF 10 0 R\n10 % 5 0\n0 obj{stream}"),
        format!("/EF 1-0 0 R\n10 0 obj{stream}"),
        format!("/EF 10.0 0 R\n10 0 obj{stream}"),
        format!("/EF<</F 10 0 R>>\n10.0 0 obj{stream}"),
        // A cross reference with a different number, far before the object's own.
        format!("7{spaces}0 obj{stream} xref\n2 1\n0000000000 00000 n \n/EF 2 0 R"),
        format!("7 %obj\n0 obj{stream} xref\n2 1\n0000000000 00000 n \n/EF 2 0 R"),
        // Objects in a stream.
        format!(
            "1 0 obj<</Type/ObjStm/N 1/First 6.0>>stream\n3.0 0 <</EF 2 0 R>>\nendstream 2 0 obj{stream}"
        ),
        format!(
            "4 0 obj/ObjStm endobj 1 0 obj<</Type 4 0 R>>stream\n3 0 <</EF 2 0 R>>\nendstream 2 0 obj{stream}"
        ),
    ] {
        check_hands(pdf.as_bytes(), b"file");
    }
    for behind in [spaces.repeat(5), format!(" %{comment}"), comment.clone(), format!(" {comment}\r")] {
        let pdf = format!("1 0 obj<</Type/EmbeddedFile/Length 4>>stream{behind}\nfile\nendstream");
        check_hands(pdf.as_bytes(), b"file");
    }
    let pdf = format!("1 0 foo<</A({})/EF 1/Length 4>>stream\nfile\nendstream obj", "a".repeat(5000));
    check_hands(pdf.as_bytes(), b"file");
}

#[test]
fn what_only_some_programs_save_is_handed() {
    let image = "/Filter[/AHx/DCT]/Length 9>>stream\n66696c65>\nendstream";
    let in_octal = "\\146\\151\\154\\145";
    for pdf in [
        format!("1 0 obj<</Subtype 2 0 R{image} 2 0 obj/Im#61ge endobj"),
        format!("1 0 obj<</Width 1/Height 1{image}"),
        format!("1 0 obj<</W 1/H 1{image}"),
        "1 0 obj<</Type 2 0 R>>stream\nfile\nendstream 2 0 obj/EmbeddedFile endobj".to_owned(),
        "1 0 obj<</Metadata 2 0 R>>endobj 2 0 obj<<>>stream\nfile\nendstream".to_owned(),
        format!("1 0 obj<</ByteRange[0 1 2 3]/Contents({in_octal})>>endobj 2 0 obj<<>>stream\nendstream"),
        "1 0 obj<</SubFilter/A/Contents(file)>>endobj trailer".to_owned(),
        "1 0 obj<</SubFilter/A/Contents<66\n69 6c65>>>endobj 2 0 obj<<>>stream\nendstream".to_owned(),
        "1 0 obj<</B#79teRange[]/C#6fntents 3 0 R>>endobj 3 0 obj(file)endobj 2 0 obj<<>>stream\nendstream"
            .to_owned(),
        "1 0 obj<</Type/ObjStm/First 4>>stream\n3 0 <</ByteRange[]/Contents(file)>>\nendstream".to_owned(),
    ] {
        check_hands(pdf.as_bytes(), b"file");
    }
    // Long ones, which are cut elsewhere.
    let long = "a".repeat(100_000);
    let pdf = format!("1 0 obj<</ByteRange[]/Contents({long})>>\nendobj 2 0 obj<<>>stream\nendstream");
    check_hands(pdf.as_bytes(), long.as_bytes());
    // Of an annotation, in a document without a signature.
    check("1 0 obj<</Contents(text)>>endobj 2 0 obj<<>>stream\npage\nendstream", &[]);
}

#[test]
fn odd_encryption_dictionaries_hide_nothing() {
    let usual = ENCRYPTED[2].1;
    let cf = "<</StdCF<</AuthEvent/DocOpen/CFM/AESV2/Length 16>>>>";
    let with = |dictionary: &str, fields: &str| {
        format!(
            "7 0 obj{cf}endobj 8 0 obj/AESV2 endobj 9 0 obj/StdCF endobj 10 0 obj[/Crypt]endobj \
             11 0 obj/XRef endobj 5 0 obj{dictionary}endobj \
             1 0 obj<</Type/EmbeddedFile/Length 32{fields}>>stream\n{}\n\
             endstream endobj trailer<</Root 1 0 R/Encrypt {}5 0 R{IDENTIFIER}>>",
            "a".repeat(32),
            "0".repeat(300)
        )
    };
    let expected = handed(with(usual, "").as_bytes()).unwrap();
    assert!(!expected.is_empty() && !expected.contains(&vec![b'a'; 32]), "{expected:?}");
    for (from, to) in [
        (cf, "7 0 R"),
        ("/CFM/AESV2", "/CFM 8 0 R"),
        ("/StmF/StdCF", "/StmF 9 0 R"),
        ("/StmF/StdCF", "/StmF/Other"),
        ("/V 4", "/V 4.0"),
        ("/V 4", "/V 4/X<</V 1>>"),
        ("/V 4", "/V 4/X[/V 2]"),
        ("/V 4", "/V 04"),
        ("/V 4", ""),
    ] {
        let odd = usual.replace(from, to);
        assert_ne!(odd, usual);
        let found = handed(with(&odd, "").as_bytes()).unwrap();
        assert!(expected.iter().all(|bytes| found.contains(bytes)), "{odd}: {found:?}");
    }
    for fields in ["/Filter/Crypt", "/Filter 10 0 R", "/Type/XRef", "/Type 11 0 R", "/Type/Metadata"] {
        check_hands(with(usual, fields).as_bytes(), &[b'a'; 32]);
    }
}
