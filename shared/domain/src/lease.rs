//! A scanner's lease on a file.

use serde::{Deserialize, Serialize};

use crate::id::ScanId;
use crate::timestamp::Timestamp;

/// The scanner that may write the verdict, and until when no other may try.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub holder: ScanId,
    /// Which attempt this is, from 1: the fencing token.
    pub epoch: u32,
    pub until: Timestamp,
}
