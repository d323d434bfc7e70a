//! What a tag of XML or HTML says about the element that it begins.

/// What a tag says.
#[derive(Debug)]
pub(super) struct Tag {
    /// Without its prefix, in lower case, cut off.
    name: [u8; LONGEST_NAME],
    n_name: usize,
    closes: bool,
    pub(super) is_empty: bool,
}

/// Elements that hold base64: of OpenDocument, of flat OPC and of WordprocessingML 2003.
const DATA: [&[u8]; 3] = [b"binary-data", b"binarydata", b"bindata"];
/// Elements that hold base64 in some documents: property lists (plistlib of Python 3.11), XML-RPC,
/// FictionBook, XDP. In others they hold anything.
const MAY_BE_DATA: [&[u8]; 4] = [b"data", b"base64", b"binary", b"chunk"];
/// Elements of HTML that hold text alone.
const RAW: [&[u8]; 8] =
    [b"script", b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"textarea", b"title"];
pub(super) const LONGEST_NAME: usize = 16;
const SHORTEST_NAME: usize = 3;
/// Attributes of fewer bytes hold nothing.
pub(super) const SHORTEST_VALUE: usize = 64;

impl Tag {
    /// The tag that has this behind its `<`.
    pub(super) fn named(head: &[u8]) -> Self {
        let closes = head.first() == Some(&b'/');
        let text = if closes { &[] } else { head };
        let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>');
        let text = &text[..text.iter().position(is_end).unwrap_or(text.len())];
        let local = memchr::memrchr(b':', text).map_or(text, |colon| &text[colon + 1..]);
        let mut name = [0; LONGEST_NAME];
        // Cells of a table have names of one letter, and no other name is asked for.
        let n_name = if local.len() < SHORTEST_NAME { 0 } else { local.len().min(LONGEST_NAME) };
        name[..n_name].copy_from_slice(&local[..n_name]);
        name.make_ascii_lowercase();
        Self { name, n_name, closes, is_empty: head.ends_with(b"/>") }
    }

    /// Returns whether a tag that has this behind its `<` may say anything about what follows.
    pub(super) fn may_matter(head: &[u8]) -> bool {
        let tag = Self::named(head);
        tag.n_name > 0 && (tag.opens_data() || tag.is_raw())
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name[..self.n_name]
    }

    pub(super) fn opens_data(&self) -> bool {
        !self.closes && !self.is_empty && (DATA.contains(&self.name()) || self.may_open_data())
    }

    /// Returns whether that is no more than likely.
    pub(super) fn may_open_data(&self) -> bool {
        MAY_BE_DATA.contains(&self.name())
    }

    /// Returns whether it begins a script or a style sheet.
    pub(super) fn holds_script(&self) -> bool {
        !self.closes && !self.is_empty && matches!(self.name(), b"script" | b"style")
    }

    /// Returns whether it begins an element of text alone.
    pub(super) fn is_raw(&self) -> bool {
        !self.closes && RAW.contains(&self.name())
    }
}

/// Returns whether `text` begins with a tag to every parser.
pub(super) fn begins_tag(text: &[u8]) -> bool {
    matches!(text, [b'<', b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'/', ..])
}

/// How long the tag is that `text` begins with, if it is too short for a value that holds something.
pub(super) fn short_tag(text: &[u8]) -> Option<usize> {
    let (mut quote, mut last) = (0, 0);
    for (index, byte) in text.iter().copied().enumerate().take(SHORTEST_VALUE) {
        if quote != 0 {
            if byte == quote {
                (quote, last) = (0, byte);
            }
        } else if byte == b'>' {
            return Some(index + 1);
        } else if matches!(byte, b'"' | b'\'') && last == b'=' {
            quote = byte;
        } else if !byte.is_ascii_whitespace() {
            last = byte;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_prefix() {
        for (text, name) in [
            ("office:binary-data a='b'>", "binary-data"),
            ("w:binData>", "bindata"),
            ("/w:binData>", ""),
            ("SCRIPT>", "script"),
            ("a/>", ""),
            ("averylongnamethatgoeson", "averylongnametha"),
        ] {
            assert_eq!(Tag::named(text.as_bytes()).name(), name.as_bytes(), "{text}");
        }
        assert!(Tag::named(b"pkg:binaryData>").opens_data());
        assert!(!Tag::named(b"/pkg:binaryData>").opens_data() && !Tag::named(b"binaryData/>").opens_data());
    }

    #[test]
    fn a_short_tag_ends_outside_of_its_values() {
        assert_eq!(short_tag(b"<a>b"), Some(3));
        assert_eq!(short_tag(b"<a b='>' c = \">\"/>d"), Some(18));
        assert_eq!(short_tag(b"<p it's>b's"), Some(8));
        assert_eq!(short_tag(b"<a b='>"), None);
        assert_eq!(short_tag(&[b"<a b='".as_slice(), &[b'c'; 64], b"'>"].concat()), None);
    }
}
