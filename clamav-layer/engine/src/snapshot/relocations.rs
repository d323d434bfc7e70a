//! Finds the words of the arena that are pointers into libraries: those that moved with their library from
//! one load to another, and no others.

use std::ops::Range;

use anyhow::{Context as _, bail, ensure};

use crate::arena::Module;
use crate::snapshot::image::{Description, Image};

/// The common parts of two loads, and their differences.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Relocations {
    /// Offsets in the arena, in order, and the module that is pointed into.
    pub(crate) pointers: Vec<(usize, u8)>,
    /// Stale stack contents that came into the arena with a structure's padding: offsets of words with
    /// addresses on the loading thread's stack, or their upper halves, and which bits those are. Nothing
    /// reads them; they become zero, so that snapshots are reproducible.
    pub(crate) stale: Vec<(usize, u64)>,
}

/// Compares two loads of the same definitions with the same libraries at other addresses.
pub(crate) fn find(one: &Image, other: &Image) -> anyhow::Result<Relocations> {
    let (a, b) = (&one.description, &other.description);
    ensure!(a.arena == b.arena && a.engine_address == b.engine_address, "two loads made different engines");
    let pairs = modules(a, b)?;
    let mut found = Relocations::default();
    for (n, (x, y)) in one.words().iter().zip(other.words()).enumerate().filter(|(_, (x, y))| x != y) {
        let (x, y) = (usize::try_from(*x)?, usize::try_from(*y)?);
        let is_moved = |(here, there): &(&Module, &Module)| {
            (here.low..here.high).contains(&x) && x - here.low == y.wrapping_sub(there.low)
        };
        if let Some(module) = pairs.iter().position(is_moved) {
            found.pointers.push((n * 8, u8::try_from(module)?));
        } else if let Some(bits) = stale_bits((x, y), stack(a)?, stack(b)?) {
            found.stale.push((n * 8, bits));
        } else {
            bail!(
                "word {n} of the arena differs between two loads ({x:x}, {y:x}) and points into no library"
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
            "`{}` was at the same address twice: addresses are not randomized here",
            here.name
        );
        pairs.push((here, there));
    }
    Ok(pairs)
}

fn stack(description: &Description) -> anyhow::Result<Range<usize>> {
    let stack = description.mappings.iter().find(|(.., name)| name == "[stack]");
    stack.map(|(low, high, _)| *low..*high).context("there is no stack")
}

/// Returns which bits of a word, `x` in one load and `y` in another, belong to an address on the stack: all,
/// or the upper half, above an integer that was the same in both. Two addresses with equal lower halves by
/// chance are four billion times less likely.
fn stale_bits((x, y): (usize, usize), here: Range<usize>, there: Range<usize>) -> Option<u64> {
    const UPPER: u64 = 0xffff_ffff_0000_0000;
    let upper = |address: usize| address >> 32;
    let is_upper =
        |word: usize, stack: &Range<usize>| (upper(stack.start)..=upper(stack.end)).contains(&upper(word));
    if here.contains(&x) && there.contains(&y) {
        Some(u64::MAX)
    } else if x as u32 == y as u32 && is_upper(x, &here) && is_upper(y, &there) {
        Some(UPPER)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_on_the_stack_is_stale() {
        let (here, there) = (0x7ffc_1000_0000..0x7ffc_1002_0000, 0x7fff_9000_0000..0x7fff_9002_0000);
        for (x, y, bits) in [
            (0x7ffc_1000_1234, 0x7fff_9000_1234, Some(u64::MAX)),
            // A number was written over the lower half.
            (0x7ffc_002b_d200, 0x7fff_002b_d200, Some(0xffff_ffff_0000_0000)),
            (0x7ffc_002b_d200, 0x7fff_002b_d201, None),
            (0x7ffc_1000_1234, 0x7fff_a000_1234, None),
            (0x7ffd_002b_d200, 0x7fff_002b_d200, None),
            (0x5555_1000_1234, 0x5556_1000_1234, None),
        ] {
            assert_eq!(stale_bits((x, y), here.clone(), there.clone()), bits, "{x:x} {y:x}");
        }
    }
}
