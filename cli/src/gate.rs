//! The bucket policy's statements by which only clean versions can be read: makes them, and finds them in a
//! policy.
//!
//! A statement counts only if it is known to deny. One with a condition that this module does not know may
//! deny less than it seems, and does not count.

pub(crate) mod arguments;

pub(crate) use domain::place::BucketPlace as Place;
use domain::record::Status;
use domain::tag::TagProfile;
use serde_json::{Value, json};

const READS: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];
/// S3 also asks for the first one when an upload brings tags.
const TAGGING: [&str; 4] = [
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
];

/// The principals that a gate's statements except.
pub(crate) type Excepted = Vec<String>;

/// Returns the statements to add to the policy of a bucket. Only `scanners`, which are the ARNs of roles, can
/// then read versions without a verdict, and write tags.
pub(crate) fn statements(place: &Place, profile: TagProfile, scanners: &[String]) -> Value {
    let resource = format!("arn:aws:s3:::{}/{}*", place.bucket, place.prefix);
    let tag = format!("s3:ExistingObjectTag/{}", profile.key());
    let others = json!({ "aws:PrincipalArn": scanners });
    json!([
        {
            "Sid": "AirlockOnlyCleanIsRead",
            "Effect": "Deny",
            "Principal": "*",
            "Action": READS,
            "Resource": resource,
            "Condition": {
                "StringNotEquals": { tag: readable_values(profile) },
                "ArnNotEquals": others,
            },
        },
        {
            "Sid": "AirlockOnlyVerdictsAreTagged",
            "Effect": "Deny",
            "Principal": "*",
            "Action": TAGGING,
            "Resource": resource,
            "Condition": { "ArnNotEquals": others },
        },
    ])
}

/// Finds the statements that deny reading versions without a clean verdict; `None` if they are not there.
/// Returns the tag that they ask for, and the principals that may read all the same.
pub(crate) fn read_gate(policy: &Value, place: &Place) -> Option<(TagProfile, Excepted)> {
    TagProfile::ALL.into_iter().find_map(|profile| {
        let tag = format!("s3:ExistingObjectTag/{}", profile.key());
        let readable = readable_values(profile);
        let asks_for_clean = |(operator, key, values): &Condition| {
            *operator == "StringNotEquals"
                && *key == tag
                && !values.is_empty()
                && values.iter().all(|value| readable.iter().any(|readable| readable == value))
        };
        let is_gate = |rest: &[Condition]| matches!(rest, [condition] if asks_for_clean(condition));
        Some((profile, denied(policy, place, &READS, is_gate)?))
    })
}

/// Finds the statements that deny writing tags; `None` if they are not there. Returns the principals that may
/// write tags all the same.
pub(crate) fn tag_writers(policy: &Value, place: &Place) -> Option<Excepted> {
    denied(policy, place, &TAGGING, |rest: &[Condition]| matches!(rest, []))
}

/// The values of the verdict's tag with which a version can be read.
pub(crate) fn readable_values(profile: TagProfile) -> Vec<String> {
    let clean = profile.value(Status::Clean);
    match profile {
        // GuardDuty has no value for a released file that would not also fit an infected one.
        TagProfile::GuardDuty => vec![clean],
        TagProfile::ClamScan | TagProfile::Plain => vec![clean, profile.value(Status::Released)],
    }
}

/// An operator, a condition key and its values.
type Condition<'a> = (&'a str, &'a str, Vec<&'a str>);

/// Returns the excepted principals of the statements that deny all `actions` everywhere in `place` under a
/// condition that `is_expected`; `None` if one of the actions is not denied.
fn denied(
    policy: &Value,
    place: &Place,
    actions: &[&str],
    is_expected: impl Fn(&[Condition]) -> bool,
) -> Option<Excepted> {
    let statements = as_list(&policy["Statement"]);
    let denying: Vec<(&Value, Excepted)> = statements
        .into_iter()
        .filter(|statement| is_denial(statement) && covers(&statement["Resource"], place))
        .filter_map(|statement| {
            let (excepted, rest) = conditions(&statement["Condition"])?;
            is_expected(&rest).then_some((statement, excepted))
        })
        .collect();
    let mut all = Vec::new();
    for action in actions {
        let (_, excepted) = denying.iter().find(|(statement, _)| names(&statement["Action"], action))?;
        all.extend(excepted.iter().cloned());
    }
    all.sort();
    all.dedup();
    Some(all)
}

/// Returns whether a statement denies every principal what it names.
fn is_denial(statement: &Value) -> bool {
    let principal = &statement["Principal"];
    statement["Effect"] == "Deny" && (*principal == "*" || strings(&principal["AWS"]) == Some(vec!["*"]))
}

/// Returns whether one of the resources contains all keys of the place.
fn covers(resources: &Value, place: &Place) -> bool {
    strings(resources).unwrap_or_default().into_iter().any(|resource| {
        let keys = ["aws", "aws-cn", "aws-us-gov"]
            .iter()
            .find_map(|partition| resource.strip_prefix(&format!("arn:{partition}:s3:::{}/", place.bucket)));
        let prefix = keys.and_then(|keys| keys.strip_suffix('*'));
        prefix.is_some_and(|prefix| !prefix.contains(['*', '?', '$']) && place.prefix.starts_with(prefix))
    })
}

/// Returns whether one of a statement's actions is this one, in any case, or a pattern for it.
fn names(actions: &Value, action: &str) -> bool {
    let action = action.to_ascii_lowercase();
    strings(actions).unwrap_or_default().into_iter().any(|pattern| {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_suffix('*') {
            Some(start) => !start.contains(['*', '?']) && action.starts_with(start),
            None => pattern == action,
        }
    })
}

/// Splits a statement's condition into the principals that it excepts and the rest; `None` if it cannot be
/// read, or excepts principals by a pattern, which could be all of them.
fn conditions(condition: &Value) -> Option<(Excepted, Vec<Condition<'_>>)> {
    let (mut excepted, mut rest) = (Vec::new(), Vec::new());
    let Some(operators) = condition.as_object() else {
        return condition.is_null().then_some((excepted, rest));
    };
    for (operator, keys) in operators {
        for (key, values) in keys.as_object()? {
            let values = strings(values)?;
            let is_exception = ["ArnNotEquals", "ArnNotLike", "StringNotEquals"].contains(&operator.as_str())
                && key.eq_ignore_ascii_case("aws:PrincipalArn");
            if !is_exception {
                rest.push((operator.as_str(), key.as_str(), values));
                continue;
            }
            if values.iter().any(|value| value.contains(['*', '?', '$'])) {
                return None;
            }
            excepted.extend(values.into_iter().map(str::to_owned));
        }
    }
    Some((excepted, rest))
}

/// A policy's elements are one value or a list of them.
fn as_list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        value => vec![value],
    }
}

/// `None` if one of them is no string.
fn strings(value: &Value) -> Option<Vec<&str>> {
    as_list(value).into_iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests;
