//! What a backfill is of, and what the scan function would make of each of its versions.

use aws::events::{self, IgnoreReason, S3Event};
use aws::{Objects, StoredVersion, Stores};
use domain::id::FileId;

use super::left_out::LeftOut;
use super::plan::{Found, Job};

/// The bucket, and the rules by which its versions become files.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) objects: Objects,
    pub(crate) job: Job,
    /// The service's, as the scan function has them.
    pub(crate) stores: Stores,
}

impl Source {
    /// Puts a version where it belongs.
    pub(super) fn sort(&self, version: StoredVersion, found: &mut Found) {
        match self.why_left_out(&version) {
            Some(why) => found.leave_out(why, &version.key),
            None => found.planned.push(version),
        }
    }

    fn why_left_out(&self, version: &StoredVersion) -> Option<LeftOut> {
        if self.job.is_latest_only && !version.is_latest {
            return Some(LeftOut::NotLatest);
        }
        if self.job.since.is_some_and(|since| version.modified_at < since) {
            return Some(LeftOut::Older);
        }
        match self.read(version) {
            None => Some(LeftOut::Malformed),
            Some(S3Event::Stored { .. }) => Some(LeftOut::OwnUpload),
            Some(S3Event::Ignored(IgnoreReason::NoVersion)) => Some(LeftOut::NoVersion),
            Some(S3Event::Ignored(IgnoreReason::Sidecar)) => Some(LeftOut::Auxiliary),
            Some(S3Event::Ignored(IgnoreReason::NoOwner)) => Some(LeftOut::NoOwner),
            Some(S3Event::Ignored(_) | S3Event::Removed { .. }) => Some(LeftOut::NotProtected),
            Some(S3Event::Incoming { .. }) => version.is_archived.then_some(LeftOut::Archived),
        }
    }

    /// What the scan function makes of the version's event: it is asked here, and not repeated.
    fn read(&self, version: &StoredVersion) -> Option<S3Event> {
        let body = self.objects.stored_event(version);
        events::read_body(&body, &self.stores.event_rules()).ok()?.pop()
    }

    /// The file that the scan function makes of a planned version; `None` if its settings have changed since
    /// the plan was made.
    pub(crate) fn file_id(&self, version: &StoredVersion) -> Option<FileId> {
        self.read(version)?.file_id()
    }
}
