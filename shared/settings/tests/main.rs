//! What the settings promise: values, errors, secrets, and documentation that is current.

mod checks;
mod documents;
mod secrets;
mod variables;
