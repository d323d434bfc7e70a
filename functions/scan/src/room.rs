//! Recognises a scan that ran out of temporary space, which says nothing about the file and costs it no
//! attempt.

use std::error::Error;
use std::io::{self, ErrorKind};

use clamd::EngineError;
use inspector::InspectorError;

/// Whether `error`, or one of its causes, is a file system that is full, or too full for a scan.
pub(crate) fn is_exhausted(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(|cause| {
        let is_too_little = matches!(cause.downcast_ref(), Some(EngineError::NoSpace { .. }));
        let is_full =
            |error: &io::Error| matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let is_inspectors =
            cause.downcast_ref().is_some_and(|error: &InspectorError| error.is_storage_full());
        is_too_little || is_inspectors || cause.downcast_ref().is_some_and(is_full)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::SpoolError;

    #[test]
    fn a_full_disk_is_found_wherever_it_shows() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        assert!(is_exhausted(&full()));
        assert!(is_exhausted(&SpoolError::Disk(full())));
        assert!(is_exhausted(&EngineError::TemporaryDirectory(full())));
        assert!(is_exhausted(&io::Error::other(SpoolError::Disk(full()))));
        assert!(is_exhausted(&EngineError::NoSpace { free_bytes: 1, needed_bytes: 2 }));
        let of_gate = |is_full| InspectorError::Storage { message: String::new(), is_full };
        assert!(is_exhausted(&of_gate(true)) && !is_exhausted(&of_gate(false)));
        for other in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::UnexpectedEof] {
            assert!(!is_exhausted(&SpoolError::Disk(other.into())), "{other}");
        }
        assert!(!is_exhausted(&EngineError::Busy));
    }
}
