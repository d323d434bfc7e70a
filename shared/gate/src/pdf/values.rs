//! Reads values out of tokens, without the order that only a well-formed object has.

use std::io;

use super::cursor::Cursor;
use super::tokens::{self, Token};

/// Values of one stream dictionary. The longest of ordinary documents hold some thousand.
const MAX_VALUES: usize = 100_000;
const MAX_DEPTH: u32 = 32;

/// A value. A dictionary is the list of what stands in it, keys and values: readers differ about which of two
/// equal keys counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Name(Vec<u8>),
    Integer(i64),
    /// A number with a point, as its whole part: some readers take it for an integer.
    Real(i64),
    String(Vec<u8>),
    /// To the object of this number. Generations are ignored, as some readers do.
    Reference(u64),
    Array(Vec<Value>),
    Dictionary(Vec<Value>),
    /// What readers read differently, as each reads it.
    Either(Vec<Value>),
    Other,
}

impl Value {
    fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) | Self::Dictionary(items) | Self::Either(items) => items,
            _ => &[],
        }
    }

    /// What follows each name `key`, at any depth.
    pub(super) fn all(&self, key: &[u8]) -> Vec<&Self> {
        let items = self.items();
        let here = items.windows(2).filter(|pair| pair[0].is_name(key)).map(|pair| &pair[1]);
        let deeper = items.iter().flat_map(|item| item.all(key));
        here.chain(deeper).collect()
    }

    pub(super) fn is_name(&self, name: &[u8]) -> bool {
        matches!(self, Self::Name(it) if it == name)
    }

    /// Returns whether one of `names` stands in it, at any depth.
    pub(super) fn mentions(&self, names: &[&[u8]]) -> bool {
        let is_it = matches!(self, Self::Name(it) if names.contains(&it.as_slice()));
        is_it || self.items().iter().any(|item| item.mentions(names))
    }

    /// What readers make of it, but for references.
    pub(super) fn readings(&self) -> Vec<Self> {
        match self {
            Self::Reference(_) => Vec::new(),
            Self::Real(whole) => vec![Self::Integer(*whole), Self::Other],
            Self::Either(values) => values.iter().flat_map(Self::readings).collect(),
            _ => vec![self.clone()],
        }
    }

    /// The objects that it may refer to.
    pub(super) fn referred(&self) -> Vec<u64> {
        match self {
            Self::Reference(number) => vec![*number],
            Self::Either(values) => values.iter().flat_map(Self::referred).collect(),
            _ => Vec::new(),
        }
    }

    /// What readers take it for that want a whole number.
    fn integers(&self) -> Vec<i64> {
        let integer = |value| match value {
            Self::Integer(integer) => Some(integer),
            _ => None,
        };
        self.readings().into_iter().filter_map(integer).collect()
    }

    fn of_integers(integers: &[i64]) -> Self {
        match integers {
            [integer] => Self::Integer(*integer),
            _ => Self::Either(integers.iter().copied().map(Self::Integer).collect()),
        }
    }

    pub(super) fn has_reference(&self) -> bool {
        matches!(self, Self::Reference(_)) || self.items().iter().any(Self::has_reference)
    }
}

/// The value that begins here; `None` if it is too large.
pub(super) fn value(cursor: &mut Cursor<'_>) -> io::Result<Option<Value>> {
    let mut reading = Reading { end: u64::MAX, n_values: 0 };
    let mut items = Vec::new();
    // A reference is three tokens.
    for _ in 0..3 {
        if !reading.item(cursor, &mut items, 0)? || items.last().is_none_or(|item| item.integers().is_empty())
        {
            break;
        }
    }
    let is_whole = reading.n_values < MAX_VALUES;
    let value = items.iter().rfind(|item| !item.referred().is_empty()).or(items.first());
    Ok(is_whole.then(|| value.cloned().unwrap_or(Value::Other)))
}

