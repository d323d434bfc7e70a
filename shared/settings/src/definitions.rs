//! Virus definitions: their maximum age, their publication, and the key that scanners trust.

use std::path::PathBuf;
use std::time::Duration;

use domain::freshness::FreshnessPolicy;

use crate::declare::subject;
use crate::parse;

subject! {
    /// How old virus definitions may be.
    pub struct FreshnessSettings: "Virus definitions" {
        /// With older definitions, files become `unscannable`.
        max_age: Duration = defaulted "DEFINITIONS_MAX_AGE_DAYS" {
            default: "7",
            unit: "days",
            allowed: "a whole number of days",
            parameter: "DefinitionsMaxAgeDays",
            parse: parse::days,
        }
    }
}

impl FreshnessSettings {
    pub fn policy(&self) -> FreshnessPolicy {
        FreshnessPolicy { max_age: self.max_age, ..FreshnessPolicy::default() }
    }
}

subject! {
    /// Where published definitions are.
    pub struct DefinitionBucketSettings: "Published definitions on AWS" {
        /// The bucket of the published definition sets.
        bucket: String = required "AIRLOCK_DEFINITIONS_BUCKET" {
            allowed: "the name of a bucket",
            parse: parse::text,
        }
    }
}

subject! {
    /// The publisher whose definitions scanners accept.
    pub struct DefinitionTrustSettings: "Published definitions on AWS" {
        /// The publisher's Ed25519 key. Scanners accept definition sets signed with it and no others.
        public_key: [u8; 32] = required "AIRLOCK_DEFINITIONS_PUBLIC_KEY" {
            allowed: "base64 of 32 bytes",
            parse: parse::public_key,
        }
    }
}

subject! {
    /// How definitions are fetched and signed.
    pub struct PublisherSettings: "Published definitions on AWS" {
        /// The secret in Secrets Manager that holds the signing key.
        signing_key_arn: String = required "AIRLOCK_SIGNING_KEY_ARN" {
            allowed: "an ARN",
            parse: parse::text,
        }
        /// The program that fetches definitions.
        freshclam: PathBuf = defaulted "AIRLOCK_FRESHCLAM" {
            default: "/opt/bin/freshclam",
            allowed: "a path",
            parse: parse::path,
        }
        /// A private ClamAV mirror.
        mirror: Option<String> = optional "DEFINITIONS_MIRROR" {
            default: "the official mirror",
            allowed: "a URL",
            parameter: "DefinitionsMirror",
            parse: parse::text,
        }
    }
}
