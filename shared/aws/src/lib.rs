//! Carries out the domain's decisions on AWS: objects in S3, records in DynamoDB, scan requests in SQS.
//!
//! The types wrap the SDK's own clients and are not traits: local mode points the clients at stand-ins that
//! speak the same wire protocols. This crate makes no decisions; every policy is an argument or a domain
//! value.
//!
//! Invariant: [`Objects::open_sample`] takes a [`domain::sample::SampleGrant`].
//! Invariant: [`Objects::presign_get`] takes a [`domain::access::DownloadGrant`].
//! Invariant: every write of the [`Ledger`] states its condition.

pub mod batch;
mod bucket_audit;
mod bucket_contents;
mod bucket_setup;
pub mod clock;
pub mod cost;
mod definition_bucket;
pub mod digest;
mod error;
mod event_bus;
mod event_queue;
pub mod events;
mod foreign;
mod item;
mod ledger;
mod listing;
pub mod log;
pub mod metrics;
mod multipart;
mod object_writer;
mod objects;
mod password_key;
mod post_policy;
mod presign;
mod queue;
mod sdk;
mod secrets;
mod stored_version;
mod stores;
mod tagging;

pub use bucket_contents::{ContentsMark, ContentsPage, Versioning};
pub use bucket_setup::Notifications;
pub use definition_bucket::{DefinitionBucket, Pointer};
pub use error::{StoreError, StoreErrorKind};
pub use event_bus::EventBus;
pub use event_queue::{EventQueue, EventTask};
pub use foreign::{ForeignObject, ObjectAddress};
pub use ledger::{
    Change, Changes, Committed, Created, DueFile, DueList, DueRecord, EndpointRecord, Heartbeat,
    IdempotencyKey, IncomingCursor, Ledger, Listing, NewFile, PageStart, RecordWatch, ReleaseEntry,
    ReleasePageStart, SamplePageStart,
};
pub use listing::ListedVersions;
pub use multipart::PartRequest;
pub use object_writer::ObjectWriter;
pub use objects::{Objects, OpenObject};
pub use password_key::{PasswordKey, PasswordKeyError};
pub use post_policy::PostPolicy;
pub use presign::{PresignedUpload, PutRequest};
pub use queue::{Backlog, DeadLetter, DeadLetters, MAX_BATCH, ScanQueue};
pub use sdk::{Endpoints, Sdk, StaticKeys};
pub use secrets::{Secret, SecretValues};
pub use stored_version::StoredVersion;
pub use stores::{Queues, Stores};
