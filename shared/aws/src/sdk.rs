//! Configures the SDK's clients, once per process.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::HttpClient;

/// The configuration that all clients share, and S3's own endpoints.
#[derive(Clone, Debug)]
pub struct Sdk {
    pub(crate) shared: SdkConfig,
    pub(crate) s3: aws_sdk_s3::Config,
    /// The same, with the endpoint that browsers use.
    pub(crate) s3_public: aws_sdk_s3::Config,
}

/// S3's endpoints, if they are not AWS's own.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    pub s3: Option<String>,
    /// The endpoint for browsers, if it is a different one.
    pub s3_public: Option<String>,
}

/// Credentials that do not come from the environment: those of the stand-ins.
#[derive(Clone)]
pub struct StaticKeys {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl std::fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticKeys").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Sdk {
    /// Configures AWS from the environment: region, credentials, `AWS_ENDPOINT_URL*`.
    pub async fn from_environment() -> Self {
        Self::with_s3(loader().load().await, &Endpoints::default())
    }

    /// Configures the given S3 endpoints and region with the given keys.
    pub async fn at(endpoints: &Endpoints, keys: &StaticKeys, region: &str) -> Self {
        let credentials =
            Credentials::new(&keys.access_key_id, &keys.secret_access_key, None, None, "airlock-local");
        let shared =
            loader().credentials_provider(credentials).region(Region::new(region.to_owned())).load().await;
        Self::with_s3(shared, endpoints)
    }

    fn with_s3(shared: SdkConfig, endpoints: &Endpoints) -> Self {
        let at = |endpoint: Option<&String>| {
            let builder = aws_sdk_s3::config::Builder::from(&shared);
            match endpoint {
                Some(url) => builder.endpoint_url(url).force_path_style(true),
                None => builder,
            }
        };
        let s3 = at(endpoints.s3.as_ref()).build();
        let s3_public = at(endpoints.s3_public.as_ref().or(endpoints.s3.as_ref())).build();
        Self { shared, s3, s3_public }
    }

    pub(crate) fn credentials(&self) -> Option<SharedCredentialsProvider> {
        self.shared.credentials_provider()
    }

    pub(crate) fn region(&self) -> String {
        self.shared.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string)
    }

    pub(crate) fn event_bridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.shared)
    }

    /// A DynamoDB client for the environment's endpoint.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.shared)
    }

    /// A DynamoDB client that sends its requests to `http` instead of the network, for local mode. They are
    /// not signed, since nothing there verifies them.
    pub fn dynamodb_over(&self, http: impl HttpClient + 'static) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.unsigned());
        let config = config.allow_no_auth().http_client(http);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// An SQS client for the environment's endpoint.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.shared)
    }

    /// An SQS client that sends its requests to `http` instead of the network, for local mode; not signed
    /// either.
    pub fn sqs_over(&self, http: impl HttpClient + 'static) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.unsigned());
        let config = config.allow_no_auth().http_client(http);
        aws_sdk_sqs::Client::from_conf(config.build())
    }

    /// The configuration without credentials.
    fn unsigned(&self) -> SdkConfig {
        let mut builder = self.shared.to_builder();
        builder.set_credentials_provider(None);
        builder.build()
    }

    /// A Secrets Manager client.
    pub fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.shared)
    }
}

fn loader() -> aws_config::ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(20))
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
}
