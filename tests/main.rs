//! The promises, each in its own file, kept by the whole service on real parts: ClamAV, the AWS SDK, real protocols.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod bad_input;
mod clients;
mod command_line;
mod conformance;
mod crash;
mod definitions;
mod deploy;
mod direct_upload;
mod downloads;
mod engine_chaos;
mod engine_faults;
mod equality;
mod events;
mod form_upload;
mod hostile;
mod identity;
mod incoming;
mod lambda;
mod layer;
mod lifecycle;
mod live;
mod multipart;
mod openapi;
mod operators;
mod ordinary;
mod original_calls;
mod outbox;
mod overwrite;
mod packages;
mod quarantine;
mod quotas;
mod readers;
mod reasons;
mod recall;
mod remote_bucket;
mod rescans;
mod schemathesis;
mod secrets;
mod snapshots;
mod start;
mod support;
mod tidy;
mod webhooks;
