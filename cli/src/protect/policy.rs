//! Adds statements to a bucket's policy and removes them again, and leaves the others as they are.

use serde_json::{Value, json};
use thiserror::Error;

/// Why a policy is not changed.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum PolicyError {
    #[error("the bucket's policy cannot be read as JSON with a list of statements")]
    Unreadable,
    #[error("the bucket's policy has another statement `{0}`; run `airlock unprotect` first")]
    Taken(String),
}

/// Returns the policy with the statements, and those that it did not have yet.
pub(super) fn added(policy: Option<&str>, statements: &[Value]) -> Result<(String, Vec<Value>), PolicyError> {
    let mut document = match policy {
        Some(policy) => parse(policy)?,
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let present = list(&mut document)?;
    let mut new = Vec::new();
    for statement in statements {
        match present.iter().find(|other| other["Sid"] == statement["Sid"]) {
            Some(other) if other == statement => {}
            Some(other) => {
                let sid = other["Sid"].as_str().unwrap_or_default();
                return Err(PolicyError::Taken(sid.to_owned()));
            }
            None => new.push(statement.clone()),
        }
    }
    present.extend(new.iter().cloned());
    Ok((document.to_string(), new))
}

/// Returns the policy without the statements of these names, `None` if none is left, and those that it had.
pub(super) fn removed(policy: &str, sids: &[String]) -> Result<(Option<String>, Vec<Value>), PolicyError> {
    let mut document = parse(policy)?;
    let present = list(&mut document)?;
    let is_ours = |statement: &Value| sids.iter().any(|sid| statement["Sid"] == sid.as_str());
    let (ours, rest): (Vec<Value>, Vec<Value>) = present.drain(..).partition(is_ours);
    present.extend(rest);
    let is_empty = present.is_empty();
    Ok(((!is_empty).then(|| document.to_string()), ours))
}

fn parse(policy: &str) -> Result<Value, PolicyError> {
    serde_json::from_str(policy).ok().filter(Value::is_object).ok_or(PolicyError::Unreadable)
}

/// The statements, as a list even if there is a single one.
fn list(document: &mut Value) -> Result<&mut Vec<Value>, PolicyError> {
    let statements = &mut document["Statement"];
    if statements.is_object() {
        *statements = Value::Array(vec![statements.take()]);
    }
    statements.as_array_mut().ok_or(PolicyError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(sid: &str) -> Value {
        json!({ "Sid": sid, "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*" })
    }

    fn policy(statements: &Value) -> String {
        json!({ "Version": "2008-10-17", "Id": "theirs", "Statement": statements }).to_string()
    }

    #[test]
    fn statements_are_added_beside_the_others_once() {
        for theirs in [json!([statement("Theirs")]), statement("Theirs")] {
            let (with, new) = added(Some(&policy(&theirs)), &[statement("Ours")]).unwrap();
            assert_eq!(with, policy(&json!([statement("Theirs"), statement("Ours")])));
            assert_eq!(new, [statement("Ours")]);
            assert_eq!(added(Some(&with), &[statement("Ours")]).unwrap(), (with, vec![]));
        }
        let (alone, _) = added(None, &[statement("Ours")]).unwrap();
        assert_eq!(alone, json!({ "Version": "2012-10-17", "Statement": [statement("Ours")] }).to_string());
    }

    #[test]
    fn only_statements_of_these_names_are_removed() {
        let both = policy(&json!([statement("Theirs"), statement("Ours")]));
        let ours = ["Ours".to_owned()];
        let (without, gone) = removed(&both, &ours).unwrap();
        assert_eq!(without.unwrap(), policy(&json!([statement("Theirs")])));
        assert_eq!(gone, [statement("Ours")]);
        assert_eq!(removed(&policy(&json!([statement("Ours")])), &ours).unwrap().0, None);
        let unnamed = json!([{ "Effect": "Allow" }]);
        assert_eq!(removed(&policy(&unnamed), &ours).unwrap(), (Some(policy(&unnamed)), vec![]));
    }

    #[test]
    fn what_cannot_be_kept_is_not_changed() {
        let mut other = statement("Ours");
        other["Effect"] = json!("Allow");
        let taken = Err(PolicyError::Taken("Ours".to_owned()));
        assert_eq!(added(Some(&policy(&json!([other]))), &[statement("Ours")]), taken);
        for unreadable in ["", "[]", "{}", r#"{"Statement":1}"#, "not JSON"] {
            assert_eq!(added(Some(unreadable), &[]), Err(PolicyError::Unreadable), "{unreadable}");
            assert_eq!(removed(unreadable, &[]), Err(PolicyError::Unreadable), "{unreadable}");
        }
    }
}
