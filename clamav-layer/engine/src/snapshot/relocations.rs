//! Which words of the arena are pointers into libraries? Those that moved with their library from one load to another, and no others.

use anyhow::{bail, ensure};

use crate::arena::Module;
use crate::snapshot::image::{Description, Image};

/// What two loads have in common, and how they differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Relocations {
    /// Offsets in the arena, in order, and the module that is pointed into.
    pub(crate) pointers: Vec<(usize, u8)>,
    /// Offsets of words that hold addresses on the loading thread's stack: what was left there by functions that have returned. Nothing that is
    /// alive reads them; they become zero, so that snapshots are reproducible.
    pub(crate) stale: Vec<usize>,
}

/// Compares two loads of the same definitions with the same libraries at other addresses.
pub(crate) fn find(one: &Image, other: &Image) -> anyhow::Result<Relocations> {
    let (a, b) = (&one.description, &other.description);
    ensure!(a.size == b.size && a.engine_address == b.engine_address, "two loads made different engines");
    let pairs = modules(a, b)?;
    let mut found = Relocations::default();
    for (n, (x, y)) in one.words().iter().zip(other.words()).enumerate().filter(|(_, (x, y))| x != y) {
        let (x, y) = (usize::try_from(*x)?, usize::try_from(*y)?);
        let is_moved = |(here, there): &(&Module, &Module)| {
            (here.low..here.high).contains(&x) && x - here.low == y.wrapping_sub(there.low)
        };
        if let Some(module) = pairs.iter().position(is_moved) {
            found.pointers.push((n * 8, u8::try_from(module)?));
        } else if is_on_stack(a, x) && is_on_stack(b, y) {
            found.stale.push(n * 8);
        } else {
            bail!(
                "word {n} of the arena differs between two loads ({x:x}, {y:x}), and is no pointer into a library"
            );
        }
    }
    Ok(found)
}

/// The same libraries in both processes; all of them must have moved, or nothing would be found.
fn modules<'a>(a: &'a Description, b: &'a Description) -> anyhow::Result<Vec<(&'a Module, &'a Module)>> {
    let mut pairs = vec![];
    for here in &a.modules {
        let there = b.modules.iter().find(|there| there.name == here.name && there.build_id == here.build_id);
        let Some(there) = there else { bail!("`{}` was not the same in two loads", here.name) };
        ensure!(
            here.low != there.low,
            "`{}` was at the same address twice: addresses are not randomised here",
            here.name
        );
        pairs.push((here, there));
    }
    Ok(pairs)
}

fn is_on_stack(description: &Description, address: usize) -> bool {
    let stack = description.mappings.iter().find(|(.., name)| name == "[stack]");
    stack.is_some_and(|(low, high, _)| (*low..*high).contains(&address))
}
