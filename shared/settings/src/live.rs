//! The stream of server-sent events on AWS.

use std::time::Duration;

use crate::declare::subject;
use crate::parse;

subject! {
    /// The stream of server-sent events on AWS.
    pub struct LiveStreamSettings: "Server-sent events on AWS" {
        /// A stream ends after this time, and the client reconnects.
        longest_stream: Duration = defaulted "LIVE_STREAM_SECONDS" {
            default: "300",
            unit: "seconds",
            allowed: "a whole number of seconds",
            parse: parse::seconds,
        }
        /// How many scans run concurrently, for estimates of waiting time.
        n_workers: u64 = defaulted "SCAN_CONCURRENCY" {
            default: "10",
            unit: "scans",
            allowed: "a whole number of scans",
            parameter: "ScanConcurrency",
            parse: parse::number,
        }
    }
}
