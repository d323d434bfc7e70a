//! The stand-ins' clock and random ids.

use std::time::SystemTime;

/// Milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the stand-ins keep their own time, as AWS does")]
pub(crate) fn now_millis() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// A new id, as random as AWS's.
#[expect(clippy::disallowed_methods, reason = "the stand-ins draw their own ids, as AWS does")]
pub(crate) fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
