//! LOCAL ONLY: S3, DynamoDB, SQS and Lambda's event source mapping on one machine, over their real wire protocols.
//!
//! Invariant: no function depends on this crate (tests/tidy.rs).
//! Where these differ from AWS is written down in docs/semantics.md; what they do not implement they refuse.

mod clock;
mod database;
pub mod dynamodb;
pub mod pump;
pub mod queue;
pub mod room;
pub mod s3;
pub mod sqs;

pub use database::StandinError;
