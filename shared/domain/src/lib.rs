//! The rules that make Airlock's promises hold, as values and pure functions.
//!
//! Nothing here waits, draws random numbers, or reads a clock, the environment, a file or the network: time
//! and new ids are arguments. Every promise can therefore be tested by calling a function.
//!
//! Invariant: a download is presigned only with a [`access::DownloadGrant`], and only [`access::grant`] makes
//! one. An operator's sample is read only with a [`sample::SampleGrant`], and only [`sample::sample`] makes
//! one.
//! Invariant: only [`verdict::judge`] makes [`verdict::Verdict::Clean`], and only from evidence that is
//! whole.
//! Invariant: a record changes only by [`machine::step`].

pub mod access;
pub mod cached_verdict;
pub mod content_encoding;
pub mod content_type;
pub mod delivery;
pub mod file_name;
mod finding;
pub mod freshness;
pub mod history;
pub mod id;
pub mod incoming;
mod lease;
pub mod machine;
pub mod parts;
pub mod password;
pub mod place;
pub mod post_verdict;
pub mod protected;
pub mod reason;
pub mod record;
pub mod sample;
pub mod statistics;
mod status;
pub mod tag;
pub mod timestamp;
pub mod upload;
pub mod usage;
pub mod verdict;
