//! Where events are delivered.

use crate::declare::subject;
use crate::parse;
use crate::secret::SecretText;

/// What EventBridge rules match verdicts by. The `detail` is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventProfile {
    Airlock,
    /// As GuardDuty Malware Protection for S3 publishes its results.
    GuardDuty,
}

subject! {
    /// Where events are delivered. Without a bus and without webhooks, none are published.
    pub struct EventSettings: "Events" {
        /// The EventBridge bus that receives events.
        event_bus: Option<String> = optional "EVENT_BUS_NAME" {
            default: "none",
            allowed: "the name of a bus",
            parameter: "EventBusName",
            parse: parse::text,
        }
        /// The `detail-type` of verdicts on the bus: Airlock's own, or that of GuardDuty's scan results.
        profile: EventProfile = defaulted "EVENT_PROFILE" {
            default: "airlock",
            allowed: "`airlock` or `guardduty`",
            parameter: "EventProfile",
            parse: profile,
        }
        /// Webhook endpoints, separated by spaces. A URL may hold a secret, so none is ever printed.
        webhook_urls: Vec<SecretText> = defaulted "WEBHOOK_URLS" {
            secret: true,
            default: "",
            allowed: "https URLs on port 443 at public addresses",
            parameter: "WebhookUrls",
            parse: parse::secret_words,
        }
        /// Signs webhooks. Several, separated by spaces, sign together during a rotation; the new one first.
        webhook_secrets: Vec<SecretText> = defaulted "WEBHOOK_SECRET" {
            secret: true,
            default: "",
            allowed: "`whsec_` and base64, or text of at least 24 bytes",
            parse: parse::secret_words,
        }
        /// On AWS: the secret in Secrets Manager that holds it. Takes precedence over `WEBHOOK_SECRET`.
        webhook_secret_arn: Option<String> = optional "WEBHOOK_SECRET_ARN" {
            default: "`WEBHOOK_SECRET` is used",
            allowed: "an ARN",
            parse: parse::text,
        }
        /// On one machine: endpoints that may be private and without TLS, separated by spaces.
        private_hosts: Vec<String> = defaulted "WEBHOOK_PRIVATE_HOSTS" {
            default: "",
            allowed: "pairs such as `host:port`",
            parse: parse::words,
        }
    }
}

impl EventSettings {
    /// Whether events have a receiver.
    pub fn has_receivers(&self) -> bool {
        self.event_bus.is_some() || !self.webhook_urls.is_empty()
    }
}

fn profile(value: &str) -> Option<EventProfile> {
    match value {
        "airlock" => Some(EventProfile::Airlock),
        "guardduty" => Some(EventProfile::GuardDuty),
        _ => None,
    }
}
