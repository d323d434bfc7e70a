//! Unwraps a file's forks from MacBinary, AppleSingle, AppleDouble and PackIt. Neither the engine nor an
//! opener does.
//!
//! Each is read from the start of a blob. Forks are stored as they are, so they are handed wherever a header
//! may be one: nothing is refused that only looks like it. Whatever is compressed or encrypted in them is
//! recognised, and refused.

mod apple_single;
mod mac_binary;
mod pack_it;

use crate::blob::Blob;
use crate::walk::{Walk, Walked};

pub(crate) fn walk(walk: &mut Walk<'_>, blob: &Blob, depth: u32) -> Walked {
    mac_binary::walk(walk, blob, depth)?;
    apple_single::walk(walk, blob, depth)?;
    pack_it::walk(walk, blob, depth)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::walk::Stop;
    use crate::{Capabilities, Gate, Limits};

    pub(crate) type Walker = fn(&mut Walk<'_>, &Blob, u32) -> Walked;

    pub(crate) fn walked(walker: Walker, bytes: &[u8]) -> (Walked, Vec<Vec<u8>>) {
        let limits =
            Limits { max_member_bytes: 1 << 20, max_total_bytes: 1 << 20, max_members: 100, max_depth: 9 };
        let gate = Gate { limits, capabilities: Capabilities::default() };
        let mut walk = Walk::new(&gate, Scratch::new(tempfile::tempfile().unwrap()), vec![]);
        let end = walker(&mut walk, &Blob::from_bytes(bytes.to_vec()), 0);
        let handed = walk.into_handed().into_iter().map(|blob| blob.bytes_at(0, 1 << 20).unwrap());
        (end, handed.collect())
    }

    /// What is handed to the engine.
    pub(crate) fn handed(walker: Walker, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (end, handed) = walked(walker, bytes);
        end.unwrap();
        handed
    }

    pub(crate) fn is_refused(walker: Walker, bytes: &[u8]) -> bool {
        matches!(walked(walker, bytes).0, Err(Stop::Refused(_)))
    }
}
