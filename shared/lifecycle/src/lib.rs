//! How records are made and changed: the one way for every function.
//!
//! [`UploadCreator`] and [`Transitions::create_incoming`] make records. [`Transitions::apply`] loads one, asks the domain's state machine, and commits what it says;
//! [`Transitions::run_effects`] then does what the change asks for. Policies are the domain's, requests are `aws`'s; what is
//! here is their order.
//!
//! Invariant: no other crate commits a record, and none creates one.

mod create;
mod effects;
mod transitions;

pub use create::{Creation, NewIncoming, NewUpload, UploadCreator};
pub use transitions::{Applied, Transitions};
