//! All functions on one machine: the same routers and handlers, on stand-ins that speak the real protocols.
//!
//! One process, one data directory, no account and no network. Killing it at any moment loses nothing that
//! was acknowledged: objects, events and records are flushed first, and work in flight is found again.
#![doc = ""]
#![doc = include_str!("../../../docs/architecture.md")]

mod backend;
pub mod cli;
mod data_dir;
mod definitions;
mod disk;
mod http_functions;
mod linger;
mod memory;
mod options;
mod page;
mod plan;
mod premises;
mod public_urls;
mod report;
mod scanning;
mod server;
mod service;
mod snapshot;
mod storage;
mod storage_host;
mod supervisor;
mod tasks;

pub use definitions::{Source as DefinitionsSource, update_definitions};
pub use options::{LocalOptions, Tuning};
pub use report::StartReport;
pub use server::Connections;
pub use service::Local;
pub use settings::{Auth, PublicUrl};
