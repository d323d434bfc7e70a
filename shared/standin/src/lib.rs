//! LOCAL ONLY: S3, DynamoDB, SQS and Lambda's event source mapping on one machine, over their real wire protocols.
//!
//! Only S3 has a port, because browsers upload to it, and it verifies every signature. The other two verify none, so they have no
//! port and no socket: [`InProcess`] hands them the requests of the AWS SDK's clients.
//!
//! Invariant: no function depends on this crate (tests/tidy.rs).
//! Where these differ from AWS is written down in docs/semantics.md; what they do not implement they refuse.

mod clock;
mod database;
pub mod dynamodb;
mod in_process;
pub mod pump;
pub mod queue;
pub mod room;
pub mod s3;
pub mod sqs;

pub use database::StandinError;
pub use in_process::InProcess;
