//! Checks that the gate's own statements are recognised, and no statement that denies less.

use super::*;

const SCANNER: &str = "arn:aws:iam::123456789012:role/scan";

fn place(text: &str) -> Place {
    Place::parse(text).unwrap()
}

fn policy() -> Value {
    let statements = statements(&place("bucket/in/"), TagProfile::ClamScan, &[SCANNER.to_owned()]);
    json!({ "Version": "2012-10-17", "Statement": statements })
}

#[test]
fn its_own_statements_are_recognised_for_every_tag() {
    for profile in TagProfile::ALL {
        for (protected, asked) in
            [("bucket", "bucket"), ("bucket", "bucket/in/"), ("bucket/in/", "bucket/in/a")]
        {
            let statements = statements(&place(protected), profile, &[SCANNER.to_owned()]);
            let policy = json!({ "Statement": statements });
            let excepted = vec![SCANNER.to_owned()];
            assert_eq!(read_gate(&policy, &place(asked)), Some((profile, excepted.clone())));
            assert_eq!(tag_writers(&policy, &place(asked)), Some(excepted));
        }
    }
}

#[test]
fn a_gate_elsewhere_is_none_here() {
    for asked in ["bucket", "bucket/i", "bucket/other/", "bucket2/in/"] {
        assert_eq!(read_gate(&policy(), &place(asked)), None, "{asked}");
        assert_eq!(tag_writers(&policy(), &place(asked)), None, "{asked}");
    }
    assert_eq!(read_gate(&json!({}), &place("bucket")), None);
}

/// The policy with one element of its first statement, which is about reads, replaced.
fn reads_with(element: &str, value: Value) -> Option<(TagProfile, Excepted)> {
    let mut policy = policy();
    policy["Statement"][0][element] = value;
    read_gate(&policy, &place("bucket/in/"))
}

#[test]
fn what_may_deny_less_is_no_gate() {
    let tag = "s3:ExistingObjectTag/scan-status";
    let guardduty = "s3:ExistingObjectTag/GuardDutyMalwareScanStatus";
    let clean = json!({ tag: "CLEAN" });
    for (element, value) in [
        ("Effect", json!("Allow")),
        ("Principal", json!({ "AWS": "arn:aws:iam::123456789012:root" })),
        ("Action", json!("s3:GetObject")),
        ("Action", json!(["s3:PutObject", "s3:GetObjectVersion"])),
        ("Resource", json!("arn:aws:s3:::bucket/in/*.pdf")),
        ("Resource", json!("arn:aws:s3:::bucket")),
        ("Condition", json!(null)),
        ("Condition", json!({ "StringNotEquals": { tag: ["CLEAN", "INFECTED"] } })),
        ("Condition", json!({ "StringNotEquals": { tag: [] } })),
        ("Condition", json!({ "StringNotEquals": { tag: "CLEAN", "aws:SourceVpc": "vpc-1" } })),
        ("Condition", json!({ "StringEquals": { tag: ["INFECTED", "IN PROGRESS", "ERROR"] } })),
        ("Condition", json!({ "StringNotEquals": clean, "Bool": { "aws:SecureTransport": "true" } })),
        ("Condition", json!({ "StringNotEquals": clean, "ArnNotLike": { "aws:PrincipalArn": "*" } })),
        ("Condition", json!({ "StringNotEquals": { "s3:ExistingObjectTag/team": "CLEAN" } })),
        ("Condition", json!({ "StringNotEquals": { guardduty: "THREATS_FOUND" } })),
    ] {
        assert_eq!(reads_with(element, value.clone()), None, "{element}: {value}");
    }
}

#[test]
fn other_spellings_of_a_gate_are_recognised() {
    for (element, value) in [
        ("Principal", json!({ "AWS": "*" })),
        ("Action", json!("s3:*")),
        ("Action", json!(["s3:getobject*"])),
        ("Resource", json!(["arn:aws:s3:::other/*", "arn:aws:s3:::bucket/*"])),
    ] {
        assert!(reads_with(element, value.clone()).is_some(), "{element}: {value}");
    }
    let without_exception = json!({ "StringNotEquals": { "s3:ExistingObjectTag/scan-status": "CLEAN" } });
    assert_eq!(reads_with("Condition", without_exception), Some((TagProfile::ClamScan, Vec::new())));
}

#[test]
fn tags_that_a_condition_protects_in_part_are_not_protected() {
    for (element, value) in [
        ("Action", json!(["s3:PutObjectTagging", "s3:PutObjectVersionTagging"])),
        ("Condition", json!({ "ForAnyValue:StringEquals": { "s3:RequestObjectTagKeys": "scan-status" } })),
    ] {
        let mut policy = policy();
        policy["Statement"][1][element] = value;
        assert_eq!(tag_writers(&policy, &place("bucket/in/")), None, "{element}");
    }
}
