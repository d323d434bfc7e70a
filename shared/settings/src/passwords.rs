//! The key that encrypts the passwords of files between upload and scan.

use crate::declare::subject;
use crate::parse;
use crate::secret::SecretText;

subject! {
    /// The key that encrypts the passwords of files on AWS. On one machine it comes from the data directory.
    pub struct PasswordSettings: "Passwords of files on AWS" {
        /// The secret in Secrets Manager that holds the key. Takes precedence over `PASSWORD_KEY`.
        key_arn: Option<String> = optional "PASSWORD_KEY_ARN" {
            default: "`PASSWORD_KEY` is used",
            allowed: "an ARN",
            parse: parse::text,
        }
        /// The key itself.
        key: Option<SecretText> = optional "PASSWORD_KEY" {
            secret: true,
            default: "passwords are not accepted",
            allowed: "text of at least 32 bytes",
            parse: parse::key,
        }
    }
}
