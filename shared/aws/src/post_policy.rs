//! Signs POST policies for uploads by a browser's form, which the SDK cannot sign.
//!
//! Format and string to sign: AWS, "Authenticating Requests: Browser-Based Uploads Using POST (AWS Signature
//! Version 4)". `aws-sigv4` computes the HMAC chain.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::timestamp::Timestamp;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

/// The conditions that an uploaded form must meet.
#[derive(Clone, Debug)]
pub struct PostPolicy<'a> {
    pub bucket: &'a str,
    /// Form fields with their exact values; each becomes a condition.
    pub fields: BTreeMap<String, String>,
    /// The smallest and largest body, in bytes.
    pub length_range: (u64, u64),
    pub expires_at: Timestamp,
}

impl PostPolicy<'_> {
    /// Returns the form's fields except the file. A condition of the signed policy covers each of them.
    pub(crate) fn sign(
        &self,
        credentials: &Credentials,
        region: &str,
        now: Timestamp,
    ) -> BTreeMap<String, String> {
        let signed_at = crate::clock::system_time(now);
        let (date, moment) = (utc_date(now), utc_moment(now));
        let mut fields = self.fields.clone();
        let scope = format!("{}/{date}/{region}/s3/aws4_request", credentials.access_key_id());
        fields.insert("x-amz-algorithm".into(), "AWS4-HMAC-SHA256".into());
        fields.insert("x-amz-credential".into(), scope);
        fields.insert("x-amz-date".into(), moment);
        if let Some(token) = credentials.session_token() {
            fields.insert("x-amz-security-token".into(), token.to_owned());
        }
        let policy = STANDARD.encode(self.document(&fields).to_string());
        let signature = sign_policy(&policy, credentials.secret_access_key(), signed_at, region);
        fields.insert("policy".into(), policy);
        fields.insert("x-amz-signature".into(), signature);
        fields
    }

    fn document(&self, fields: &BTreeMap<String, String>) -> Value {
        let mut conditions = vec![json!({ "bucket": self.bucket })];
        conditions.extend(fields.iter().map(|(name, value)| json!(["eq", format!("${name}"), value])));
        conditions.push(json!(["content-length-range", self.length_range.0, self.length_range.1]));
        json!({ "expiration": self.expires_at.to_string(), "conditions": conditions })
    }
}

fn sign_policy(policy: &str, secret: &str, signed_at: SystemTime, region: &str) -> String {
    let key = generate_signing_key(secret, signed_at, region, "s3");
    calculate_signature(key, policy.as_bytes())
}

fn utc(moment: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(moment.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn utc_date(moment: Timestamp) -> String {
    utc(moment).format(format_description!("[year][month][day]")).unwrap_or_default()
}

fn utc_moment(moment: Timestamp) -> String {
    utc(moment).format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of AWS's published example ("Examples: Browser-Based Upload using HTTP POST"), to the byte.
    const AWS_POLICY: &str = "{ \"expiration\": \"2015-12-30T12:00:00.000Z\",\r\n  \
        \"conditions\": [\r\n    \
        {\"bucket\": \"sigv4examplebucket\"},\r\n    \
        [\"starts-with\", \"$key\", \"user/user1/\"],\r\n    \
        {\"acl\": \"public-read\"},\r\n    \
        {\"success_action_redirect\": \
        \"http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html\"},\r\n    \
        [\"starts-with\", \"$Content-Type\", \"image/\"],\r\n    \
        {\"x-amz-meta-uuid\": \"14365123651274\"},\r\n    \
        {\"x-amz-server-side-encryption\": \"AES256\"},\r\n    \
        [\"starts-with\", \"$x-amz-meta-tag\", \"\"],\r\n\
        \r\n    \
        {\"x-amz-credential\": \"AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request\"},\r\n    \
        {\"x-amz-algorithm\": \"AWS4-HMAC-SHA256\"},\r\n    \
        {\"x-amz-date\": \"20151229T000000Z\" }\r\n  \
        ]\r\n\
        }";
    const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    #[test]
    fn the_published_example_is_reproduced() {
        let signed_at = Timestamp::parse_rfc3339("2015-12-29T00:00:00Z").unwrap();
        let policy = STANDARD.encode(AWS_POLICY);
        let signature = sign_policy(&policy, AWS_SECRET, crate::clock::system_time(signed_at), "us-east-1");
        assert_eq!(signature, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
    }

    #[test]
    fn every_field_is_a_condition() {
        let now = Timestamp::parse_rfc3339("2026-01-02T03:04:05Z").unwrap();
        let credentials = Credentials::new("AKID", "secret", Some("token".into()), None, "test");
        let policy = PostPolicy {
            bucket: "b",
            fields: BTreeMap::from([
                ("key".into(), "uploads/x".into()),
                ("content-type".into(), "text/plain".into()),
            ]),
            length_range: (1, 10),
            expires_at: now,
        };
        let fields = policy.sign(&credentials, "eu-west-1", now);
        let document = String::from_utf8(STANDARD.decode(&fields["policy"]).unwrap()).unwrap();
        for (name, value) in &fields {
            let is_condition = document.contains(&json!(["eq", format!("${name}"), value]).to_string());
            assert_eq!(is_condition, !matches!(name.as_str(), "policy" | "x-amz-signature"), "{name}");
        }
        assert!(document.contains("[\"content-length-range\",1,10]"));
        assert_eq!(fields["x-amz-date"], "20260102T030405Z");
    }
}
