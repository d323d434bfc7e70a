//! A scanner's lease on a file.

use serde::{Deserialize, Serialize};

use crate::id::ScanId;
use crate::timestamp::Timestamp;

/// The scanner that may write the verdict, and the time until which no other scanner may claim the file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub holder: ScanId,
    /// The number of the attempt, from 1; it serves as the fencing token.
    pub epoch: u32,
    pub until: Timestamp,
}
