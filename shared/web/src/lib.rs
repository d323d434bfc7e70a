//! Shared by the HTTP functions: errors, identities, tokens, and the rules for loopback services.

mod cors;
mod error;
mod error_code;
mod extract;
mod identity;
mod jwks;
mod link_key;
mod loopback;
mod owned_file;
mod problem;
mod token;
pub mod view;

pub use cors::cors;
pub use error::ApiError;
pub use error_code::ErrorCode;
pub use extract::{Json, QueryString};
pub use identity::{Admin, Caller, Identity, Verifier};
pub use link_key::{LinkKey, LinkKeyError, renew_link_key};
pub use loopback::{LoopbackOnly, asked_host, is_loopback, loopback_only};
pub use owned_file::{FilePath, OwnedFile, WatchedFile};
pub use problem::{NoSuchFile, Problem, Refused, problems};
pub use token::{KeyLengthError, TokenSigner};