/// All values up to `end`, as one dictionary; `None` if there are too many.
pub(super) fn values_until(cursor: &mut Cursor<'_>, end: u64) -> io::Result<Option<Value>> {
    let mut reading = Reading { end, n_values: 0 };
    let mut items = Vec::new();
    while cursor.position() < end && reading.item(cursor, &mut items, 0)? {}
    Ok((reading.n_values < MAX_VALUES).then_some(Value::Dictionary(items)))
}

struct Reading {
    end: u64,
    n_values: usize,
}

impl Reading {
    /// Adds one item; `false` at the end. What closes nothing is skipped.
    fn item(&mut self, cursor: &mut Cursor<'_>, items: &mut Vec<Value>, depth: u32) -> io::Result<bool> {
        let Some((start, token)) = tokens::next(cursor)? else { return Ok(false) };
        self.n_values += 1;
        if start >= self.end || self.n_values >= MAX_VALUES {
            return Ok(false);
        }
        let value = match token {
            Token::Name(name) => Value::Name(name),
            Token::Integer(integer) => Value::Integer(integer),
            Token::Real(whole) => Value::Real(whole),
            Token::Either(integers) => Value::of_integers(&integers),
            Token::String(string) => Value::String(string),
            // What is deeper is read as if it stood here.
            Token::OpenDictionary | Token::OpenArray if depth == MAX_DEPTH => return Ok(true),
            Token::OpenDictionary => Value::Dictionary(self.group(cursor, depth + 1)?),
            Token::OpenArray => Value::Array(self.group(cursor, depth + 1)?),
            Token::Close => return Ok(depth == 0),
            Token::Word(word) if is_reference(&word) => reference(items),
            Token::Word(_) => Value::Other,
        };
        items.push(value);
        Ok(true)
    }

    fn group(&mut self, cursor: &mut Cursor<'_>, depth: u32) -> io::Result<Vec<Value>> {
        let mut items = Vec::new();
        while self.item(cursor, &mut items, depth)? {}
        Ok(items)
    }
}

/// Some readers take what is no letter behind the `R` for something new.
fn is_reference(word: &[u8]) -> bool {
    matches!(word, [b'R'] | [b'R', 128.. | 0..=64, ..])
}

/// Takes the two numbers before an `R`.
fn reference(items: &mut Vec<Value>) -> Value {
    let n_before = items.len().saturating_sub(2);
    let [number, generation] = &items[n_before..] else { return Value::Other };
    if generation.integers().is_empty() {
        return Value::Other;
    }
    let numbers = number.integers().into_iter().filter_map(|number| u64::try_from(number).ok());
    let mut references = numbers.map(Value::Reference).collect::<Vec<_>>();
    if number.integers().is_empty() {
        return Value::Other;
    }
    items.truncate(n_before);
    match references.len() {
        0 => Value::Other,
        1 => references.remove(0),
        _ => Value::Either(references),
    }
}

/// The references in the value that begins here, however long it is.
pub(super) fn references(cursor: &mut Cursor<'_>, mut found: impl FnMut(u64)) -> io::Result<()> {
    let (mut depth, mut before) = (0u64, [const { None::<Token> }; 2]);
    for n_tokens in 0u64.. {
        let Some((_, token)) = tokens::next(cursor)? else { return Ok(()) };
        match &token {
            Token::OpenArray | Token::OpenDictionary => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::Word(word) if is_reference(word) => {
                if let [Some(number), Some(generation)] = &before
                    && !generation.integers().is_empty()
                {
                    number.integers().iter().filter_map(|it| u64::try_from(*it).ok()).for_each(&mut found);
                }
            }
            Token::Word(word) if is_end_of_object(word) => return Ok(()),
            _ => {}
        }
        // Outside of brackets, a value is one token, or three.
        if depth == 0 && (n_tokens >= 2 || token.integers().is_empty()) {
            return Ok(());
        }
        let [_, last] = before;
        before = [last, Some(token)];
    }
    Ok(())
}

pub(super) fn is_end_of_object(word: &[u8]) -> bool {
    word.starts_with(b"endobj") || word.starts_with(b"stream") || word == b"obj"
}
