//! Tells the digits of base64 and of hexadecimal from other bytes, and finds runs of them.

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const FIGURE: u8 = 4;
pub(crate) const SIGN: u8 = 8;
/// Of the alphabet for URLs alone (RFC 4648, 5).
pub(crate) const URL: u8 = 16;
/// No digit of hexadecimal.
pub(super) const BEYOND_HEX: u8 = 32;
/// Of what escapes in literals are made of.
const ESCAPE: u8 = 64;
pub(crate) const ALL: u8 = UPPER | LOWER | FIGURE;

const CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'A'..=b'F' => UPPER,
            b'G'..=b'Z' => UPPER | BEYOND_HEX,
            b'a'..=b'f' => LOWER,
            b'g'..=b'z' => LOWER | BEYOND_HEX,
            b'0'..=b'9' => FIGURE,
            b'+' | b'/' => SIGN | BEYOND_HEX,
            b'-' | b'_' => URL,
            // The last four are of U+2028 and U+2029, line breaks of JavaScript.
            b'\\' | b'%' | b'&' | b'#' | b';' | b'=' | b'{' | b'}' | 0xe2 | 0x80 | 0xa8 | 0xa9 => ESCAPE,
            _ => 0,
        };
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

pub(crate) fn class_of(byte: u8) -> u8 {
    CLASSES[usize::from(byte)]
}

/// What is shorter, and does not go to the end of its line, is no data for any reason.
pub(super) const SHORTEST: usize = 64;

/// Where the next run begins from `from` on that is long enough, or goes to the end. Looks at a few bytes of
/// each so many: all data of all files come through here.
pub(super) fn next_run(text: &[u8], mut from: usize, is_digit: impl Fn(u8) -> bool + Copy) -> Option<usize> {
    // A run that begins in one of so many bytes, and is long enough, has digits behind them.
    const STEP: usize = SHORTEST - 5;
    while let Some(behind) = text.get(from + STEP..from + SHORTEST) {
        // Without a branch: what stands in other data cannot be predicted.
        if !behind.iter().fold(true, |all, byte| all & is_digit(*byte)) {
            from += STEP + 1;
            continue;
        }
        let start = first_digit(text, from, from + STEP, is_digit);
        let end = start + digits(&text[start..], is_digit).0;
        if end == text.len() || end - start >= SHORTEST {
            return Some(start);
        }
        from = end;
    }
    let start = first_digit(text, from, text.len(), is_digit);
    (start < text.len()).then_some(start)
}

/// Where the digits begin that go up to `end`, but not before `from`.
fn first_digit(text: &[u8], from: usize, end: usize, is_digit: impl Fn(u8) -> bool) -> usize {
    let n_other = |before: &[u8]| before.iter().rposition(|byte| !is_digit(*byte)).map_or(0, |at| at + 1);
    text.get(from..end).map_or(end, |before| from + n_other(before))
}

pub(super) fn digits(text: &[u8], is_digit: impl Fn(u8) -> bool) -> (usize, u8) {
    let (mut n_digits, mut classes) = (0, 0);
    for byte in text.iter().take_while(|byte| is_digit(**byte)) {
        classes |= class_of(*byte);
        n_digits += 1;
    }
    (n_digits, classes)
}

pub(super) fn is_digit(byte: u8) -> bool {
    class_of(byte) & !(URL | ESCAPE) != 0
}

/// Returns whether a byte may stand in a literal of base64, of either alphabet and with escapes.
pub(crate) fn is_of_literal(byte: u8) -> bool {
    class_of(byte) != 0
}
