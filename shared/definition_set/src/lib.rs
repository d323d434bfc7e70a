//! Distributes virus definitions from the function that fetches them to the scanners: signed, whole and
//! current.
//!
//! The publisher writes files under their digests, then a signed manifest that names exactly those files,
//! then flips a pointer. A scanner accepts a set only through [`open`] and [`install()`]: signature, format,
//! expiry, serial number, exact files, sizes and digests must all hold. These are the attacks that TUF lists
//! (arbitrary files, rollback, freeze, mix-and-match, endless data); the rest of TUF, its roles and
//! thresholds, is not needed for one publisher.
//!
//! Invariant: nothing is read from a set before its manifest's signature is verified.
//! Invariant: the files of a refused set are removed; the previous set stays unchanged.

mod install;
mod manifest;
mod publish;
mod seed;
mod signature;

pub use install::{InstallError, directory_of, install};
pub use manifest::{DatabaseName, DatabaseNameError, Manifest, ManifestError, SetFile, SetSnapshot, open};
pub use publish::{Draft, PublishError, Sources, describe_files, describe_snapshot, publish};
pub use seed::{Seed, SeedError};
pub use signature::{PublicKey, SigningKey};
