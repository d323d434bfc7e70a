//! Compares what each function's role allows with what the function asked of AWS.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::text;

/// Asserts that every observed call is allowed, and that every allowed call was observed.
pub(super) fn compare(calls: &Value) {
    /// Calls that are allowed but not observed here, with the reason why they must be allowed.
    const NOT_SEEN: [(&str, &str, &str); 13] = [
        ("NotifyFunction", "sqs:ReceiveMessage", "SQS's event source does it in the function's name"),
        ("NotifyFunction", "sqs:DeleteMessage", "SQS's event source does it in the function's name"),
        ("NotifyFunction", "sqs:GetQueueAttributes", "SQS's event source does it in the function's name"),
        ("ScanFunction", "sqs:ReceiveMessage", "SQS's event source does it in the function's name"),
        ("ScanFunction", "sqs:DeleteMessage", "SQS's event source does it in the function's name"),
        ("ScanFunction", "sqs:GetQueueAttributes", "SQS's event source does it in the function's name"),
        ("ScanFunction", "sqs:ChangeMessageVisibility", "only after a scan that failed"),
        ("ScanFunction", "dynamodb:ConditionCheckItem table", "only for bytes that an operator has released"),
        ("ScanFunction", "s3:ListBucket definitions", "else S3 answers 403 for what is not there"),
        ("ScanFunction", "s3:ListBucket protected", "else S3 answers 403 for what is not there"),
        ("DefinitionsFunction", "s3:ListBucket definitions", "else S3 answers 403 for what is not there"),
        ("SweepFunction", "dynamodb:DeleteItem table", "only for a scan on demand that was interrupted"),
        ("SweepFunction", "s3:ListBucket uploads", "else S3 answers 403 for what is not there"),
    ];
    let set = |value: &Value| -> BTreeSet<String> { value.as_array().unwrap().iter().map(text).collect() };
    let mut wrong = vec![];
    for (function, calls) in calls.as_object().unwrap() {
        let (called, allowed) = (set(&calls["called"]), set(&calls["allowed"]));
        assert!(!called.is_empty(), "{function} did nothing");
        wrong.extend(called.difference(&allowed).map(|action| format!("{function} may not {action}")));
        let is_excused = |action: &&String| {
            NOT_SEEN.iter().any(|(excused, its, _)| excused == function && its == &action.as_str())
        };
        wrong.extend(
            allowed
                .difference(&called)
                .filter(|action| !is_excused(action))
                .map(|action| format!("{function} never does {action}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
