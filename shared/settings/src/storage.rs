//! Where objects, records and messages are.

use domain::incoming::IncomingRules;
use domain::protected::ProtectedBuckets;
use domain::tag::TagProfile;

use crate::declare::{Presence, Subject, Variable, subject};
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::incoming;
use crate::parse;
use crate::protected;
use crate::verdicts::TagSettings;

/// Where the service on one machine keeps objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StorageKind {
    /// In the data directory.
    Local,
    /// In a bucket at AWS or at an S3-compatible store.
    S3,
}

subject! {
    /// Where the service on one machine keeps objects.
    pub struct StorageSettings: "Storage" {
        /// `local`: in the data directory. `s3`: in the bucket `S3_BUCKET_NAME`, which must keep versions.
        kind: StorageKind = defaulted "STORAGE_TYPE" {
            default: "local",
            allowed: "`local` or `s3`",
            parse: storage_kind,
        }
    }
}

subject! {
    /// The bucket of uploads.
    pub struct BucketSettings: "Storage" {
        /// The bucket of uploads. Needed with `STORAGE_TYPE=s3` and on AWS.
        name: Option<String> = optional "S3_BUCKET_NAME" {
            default: "none",
            allowed: "the name of a bucket that keeps versions",
            parse: parse::text,
        }
    }
}

subject! {
    /// The table and the queues of a deployment on AWS.
    pub struct DeploymentSettings: "Table and queues on AWS" {
        /// The DynamoDB table of records.
        table: String = required "AIRLOCK_TABLE" {
            allowed: "the name of a table",
            parse: parse::text,
        }
        /// The queue of scan requests. The API, the sweep and the scan function need it.
        scan_queue_url: Option<String> = optional "AIRLOCK_SCAN_QUEUE_URL" {
            default: "the function requests no scans",
            allowed: "the URL of a queue",
            parse: parse::text,
        }
        /// The queue of events to publish.
        event_queue_url: Option<String> = optional "AIRLOCK_EVENT_QUEUE_URL" {
            default: "no events are published",
            allowed: "the URL of a queue",
            parse: parse::text,
        }
    }
}

subject! {
    /// The queue of scan requests that failed repeatedly.
    pub struct DeadLetterSettings: "Table and queues on AWS" {
        /// The dead-letter queue of scan requests, for operators.
        url: Option<String> = optional "AIRLOCK_DEAD_LETTERS_URL" {
            default: "dead letters cannot be listed",
            allowed: "the URL of a queue",
            parse: parse::text,
        }
    }
}

fn storage_kind(value: &str) -> Option<StorageKind> {
    match value {
        "local" => Some(StorageKind::Local),
        "s3" => Some(StorageKind::S3),
        _ => None,
    }
}

impl BucketSettings {
    /// The bucket's name; an error if it is not set.
    pub fn required(self) -> Result<String, ConfigError> {
        self.name.ok_or(ConfigError::Missing("S3_BUCKET_NAME"))
    }
}

/// The stores of a deployment on AWS, and the rules that go with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// The bucket of uploads.
    pub bucket: String,
    /// The table and the queues.
    pub deployment: DeploymentSettings,
    /// The tag that shows a verdict on the object.
    pub tags: TagProfile,
    /// Ownership rules for objects uploaded outside the API; `None` if disabled.
    pub incoming: Option<IncomingRules>,
    /// The buckets of other applications whose objects are judged.
    pub protected: ProtectedBuckets,
}

impl StoreSettings {
    pub fn read(env: &Environment) -> Result<Self, ConfigError> {
        let bucket = BucketSettings::read(env)?.required()?;
        Ok(Self {
            protected: protected::buckets(env, &bucket)?,
            bucket,
            deployment: DeploymentSettings::read(env)?,
            tags: TagSettings::read(env)?.profile,
            incoming: incoming::rules(env)?,
        })
    }

    /// Checks that the scan queue is set, for functions that request scans.
    pub fn require_scan_queue(&self) -> Result<(), ConfigError> {
        match self.deployment.scan_queue_url {
            Some(_) => Ok(()),
            None => Err(ConfigError::Missing("AIRLOCK_SCAN_QUEUE_URL")),
        }
    }

    /// Whether events have receivers in this deployment.
    pub fn publishes(&self) -> bool {
        self.deployment.event_queue_url.is_some()
    }
}

/// A variable that is read by other code: the AWS SDK, or the client's argument parser.
const fn foreign(name: &'static str, absence: &'static str, about: &'static str) -> Variable {
    Variable {
        name,
        presence: Presence::Optional(absence),
        unit: "",
        allowed: "text",
        parameter: "",
        about,
        is_secret: false,
    }
}

/// The variables that the AWS SDK reads: the bucket's address and its credentials.
pub const AWS: Subject = Subject {
    title: "Storage",
    variables: &[
        foreign(
            "AWS_REGION",
            "as the AWS SDK finds it",
            "The region. Read by the AWS SDK, as all `AWS_*` variables are.",
        ),
        foreign("AWS_ENDPOINT_URL_S3", "AWS", "The URL of an S3-compatible store."),
        foreign("AWS_ACCESS_KEY_ID", "as the AWS SDK finds it", "The id of the access key."),
        Variable {
            is_secret: true,
            ..foreign("AWS_SECRET_ACCESS_KEY", "as the AWS SDK finds it", "The secret of the access key.")
        },
    ],
};

/// The variables that the command-line client reads. A service on the same machine accepts these names.
pub const CLIENT: Subject = Subject {
    title: "The command-line client",
    variables: &[
        foreign("AIRLOCK_URL", "`http://127.0.0.1:8000`", "The service that the client calls."),
        Variable { is_secret: true, ..foreign("AIRLOCK_TOKEN", "none", "The client's bearer token.") },
    ],
};
