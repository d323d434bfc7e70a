//! Applies the filters of a stream, by every reading of its dictionary.

use std::io::{self, BufRead as _};

use domain::verdict::Unscannable;

use crate::walk::{Walked, malformed, refuse};

use super::index::Index;
use super::lzw::Lzw;
use super::parameters::{self, Parameters};
use super::predictor::{Layout, Predictor};
use super::steps::{
    Base85, Digits85, Hexadecimal, NoDigit, RunLength, Source, UntilDamage, decoding, inflating,
};
use super::values::Value;

/// Readings of one dictionary. An ordinary one has a single one.
pub(super) const MAX_CHAINS: usize = 32;
pub(super) const MAX_FILTERS: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Filter {
    Flate,
    Lzw,
    Hexadecimal(NoDigit),
    Base85(Digits85),
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
            b"ASCII85Decode" | b"A85" => Self::Base85(Digits85::Strict),
            b"RunLengthDecode" | b"RL" => Self::RunLength,
            b"Crypt" => Self::Crypt,
            b"DCTDecode" | b"DCT" => Self::Image(&[b"\xff\xd8\xff"]),
            b"JPXDecode" => Self::Image(&[b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"]),
            b"CCITTFaxDecode" | b"CCF" | b"JBIG2Decode" => Self::Image(&[]),
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_image(self) -> bool {
        matches!(self, Self::Image(_))
    }

    /// Returns whether nothing here undoes it.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Image(_) | Self::Unknown)
    }
}

/// Filters in the order in which a reader takes them off, and the parameters of each.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Chain {
    pub(super) filters: Vec<Filter>,
    parameters: Vec<Parameters>,
}

impl Chain {
    /// The same as other readers read digits, if there are any: poppler, pdf.js.
    pub(super) fn with_other_digits(&self) -> Vec<Self> {
        let with = |digits: Digits85| {
            let other = |filter: &Filter| match filter {
                Filter::Hexadecimal(_) => Filter::Hexadecimal(NoDigit::Zero),
                Filter::Base85(_) => Filter::Base85(digits),
                other => *other,
            };
            Self { filters: self.filters.iter().map(other).collect(), parameters: self.parameters.clone() }
        };
        let mut chains = [Digits85::All, Digits85::AllAndControls].map(with).to_vec();
        chains.dedup();
        chains.retain(|chain| chain != self);
        chains
    }
}

/// A filter, and the place of its parameters among those of the others: readers count filters, or the items
/// of the array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Placed {
    filter: Filter,
    item: usize,
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
    let parameters = parameters::of_stream(index, dictionary)?;
    let mut chains = Vec::new();
    for filters in filters {
        for parameters in &parameters {
            add_chains(&mut chains, &filters, parameters);
        }
        if chains.len() > MAX_CHAINS {
            return too_many();
        }
    }
    Ok(chains)
}

/// Adds what the filters are with these parameters to readers that count filters, or items; and to those that
/// pass unknown filters by, as pdf.js 5 and MuPDF 1.26 do.
fn add_chains(chains: &mut Vec<Chain>, filters: &[Placed], parameters: &[Parameters]) {
    let of = |at: usize| parameters.get(at).copied().unwrap_or_default();
    let counted = filters.iter().enumerate().map(|(at, placed)| (placed.filter, of(at))).collect::<Vec<_>>();
    let by_item = filters.iter().map(|placed| (placed.filter, of(placed.item))).collect::<Vec<_>>();
    let known = |steps: &[(Filter, Parameters)]| {
        steps.iter().copied().filter(|(filter, _)| *filter != Filter::Unknown).collect::<Vec<_>>()
    };
    for steps in [known(&counted), known(&by_item), counted, by_item] {
        let (filters, parameters) = steps.into_iter().unzip();
        let chain = Chain { filters, parameters };
        if !chains.contains(&chain) {
            chains.push(chain);
        }
    }
}

pub(super) fn too_many<T>() -> Walked<T> {
    refuse(Unscannable::TooManyFiles, "a PDF stream with more readings than the limit")
}

/// What a value of `Filter` may be; nothing if it is none.
fn filters_of(index: &mut Index, value: &Value, depth: u32) -> Walked<Vec<Vec<Placed>>> {
    const MAX_DEPTH: u32 = 8;
    match value {
        Value::Name(name) => Ok(vec![vec![Placed { filter: Filter::of(name), item: 0 }]]),
        Value::Array(_) | Value::Reference(_) | Value::Either(_) if depth == MAX_DEPTH => too_many(),
        Value::Array(items) => {
            let mut chains = vec![Vec::new()];
            for (item, value) in items.iter().enumerate() {
                let mut more = filters_of(index, value, depth + 1)?;
                more.iter_mut().flatten().for_each(|placed| placed.item = item);
                chains = continued(&chains, &more);
                if chains.len() > MAX_CHAINS || chains.iter().any(|chain| chain.len() > MAX_FILTERS) {
                    return too_many();
                }
            }
            Ok(chains)
        }
        Value::Reference(_) | Value::Either(_) => {
            let mut chains = Vec::new();
            for value in index.resolved(value)? {
                let of_value = filters_of(index, &value, depth + 1)?;
                chains.extend(if of_value.is_empty() { vec![Vec::new()] } else { of_value });
                if chains.len() > MAX_CHAINS {
                    return too_many();
                }
            }
            Ok(chains)
        }
        Value::Integer(_) | Value::Real(_) | Value::String(_) | Value::Dictionary(_) | Value::Other => {
            Ok(Vec::new())
        }
    }
}

/// Each chain with each of `more` behind it. What is no filter is skipped.
fn continued(chains: &[Vec<Placed>], more: &[Vec<Placed>]) -> Vec<Vec<Placed>> {
    if more.is_empty() {
        return chains.to_vec();
    }
    let longer =
        |chain: &Vec<Placed>| more.iter().map(|more| [&chain[..], more].concat()).collect::<Vec<_>>();
    chains.iter().flat_map(longer).collect()
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
            Filter::Base85(digits) => decoding(source, Base85::new(*digits)),
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
