//! Decodes yEnc 1.3: every byte is 42 more than it stands for, and a few are escaped.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::decoder;
use crate::blob::Blob;
use crate::mail::{Breaks, Lines};

/// Reads the blocks between `=ybegin` and `=yend`, one after another: parts of one file follow each other.
pub(super) fn decoded(body: &Blob) -> impl Read + use<> {
    let mut lines = Lines::new(body, Breaks::Any);
    let mut is_in_block = false;
    decoder(move || {
        let Some(line) = lines.next_line()? else { return Ok(None) };
        let is_mark = line.begins && line.text.starts_with(b"=y");
        if is_mark {
            is_in_block = !line.text.starts_with(b"=yend");
        }
        Ok(Some(if is_in_block && !is_mark { decode_line(line.text) } else { Vec::new() }))
    })
}

/// Where a block stands, and where it belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Block {
    start: u64,
    end: u64,
    part: u64,
    begin: u64,
}

/// Every other order in which a reader may join the blocks: uudeview 0.5.20 sorts the parts of a file by
/// their numbers. For each name, and for all names, as not all readers go by that.
pub(super) fn sorted(body: &Blob) -> io::Result<Vec<impl Read + use<>>> {
    let by_name = blocks(body)?;
    let mut all = by_name.values().flatten().cloned().collect::<Vec<_>>();
    all.sort_by_key(|block| block.start);
    let mut orders = Vec::new();
    for group in by_name.values().chain([&all]).filter(|group| group.len() > 1) {
        let by = |key: fn(&Block) -> u64| {
            let mut order = group.clone();
            order.sort_by_key(key);
            order
        };
        for order in [by(|block| block.start), by(|block| block.part), by(|block| block.begin)] {
            if order != all && !orders.contains(&order) {
                orders.push(order);
            }
        }
    }
    let joined = |order: Vec<Block>| {
        let body = body.clone();
        let block = move |block: Block| decoded(&body.slice(block.start, block.end - block.start));
        super::joined(order.into_iter().map(block))
    };
    Ok(orders.into_iter().map(joined).collect())
}

fn blocks(body: &Blob) -> io::Result<BTreeMap<Vec<u8>, Vec<Block>>> {
    let (mut lines, mut by_name) = (Lines::new(body, Breaks::Any), BTreeMap::<_, Vec<Block>>::new());
    let mut last = None;
    while let Some(line) = lines.next_line()? {
        let end = line.next_at;
        if line.begins && line.text.starts_with(b"=ybegin ") {
            let name = memchr::memmem::find(line.text, b" name=").map_or(&[][..], |at| &line.text[at..]);
            let name = name.trim_ascii().to_vec();
            let block = Block { start: line.at, end, part: number(line.text, b" part="), begin: 0 };
            by_name.entry(name.clone()).or_default().push(block);
            last = Some(name);
        }
        let Some(block) = last.as_ref().and_then(|name| by_name.get_mut(name)?.last_mut()) else { continue };
        block.end = end;
        if line.begins && line.text.starts_with(b"=ypart ") {
            block.begin = number(line.text, b" begin=");
        }
    }
    Ok(by_name)
}

fn number(text: &[u8], name: &[u8]) -> u64 {
    let value = memchr::memmem::find(text, name).map_or(&[][..], |at| &text[at + name.len()..]);
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(*digit - b'0')))
}

fn decode_line(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut text = text.iter();
    while let Some(byte) = text.next() {
        let byte = match byte {
            b'=' => text.next().map(|byte| byte.wrapping_sub(64)),
            byte => Some(*byte),
        };
        bytes.extend(byte.map(|byte| byte.wrapping_sub(42)));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_decoded() {
        let mut text = b"=ybegin part=1 line=128 size=6 name=a\r\n=ypart begin=1 end=3\r\n".to_vec();
        text.extend(b"m\x8b\x9e\r\n=yend size=3\r\nbetween\r\n");
        text.extend(b"=ybegin part=2 line=128\r\n=}\x8b\x9e\r\n=yend\r\nbehind");
        let mut bytes = Vec::new();
        decoded(&Blob::from_bytes(text)).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"Cat\x13at");
    }

    #[test]
    fn parts_are_joined_by_their_numbers_as_well() {
        let part = |name: &str, part: u64, begin: u64, text: &str| {
            let data = text.bytes().map(|byte| char::from(byte + 42)).collect::<String>();
            let data = data.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
            let head = format!(
                "=ybegin part={part} total=2 line=128 size=6 name={name}\n=ypart begin={begin} end=9\n"
            );
            [head.as_bytes(), &data, b"\n=yend size=3\n\n"].concat()
        };
        let read = |text: Vec<u8>| {
            let read = |mut reading: Box<dyn Read>| {
                let mut text = String::new();
                reading.read_to_string(&mut text).unwrap();
                text
            };
            let sorted = sorted(&Blob::from_bytes(text)).unwrap();
            sorted.into_iter().map(|reading| read(Box::new(reading))).collect::<Vec<_>>()
        };
        let (one, two) = (part("a", 1, 1, "Cat"), part("a", 2, 4, "Dog"));
        assert!(read([&one[..], &two].concat()).is_empty());
        assert_eq!(read([&two[..], &one].concat()), ["CatDog"]);
        assert_eq!(read([&part("a", 1, 4, "Dog")[..], &part("a", 2, 1, "Cat")].concat()), ["CatDog"]);
        let other = part("b", 1, 1, "Bee");
        assert!(read([&one[..], &other, &two].concat()).contains(&"CatDog".to_owned()));
        assert_eq!(read([&two[..], &part("b", 1, 1, "Cat")].concat()), ["CatDog"]);
    }
}
