//! Reads the clock and generates ids. Entry points call it once per event and pass the results on as
//! arguments.

use std::time::{Duration, SystemTime};

use domain::timestamp::Timestamp;
use uuid::Uuid;

/// Returns the current time.
#[expect(clippy::disallowed_methods, reason = "the one place where the clock is read")]
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Returns the time until an invocation's deadline, which is in milliseconds since 1970.
pub fn time_left(deadline_millis: u64) -> Duration {
    let now_millis = u64::try_from(now().as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(deadline_millis.saturating_sub(now_millis))
}

/// Converts a timestamp to the SDK's type.
pub(crate) fn system_time(moment: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + moment.since(Timestamp::from_millis(0))
}

/// Generates a random UUID.
#[expect(clippy::disallowed_methods, reason = "the one place where ids are generated")]
pub fn random_uuid() -> Uuid {
    Uuid::new_v4()
}
