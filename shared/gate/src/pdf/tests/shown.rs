//! What readers save of what they show: images amid contents, forms in parts, and scripts.

use super::{check, handed};

const HEAD: &str = "BI/W 1/H 1/BPC 8/CS/G";

fn object(number: u32, fields: &str, data: &str) -> String {
    format!("{number} 0 obj<<{fields}/Length {}>>stream\n{data}endstream endobj ", data.len())
}

#[test]
fn images_amid_contents_are_handed_up_to_the_end_of_the_stream() {
    for (contents, expected) in [
        (format!("q {HEAD}/F/DCT ID data EI Q"), &["data EI Q"][..]),
        (format!("{HEAD}/Filter/CCITTFaxDecode ID\ndata"), &["data"]),
        (format!("{HEAD}/F[/AHx/DCT]ID\n64617461> EI"), &["data"]),
        (format!("{HEAD}/F 9 0 R ID data"), &["data"]),
        (format!("{HEAD}/F/DCT%ID x\n/X(ID x)ID data"), &["data"]),
        (
            format!("{HEAD}/F/DCT ID one {HEAD}/F/DCT ID two"),
            &["one BI/W 1/H 1/BPC 8/CS/G/F/DCT ID two", "two"],
        ),
        (format!("{HEAD}/X({})/F/DCT ID data", "x".repeat(600)), &["data"]),
        (format!("{HEAD}/F/DCT/X/{}IDx 1 ID data", "x".repeat(512 - HEAD.len() - 11)), &["data"]),
        (format!("{HEAD}/F/Fl ID data"), &[]),
        (format!("A{HEAD}/F/DCT ID data"), &[]),
        (format!("{HEAD}/F/DCT IDdata"), &[]),
    ] {
        let pdf = object(1, "", &contents) + "9 0 obj/DCT endobj";
        check(&pdf, expected);
    }
}

#[test]
fn an_image_whose_head_is_in_another_stream_is_handed() {
    let page = "3 0 obj<</Contents[1 0 R 2 0 R 4 0 R]>>endobj ";
    for (first, second) in [
        (format!("{HEAD}/F"), "/DCT ID data"),
        (format!("{HEAD}/F/DCT"), "ID data"),
        ("BI".to_owned(), "/W 1/H 1/F/DCT ID data"),
    ] {
        check(&(object(1, "", &first) + &object(2, "", second) + &object(4, "", "rest") + page), &["data"]);
    }
    let glued = object(1, "", "B") + &object(2, "", "I/F/DCT ID data") + page;
    check(&glued, &[]);
}

#[test]
fn what_is_named_as_contents_is_searched_whatever_it_calls_itself() {
    let contents = object(1, "/Subtype/Image/Width 1/Height 1", &format!("{HEAD}/F/DCT ID data"));
    check(&contents, &[]);
    for user in
        ["/Contents 1 0 R", "/Contents[1 0 R]", "/AP<</N 1 0 R>>", "/AP 5 0 R 5 0 obj<</N<</A 1 0 R>>>>"]
    {
        check(&format!("{contents} 2 0 obj<<{user}>>endobj"), &["data"]);
    }
}

#[test]
fn forms_in_several_streams_are_handed_as_one() {
    let parts = object(1, "", "<a>") + &object(2, "", "b") + &object(4, "", "</a>");
    let expected = ["<a>b</a>", "<a>", "b", "</a>"];
    for form in [
        "3 0 obj<</XFA[(preamble)1 0 R(template)2 0 R(postamble)4 0 R]>>endobj",
        "3 0 obj<</XFA 5 0 R>>endobj 5 0 obj[(a)1 0 R(template)2 0 R(c)4 0 R]endobj",
    ] {
        check(&format!("{parts}{form}"), &expected);
    }
    // By the names of the parts, of which the first and the last may have any.
    let named = "3 0 obj<</XFA[(a)1 0 R(config)4 0 R(template)2 0 R(config)2 0 R(z)4 0 R]>>endobj";
    let found = handed(format!("{parts}{named}").as_bytes()).unwrap();
    for expected in ["<a></a>bb</a>", "<a>bb</a>"] {
        assert!(found.iter().any(|bytes| bytes == expected.as_bytes()), "{expected}");
    }
    // Two revisions of one part.
    let revised = format!("{parts}3 0 obj<</XFA[(a)1 0 R(b)2 0 R]>>endobj {}", object(2, "", "c"));
    let found = handed(revised.as_bytes()).unwrap();
    for expected in ["<a>b", "<a>c"] {
        assert!(found.iter().any(|bytes| bytes == expected.as_bytes()), "{expected}");
    }
}

#[test]
fn scripts_are_handed_as_a_reader_runs_them() {
    let script = "atob('".to_owned() + &"QUJD".repeat(20) + "')";
    let hexadecimal = script.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join("\n");
    let octal = script.bytes().map(|byte| format!("\\{byte:03o}")).collect::<Vec<_>>().concat();
    for string in [format!("({script})"), format!("<{hexadecimal}>"), format!("({octal})")] {
        check(&format!("1 0 obj<</S/JavaScript/JS{string}>>endobj stream"), &[&script]);
        check(&format!("1 0 obj<</JS 2 0 R>>endobj 2 0 obj{string}endobj stream"), &[&script]);
        let objects = object(1, "/Type/ObjStm/N 1/First 4", &format!("3 0 <</JS{string}>>"));
        check(&objects, &[&script]);
    }
    check("1 0 obj<</S/JavaScript/JS(app.alert(1))>>endobj stream", &[]);
}
