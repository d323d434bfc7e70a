//! Applies the filters of a stream, by every reading of its dictionary.

use std::io::{self, BufRead as _};

use domain::verdict::Unscannable;

use crate::walk::{Walked, malformed, refuse};

use super::index::Index;
use super::lzw::Lzw;
use super::predictor::{Layout, Predictor};
use super::steps::{Base85, Hexadecimal, NoDigit, RunLength, Source, UntilDamage, decoding, inflating};
use super::values::Value;

/// Readings of one dictionary. An ordinary one has a single one.
const MAX_CHAINS: usize = 32;
const MAX_FILTERS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    Flate,
    Lzw,
    Hexadecimal(NoDigit),
    Base85,
    RunLength,
    Crypt,
    /// Those that only make images. What they are applied to is what readers save.
    Image(&'static [&'static [u8]]),
    Unknown,
}

impl Filter {
    fn of(name: &[u8]) -> Self {
        match name {
            b"FlateDecode" | b"Fl" => Self::Flate,
            b"LZWDecode" | b"LZW" => Self::Lzw,
            b"ASCIIHexDecode" | b"AHx" => Self::Hexadecimal(NoDigit::Skipped),
            b"ASCII85Decode" | b"A85" => Self::Base85,
            b"RunLengthDecode" | b"RL" => Self::RunLength,
            b"Crypt" => Self::Crypt,
            b"DCTDecode" | b"DCT" => Self::Image(&[b"\xff\xd8\xff"]),
            b"JPXDecode" => Self::Image(&[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]),
            b"CCITTFaxDecode" | b"CCF" | b"JBIG2Decode" => Self::Image(&[]),
            _ => Self::Unknown,
        }
    }

    /// Returns whether nothing here undoes it.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Image(_) | Self::Unknown)
    }
}

/// Parameters of one filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parameters {
    layout: Layout,
    is_early: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { layout: Layout::default(), is_early: true }
    }
}

/// Filters in the order in which a reader takes them off, and the parameters of each.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Chain {
    pub(super) filters: Vec<Filter>,
    parameters: Vec<Parameters>,
}

impl Chain {
    /// The same as poppler reads hexadecimal digits, if there are any.
    pub(super) fn with_zeros(&self) -> Option<Self> {
        let zeroed = |filter: &Filter| match filter {
            Filter::Hexadecimal(_) => Filter::Hexadecimal(NoDigit::Zero),
            other => *other,
        };
        let filters: Vec<_> = self.filters.iter().map(zeroed).collect();
        (filters != self.filters).then(|| Self { filters, parameters: self.parameters.clone() })
    }
}

/// Every chain that a stream's dictionary may mean.
pub(super) fn chains(index: &mut Index, dictionary: &Value) -> Walked<Vec<Chain>> {
    let mut filters = Vec::new();
    // In a file, `F` is a file's name or specification, but some readers take abbreviated keys there too.
    for key in [b"Filter".as_slice(), b"F"] {
        for value in dictionary.all(key) {
            let of_value = filters_of(index, value, 0)?;
            // What is no filter counts as none.
            filters.extend(if of_value.is_empty() { vec![Vec::new()] } else { of_value });
        }
    }
    if filters.is_empty() {
        filters.push(Vec::new());
    }
    let mut parameters = vec![Vec::new()];
    for key in [b"DecodeParms".as_slice(), b"DP"] {
        for value in dictionary.all(key) {
            parameters.extend(parameters_of(index, value)?);
        }
    }
    let mut chains = Vec::new();
    for filters in filters {
        for parameters in &parameters {
            let of_filter = |at: usize| parameters.get(at).copied().unwrap_or_default();
            let parameters = (0..filters.len()).map(of_filter).collect();
            let chain = Chain { filters: filters.clone(), parameters };
            if !chains.contains(&chain) {
                chains.push(chain);
            }
        }
    }
    if chains.len() > MAX_CHAINS { too_many() } else { Ok(chains) }
}

fn too_many<T>() -> Walked<T> {
    refuse(Unscannable::TooManyFiles, "a PDF stream with more readings than the limit")
}

/// What a value of `Filter` may be; nothing if it is none.
fn filters_of(index: &mut Index, value: &Value, depth: u32) -> Walked<Vec<Vec<Filter>>> {
    const MAX_DEPTH: u32 = 8;
    match value {
        Value::Name(name) => Ok(vec![vec![Filter::of(name)]]),
        Value::Array(_) | Value::Reference(_) if depth == MAX_DEPTH => too_many(),
        Value::Array(items) => {
            let mut chains = vec![Vec::new()];
            for item in items {
                chains = continued(&chains, &filters_of(index, item, depth + 1)?);
                if chains.len() > MAX_CHAINS || chains.iter().any(|chain| chain.len() > MAX_FILTERS) {
                    return too_many();
                }
            }
            Ok(chains)
        }
        Value::Reference(number) => {
            let mut chains = Vec::new();
            for value in index.resolve(*number)? {
                let of_value = filters_of(index, &value, depth + 1)?;
                chains.extend(if of_value.is_empty() { vec![Vec::new()] } else { of_value });
                if chains.len() > MAX_CHAINS {
                    return too_many();
                }
            }
            Ok(chains)
        }
        Value::Integer(_) | Value::String(_) | Value::Dictionary(_) | Value::Other => Ok(Vec::new()),
    }
}

