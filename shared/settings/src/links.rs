//! Download links, and the web origins that may use the API.

use std::time::Duration;

use crate::declare::subject;
use crate::parse;
use crate::secret::SecretText;

subject! {
    /// Download links, and the key that signs them.
    pub struct LinkSettings: "Links and origins" {
        /// How long a link is valid. The storage URL that it redirects to is valid for a minute.
        link_ttl: Duration = defaulted "DOWNLOAD_LINK_EXPIRE_HOURS" {
            default: "24",
            unit: "hours",
            allowed: "a whole number of hours",
            parameter: "DownloadLinkExpireHours",
            parse: parse::hours,
        }
        /// Signs links and cursors.
        secret_key: Option<SecretText> = optional "SECRET_KEY" {
            secret: true,
            default: "generated on the first start",
            allowed: "text of at least 32 bytes",
            parse: parse::key,
        }
        /// On AWS: the secret in Secrets Manager that holds this key. Takes precedence over `SECRET_KEY`.
        secret_key_arn: Option<String> = optional "SECRET_KEY_ARN" {
            default: "`SECRET_KEY` is used",
            allowed: "an ARN",
            parse: parse::text,
        }
    }
}

subject! {
    /// Web origins that may use the API.
    pub struct OriginSettings: "Links and origins" {
        /// Other web origins that may call the API and upload, separated by commas.
        allowed_origins: Vec<String> = defaulted "ALLOWED_ORIGINS" {
            default: "",
            allowed: "exact origins such as `https://app.example.com`; `*` is not one",
            parameter: "AllowedOrigins",
            parse: parse::origins,
        }
    }
}
