//! Reads the numbers of PDF (ISO 32000-2, 7.3.3), also those that no writer should write.

use std::io;

use super::cursor::Cursor;
use super::tokens::Token;

/// A number as far as it is read.
#[derive(Default)]
struct Digits {
    is_negative: bool,
    has_digit: bool,
    has_point: bool,
    /// What stands before the point; too large if `None`.
    whole: Option<i64>,
    /// All digits, and how many of them are behind the point.
    all: Option<i64>,
    n_behind_point: u32,
    /// What stands before the first minus that is no sign.
    before_minus: Option<i64>,
}

/// Reads a number that begins with `first`. Digits end it wherever something else begins: `0R` is a number
/// and a word.
///
/// pdf.js 5 passes a minus between digits by, as Adobe's readers do; others end the number there. It also
/// reads exponents, and passes ends of lines behind a sign by.
pub(super) fn number(cursor: &mut Cursor<'_>, first: u8) -> io::Result<Token> {
    let mut digits = Digits { whole: Some(0), all: Some(0), ..Digits::default() };
    match first {
        b'-' | b'+' => {
            digits.is_negative = first == b'-';
            if matches!(cursor.peek()?, Some(b'\r' | b'\n')) {
                cursor.skip_while(|byte| matches!(byte, b'\r' | b'\n'))?;
            }
        }
        first => digits.add(first),
    }
    while let Some(byte) = cursor.peek()?.filter(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
    {
        cursor.skip(1);
        digits.add(byte);
    }
    if !digits.has_digit {
        return Ok(Token::Word(vec![first]));
    }
    let exponent = exponent(cursor)?;
    Ok(digits.token(exponent))
}

/// The exponent that begins here, negative or not, if one does.
fn exponent(cursor: &mut Cursor<'_>) -> io::Result<Option<(bool, u32)>> {
    if !matches!(cursor.peek()?, Some(b'e' | b'E')) {
        return Ok(None);
    }
    let sign = cursor.peek_at(1)?.filter(|byte| matches!(byte, b'+' | b'-'));
    let n_before = 1 + usize::from(sign.is_some());
    if !cursor.peek_at(n_before)?.is_some_and(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    cursor.skip(n_before);
    let mut exponent = 0u32;
    while let Some(digit) = cursor.peek()?.filter(u8::is_ascii_digit) {
        cursor.skip(1);
        exponent = exponent.saturating_mul(10).saturating_add(u32::from(digit - b'0'));
    }
    Ok(Some((sign == Some(b'-'), exponent)))
}

impl Digits {
    fn add(&mut self, byte: u8) {
        match byte {
            b'.' => self.has_point = true,
            b'-' if self.has_digit => self.before_minus = self.before_minus.or(self.whole),
            b'-' => self.is_negative = true,
            digit => {
                self.has_digit = true;
                let with =
                    |number: Option<i64>| number?.checked_mul(10)?.checked_add(i64::from(digit - b'0'));
                self.all = with(self.all);
                if self.has_point {
                    self.n_behind_point = self.n_behind_point.saturating_add(1);
                } else {
                    self.whole = with(self.whole);
                }
            }
        }
    }

    /// The token; a word if the number is larger than any that counts.
    fn token(&self, exponent: Option<(bool, u32)>) -> Token {
        let signed = |number: i64| if self.is_negative { -number } else { number };
        if self.before_minus.is_none() && exponent.is_none() {
            return match self.whole.map(signed) {
                None => Token::Word(Vec::new()),
                Some(whole) if self.has_point => Token::Real(whole),
                Some(whole) => Token::Integer(whole),
            };
        }
        let scaled = exponent.and_then(|exponent| self.scaled(exponent));
        let mut either =
            [self.whole, self.before_minus, scaled].into_iter().flatten().map(signed).collect::<Vec<_>>();
        either.dedup();
        Token::Either(either)
    }

    fn scaled(&self, (is_negative, exponent): (bool, u32)) -> Option<i64> {
        let exponent =
            i64::from(exponent) * if is_negative { -1 } else { 1 } - i64::from(self.n_behind_point);
        let power = 10i64.checked_pow(u32::try_from(exponent.unsigned_abs()).ok()?)?;
        if exponent < 0 { Some(self.all? / power) } else { self.all?.checked_mul(power) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Blob;
    use crate::pdf::tokens::next;

    #[test]
    fn numbers_are_read_as_each_reader_does() {
        let zeros = "0".repeat(300);
        for (text, expected) in [
            (format!("{zeros}12"), Token::Integer(12)),
            (format!("-{zeros}4"), Token::Integer(-4)),
            ("12.0".to_owned(), Token::Real(12)),
            (".5".to_owned(), Token::Real(0)),
            (format!("{zeros}17.{zeros}"), Token::Real(17)),
            ("1-0".to_owned(), Token::Either(vec![10, 1])),
            ("--4".to_owned(), Token::Integer(-4)),
            ("+\n4".to_owned(), Token::Integer(4)),
            ("1.7e1".to_owned(), Token::Either(vec![1, 17])),
            ("170E-1".to_owned(), Token::Either(vec![170, 17])),
            ("4endobj".to_owned(), Token::Integer(4)),
            ("-".to_owned(), Token::Word(b"-".to_vec())),
            ("99999999999999999999".to_owned(), Token::Word(Vec::new())),
        ] {
            let blob = Blob::from_bytes(text.clone().into_bytes());
            let (_, token) = next(&mut Cursor::new(&blob, 0)).unwrap().unwrap();
            assert_eq!(token, expected, "{text}");
        }
    }
}
