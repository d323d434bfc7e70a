//! LOCAL ONLY: S3, DynamoDB, SQS and Lambda's event source mapping on one machine, over their real wire
//! protocols.
//!
//! Only S3 has a port, because browsers upload to it, and it verifies every signature. The other two verify
//! none, so they have no port and no socket: [`InProcess`] passes the requests of the AWS SDK's clients to
//! them.
//!
//! Invariant: no function depends on this crate (tests/tidy.rs).
//! docs/semantics.md lists the differences from AWS; operations that are not implemented are refused.

mod clock;
mod database;
mod database_thread;
pub mod dynamodb;
mod in_process;
pub mod pump;
pub mod queue;
pub mod room;
pub mod s3;
pub mod sqs;

pub use database::StandinError;
pub use in_process::InProcess;
