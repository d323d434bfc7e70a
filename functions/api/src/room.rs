//! Refuses uploads for which the disk lacks the space, if objects are kept on this machine's disk.
//!
//! The room for uploads is the free space less what scans need. Pending uploads reserve none: announcing
//! costs a client nothing, so with reservations one client could block all others. Storage itself refuses an
//! announced upload that does not fit when it arrives.

use std::sync::Arc;

use web::ApiError;

/// Measures the space on the disk that objects or scans use.
#[derive(Clone)]
pub struct Disk(pub Arc<dyn Fn() -> DiskSpace + Send + Sync>);

/// The space on a [`Disk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    pub free_bytes: u64,
    /// The bytes that scans may need.
    pub needed_bytes: u64,
    /// Whether uploaded objects are kept on this disk, too.
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