/// Each chain with each of `more` behind it. What is no filter is skipped.
fn continued(chains: &[Vec<Filter>], more: &[Vec<Filter>]) -> Vec<Vec<Filter>> {
    if more.is_empty() {
        return chains.to_vec();
    }
    let longer =
        |chain: &Vec<Filter>| more.iter().map(|more| [&chain[..], more].concat()).collect::<Vec<_>>();
    chains.iter().flat_map(longer).collect()
}

fn parameters_of(index: &mut Index, value: &Value) -> Walked<Vec<Vec<Parameters>>> {
    let mut found = Vec::new();
    for value in index.resolved(value)? {
        match &value {
            Value::Dictionary(_) => found.push(vec![parameters(index, &value)?]),
            Value::Array(items) => {
                let mut each = Vec::new();
                for item in items.iter().take(MAX_FILTERS) {
                    let resolved = index.resolved(item)?;
                    let dictionary = resolved.iter().find(|value| matches!(value, Value::Dictionary(_)));
                    each.push(parameters(index, dictionary.unwrap_or(&Value::Other))?);
                }
                found.push(each);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn parameters(index: &mut Index, dictionary: &Value) -> Walked<Parameters> {
    let mut number = |key: &[u8], default: u64| -> Walked<u64> {
        let mut numbers = Vec::new();
        for value in dictionary.all(key) {
            numbers.extend(index.integers(value)?);
        }
        numbers.dedup();
        match numbers[..] {
            [] => Ok(default),
            [number] => Ok(number),
            _ => malformed("a PDF stream with a parameter that has two values"),
        }
    };
    let layout = Layout {
        predictor: number(b"Predictor", 1)?,
        n_colors: number(b"Colors", 1)?,
        n_bits: number(b"BitsPerComponent", 8)?,
        n_columns: number(b"Columns", 1)?,
    };
    Ok(Parameters { layout, is_early: number(b"EarlyChange", 1)? != 0 })
}

/// How deflated data is wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrapping {
    /// As it should be: in a zlib header, however damaged.
    Zlib,
    /// Not at all.
    Bare,
}

#[derive(Default, Debug)]
pub(super) struct Oddities {
    /// Somewhere there is no zlib header: readers differ about what to do.
    pub(super) has_bare_deflate: bool,
}

/// Takes off the filters, up to the first that is the last.
pub(super) fn decoded(
    mut source: Source,
    chain: &Chain,
    wrapping: Wrapping,
    oddities: &mut Oddities,
) -> Walked<Source> {
    for (filter, parameters) in chain.filters.iter().zip(&chain.parameters) {
        source = match filter {
            Filter::Image(_) | Filter::Unknown => break,
            Filter::Crypt => source,
            Filter::Hexadecimal(no_digit) => decoding(source, Hexadecimal(*no_digit)),
            Filter::Base85 => decoding(source, Base85::default()),
            Filter::RunLength => decoding(source, RunLength),
            Filter::Lzw => predicted(decoding(source, Lzw::new(parameters.is_early)), parameters.layout)?,
            Filter::Flate => predicted(inflated(source, wrapping, oddities)?, parameters.layout)?,
        };
    }
    Ok(source)
}

fn predicted(source: Source, layout: Layout) -> Walked<Source> {
    if layout.predictor < 2 {
        return Ok(source);
    }
    match Predictor::new(layout) {
        Some(predictor) => Ok(decoding(source, predictor)),
        None => malformed("a PDF stream with impossible rows"),
    }
}

fn inflated(mut source: Source, wrapping: Wrapping, oddities: &mut Oddities) -> io::Result<Source> {
    let head = match source.fill_buf()? {
        [first, second, ..] => u16::from_be_bytes([*first, *second]),
        _ => return Ok(source),
    };
    if head == 0x1f8b {
        return Ok(Box::new(io::BufReader::new(UntilDamage(flate2::bufread::GzDecoder::new(source)))));
    }
    let is_zlib = head >> 8 & 0x0f == 8 && head % 31 == 0;
    oddities.has_bare_deflate |= !is_zlib;
    if is_zlib || wrapping == Wrapping::Zlib {
        source.consume(2);
    }
    Ok(inflating(source))
}
