//! HTML pages whose text ClamAV reads only after libc has converted it.

/// What every page has in its text, in the words of the signature.
const TEXT: &str = "sought in every encoding";

/// A signature for normalised HTML (type 3) that matches every page.
pub(super) fn signature() -> String {
    let hex = TEXT.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("Test.Html:3:*:{hex}\n")
}

/// The page in each encoding that a browser or ClamAV recognises without help, by name.
pub(super) fn pages() -> [(&'static str, Vec<u8>); 6] {
    let page = format!("<html><head><title>a page</title></head><body><p>{TEXT}</p></body></html>");
    let marked = format!("\u{feff}{page}");
    let korean = page.replace("<title>", "<meta charset=\"iso-2022-kr\"><title>");
    let in_units_of = |n: usize, is_big: bool| {
        let units = marked.chars().flat_map(|letter| {
            let bytes = u32::from(letter).to_be_bytes();
            let mut unit = bytes[4 - n..].to_vec();
            if !is_big {
                unit.reverse();
            }
            unit
        });
        units.collect::<Vec<u8>>()
    };
    [
        ("UTF-8", page.into_bytes()),
        ("UTF-16LE", in_units_of(2, false)),
        ("UTF-16BE", in_units_of(2, true)),
        ("UTF-32LE", in_units_of(4, false)),
        ("UTF-32BE", in_units_of(4, true)),
        ("ISO-2022-KR", korean.into_bytes()),
    ]
}
