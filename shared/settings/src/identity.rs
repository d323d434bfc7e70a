//! How user tokens are verified.

use crate::declare::subject;
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::parse;
use crate::secret::SecretText;

subject! {
    /// The variables about user tokens, before [`IdentitySettings`] checks that they fit each other.
    pub struct TokenSettings: "User tokens" {
        /// The `iss` that a token must have. Needed with `--auth jwt` and on AWS.
        issuer: String = required "JWT_ISSUER" {
            allowed: "text",
            parameter: "JwtIssuer",
            parse: parse::text,
        }
        /// The `aud` that a token must have. Needed with `--auth jwt` and on AWS.
        audience: String = required "JWT_AUDIENCE" {
            allowed: "text",
            parameter: "JwtAudience",
            parse: parse::text,
        }
        /// Where the issuer publishes its key set. Exactly one of `JWKS_URL` and `JWT_SECRET` must be set.
        jwks_url: Option<String> = optional "JWKS_URL" {
            default: "`JWT_SECRET` is used",
            allowed: "an https URL, or an http URL of a loopback address",
            parameter: "JwksUrl",
            parse: parse::text,
        }
        /// The shared secret of HS256 tokens.
        secret: Option<SecretText> = optional "JWT_SECRET" {
            secret: true,
            default: "`JWKS_URL` is used",
            allowed: "text of at least 32 bytes",
            parse: parse::key,
        }
    }
}

/// The required claims of user tokens, and the keys that verify them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySettings {
    pub issuer: String,
    pub audience: String,
    pub keys: IdentityKeys,
}

/// Where the keys for user tokens come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityKeys {
    /// A shared secret.
    Secret(SecretText),
    /// The URL of a key set.
    Jwks(String),
}

impl IdentitySettings {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        let TokenSettings { issuer, audience, jwks_url, secret } = TokenSettings::read(env)?;
        let keys = match (jwks_url, secret) {
            (Some(url), None) => IdentityKeys::Jwks(url),
            (None, Some(secret)) => IdentityKeys::Secret(secret),
            _ => {
                let message = "set exactly one of `JWKS_URL` and `JWT_SECRET`";
                return Err(ConfigError::Unsafe(message.to_owned()));
            }
        };
        Ok(Self { issuer, audience, keys })
    }
}
