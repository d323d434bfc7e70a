//! Reads the parameters of filters (ISO 32000-2, table 8), in every way in which readers do.

use crate::walk::Walked;

use super::filters::{MAX_CHAINS, MAX_FILTERS, too_many};
use super::index::Index;
use super::predictor::Layout;
use super::values::Value;

/// Parameters of one filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parameters {
    pub(super) layout: Layout,
    pub(super) is_early: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { layout: Layout::default(), is_early: true }
    }
}

/// The lists of parameters that a stream's dictionary may mean, and none at all, as some readers have it.
pub(super) fn of_stream(index: &mut Index, dictionary: &Value) -> Walked<Vec<Vec<Parameters>>> {
    let mut lists = vec![Vec::new()];
    for key in [b"DecodeParms".as_slice(), b"DP"] {
        for value in dictionary.all(key) {
            for value in index.resolved(value)? {
                match &value {
                    Value::Dictionary(_) => {
                        lists.extend(of_filter(index, &value)?.into_iter().map(|it| vec![it]));
                    }
                    Value::Array(items) => lists.extend(of_items(index, items)?),
                    _ => {}
                }
            }
        }
    }
    if lists.len() > MAX_CHAINS { too_many() } else { Ok(lists) }
}

/// Each item may be what any revision of it is.
fn of_items(index: &mut Index, items: &[Value]) -> Walked<Vec<Vec<Parameters>>> {
    let mut lists = vec![Vec::new()];
    for item in items.iter().take(MAX_FILTERS) {
        let mut alternatives = Vec::new();
        for value in index.resolved(item)? {
            for parameters in of_filter(index, &value)? {
                if !alternatives.contains(&parameters) {
                    alternatives.push(parameters);
                }
            }
        }
        if alternatives.is_empty() {
            alternatives.push(Parameters::default());
        }
        lists =
            each_with_each(&lists, &alternatives, |list, parameters| [&list[..], &[*parameters]].concat())?;
    }
    Ok(lists)
}

/// Takes the number of one key.
type Set = fn(&mut Parameters, u64);

/// What one dictionary may mean; the defaults if it is none.
fn of_filter(index: &mut Index, dictionary: &Value) -> Walked<Vec<Parameters>> {
    let mut found = vec![Parameters::default()];
    if !matches!(dictionary, Value::Dictionary(_)) {
        return Ok(found);
    }
    let set: [(&[u8], Set); 5] = [
        (b"Predictor", |it, number| it.layout.predictor = number),
        (b"Colors", |it, number| it.layout.n_colors = number),
        (b"BitsPerComponent", |it, number| it.layout.n_bits = number),
        (b"Columns", |it, number| it.layout.n_columns = number),
        (b"EarlyChange", |it, number| it.is_early = number != 0),
    ];
    for (key, set) in set {
        let mut numbers = Vec::new();
        for value in dictionary.all(key) {
            for value in index.resolved(value)? {
                // What is no number counts as none.
                let number = match value {
                    Value::Integer(number) => u64::try_from(number).ok(),
                    _ => None,
                };
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
        }
        if key == b"Predictor" && numbers.iter().flatten().any(|number| !is_predictor(*number)) {
            numbers.push(None);
        }
        if !numbers.is_empty() {
            found = each_with_each(&found, &numbers, |parameters, number| {
                let mut parameters = *parameters;
                if let Some(number) = number {
                    set(&mut parameters, *number);
                }
                parameters
            })?;
        }
    }
    Ok(found)
}

/// Others are none to poppler 22.12 up to 9, and to MuPDF 1.26 from 16 on.
fn is_predictor(number: u64) -> bool {
    matches!(number, 0..=2 | 10..=15)
}

fn each_with_each<A, B, C>(first: &[A], second: &[B], both: impl Fn(&A, &B) -> C) -> Walked<Vec<C>> {
    if first.len() * second.len() > MAX_CHAINS {
        return too_many();
    }
    Ok(first
        .iter()
        .flat_map(|first| second.iter().map(|second| both(first, second)).collect::<Vec<_>>())
        .collect())
}
