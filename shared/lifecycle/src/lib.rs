//! Creates and changes records, for all functions.
//!
//! [`UploadCreator`] and [`Transitions::create_incoming`] create records. [`Transitions::apply`] loads a
//! record, steps the domain's state machine, and commits the result; [`Transitions::run_effects`] then runs
//! the effects. `domain` makes the decisions and `aws` the requests; this crate orders them.
//!
//! Invariant: no other crate commits a record, and none creates one.

mod create;
mod effects;
mod transitions;

pub use create::{Creation, NewIncoming, NewUpload, UploadCreator};
pub use transitions::{Applied, Transitions};
