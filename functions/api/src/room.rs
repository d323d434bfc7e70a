//! Refuses uploads where objects are kept on this machine's disk, before there is no room for them.
//!
//! Room is what is free, less what scans need. Pending uploads have no claim to it: announcing costs a client nothing, so claims would let one
//! client keep all others out. What is announced and does not fit when it arrives, storage itself refuses.

use std::sync::Arc;

use web::ApiError;

/// Asks the disk, where there is one that can fill up.
#[derive(Clone)]
pub struct Disk(pub Arc<dyn Fn() -> DiskSpace + Send + Sync>);

/// What a [`Disk`] says, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    pub free_bytes: u64,
    /// What scans may need.
    pub needed_bytes: u64,
    /// Whether uploaded objects are kept there, too.
    pub keeps_objects: bool,
}

impl DiskSpace {
    /// Refuses an upload of `n_bytes` that would leave too little for scans.
    pub(crate) fn check(self, n_bytes: u64) -> Result<(), ApiError> {
        let has_room = n_bytes.saturating_add(self.needed_bytes) <= self.free_bytes;
        if has_room || !self.keeps_objects { Ok(()) } else { Err(ApiError::StorageFull) }
    }
}

impl Disk {
    pub(crate) fn space(&self) -> DiskSpace {
        (self.0)()
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Disk")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_leaves_what_scans_need() {
        let space = DiskSpace { free_bytes: 1000, needed_bytes: 400, keeps_objects: true };
        assert!(space.check(0).is_ok() && space.check(600).is_ok());
        assert!(space.check(601).is_err() && space.check(u64::MAX).is_err());
        assert!(DiskSpace { needed_bytes: 1001, ..space }.check(0).is_err());
        assert!(DiskSpace { keeps_objects: false, ..space }.check(u64::MAX).is_ok());
    }
}
