//! The routes for operators.

pub(crate) mod dead_letters;
pub(crate) mod metrics;
pub(crate) mod release;
pub(crate) mod releases;
pub(crate) mod sample_zip;
pub(crate) mod samples;
pub(crate) mod stats;
pub(crate) mod webhooks;
