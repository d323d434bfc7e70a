//! Diagnoses a bucket: its versions, the policy's gate, who may write tags, and versions that can be read
//! without a verdict.

use std::process::ExitCode;

use aws::{Objects, Sdk, StoreError};
use domain::id::VersionId;
use domain::tag::TagProfile;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use super::{Finding, bad, good, odd, report};
use crate::gate::{self, Place};
use crate::output::Output;

/// How many versions are examined without `--all`.
const SAMPLE: usize = 1000;
/// Two small requests for each version; S3 allows thousands a second for each prefix.
const CONCURRENT: usize = 16;
/// How many keys a finding names.
const NAMED: usize = 3;
const PAGE: i32 = 1000;

/// Examines a bucket with the credentials of the environment. Changes nothing.
pub(crate) async fn examine(place: &Place, is_whole: bool, output: Output) -> anyhow::Result<ExitCode> {
    let objects = Objects::new(&Sdk::from_environment().await, place.bucket.clone());
    if let Err(error) = objects.check().await {
        let advice = "check its name, AWS_REGION, and that your credentials may list it (s3:ListBucket)";
        return report(&[("bucket", bad(error.to_string(), advice))], output);
    }
    let policy = objects.bucket_policy().await;
    let policy = policy.map(|text| serde_json::from_str(&text.unwrap_or_default()).unwrap_or(Value::Null));
    let gate = policy.as_ref().ok().and_then(|policy| gate::read_gate(policy, place));
    let profile = gate.as_ref().map(|(profile, _)| *profile);
    let mut findings = vec![("versioning", versioning(objects.is_versioned().await))];
    match &policy {
        Err(error) => {
            findings.push(("policy", bad(error.to_string(), "your credentials need s3:GetBucketPolicy")));
        }
        Ok(policy) => {
            let advice = format!(
                "add the statements that `airlock gate s3://{}/{}` prints",
                place.bucket, place.prefix
            );
            findings.push((
                "gate",
                match gate {
                    Some((profile, readers)) => {
                        good(format!("by the tag {}, except {}", profile.key(), list(&readers)))
                    }
                    None => bad("no statement denies reading versions without a clean verdict", &*advice),
                },
            ));
            findings.push((
                "tag writers",
                match gate::tag_writers(policy, place) {
                    Some(writers) => good(format!("only {}", list(&writers))),
                    None => bad("every principal with permission to tag can write a verdict's tag", advice),
                },
            ));
        }
    }
    findings.push((
        "versions",
        match survey(&objects, place, profile, is_whole).await {
            Ok(survey) => survey.finding(),
            Err(error) => {
                let advice = "needs s3:ListBucketVersions, s3:GetObjectVersionTagging, s3:GetObjectVersion";
                bad(format!("not examined: {error}"), advice)
            }
        },
    ));
    report(&findings, output)
}

fn versioning(enabled: Result<bool, StoreError>) -> Finding {
    match enabled {
        Ok(true) => good("enabled"),
        Ok(false) => bad("not enabled", "enable it: without versions, a verdict cannot identify its bytes"),
        Err(error) => bad(error.to_string(), "your credentials need s3:GetBucketVersioning"),
    }
}

fn list(principals: &[String]) -> String {
    if principals.is_empty() { "none".to_owned() } else { principals.join(", ") }
}

/// What the versions of a place are.
#[derive(Debug, Default, PartialEq, Eq)]
struct Survey {
    n_versions: usize,
    n_clean: usize,
    /// The keys of versions that the caller can read although their tag is not a clean verdict's.
    readable: Vec<String>,
    /// Whether the listing ended before the examination did.
    is_whole: bool,
}

impl Survey {
    fn finding(&self) -> Finding {
        let Self { n_versions, n_clean, readable, is_whole } = self;
        let which = if *is_whole { "all" } else { "the first" };
        let examined = format!("{which} {n_versions} examined, {n_clean} tagged clean");
        let named: Vec<_> = readable.iter().take(NAMED).map(|key| format!("{key:?}")).collect();
        match readable.len() {
            0 if *is_whole => good(format!("{examined}; you can read no others")),
            0 => odd(format!("{examined}; you can read no others"), "`--all` examines all versions"),
            n => bad(
                format!("{examined}; you can read {n} without a clean verdict, such as {}", named.join(", ")),
                "expected for credentials that the gate excepts; otherwise it does not hold",
            ),
        }
    }
}

/// Examines the versions in the order of their keys, up to [`SAMPLE`] of them or all.
async fn survey(
    objects: &Objects,
    place: &Place,
    profile: Option<TagProfile>,
    is_whole: bool,
) -> Result<Survey, StoreError> {
    let mut survey = Survey::default();
    let mut after = None;
    loop {
        let page = objects.list_versions(&place.prefix, after, PAGE).await?;
        let versions = stream::iter(page.versions);
        let examined: Vec<_> = versions
            .map(async |(key, version)| {
                let access = access(objects, &key, &version.version_id, profile).await?;
                Ok::<_, StoreError>((key, access))
            })
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await?;
        survey.n_versions += examined.len();
        for (key, access) in examined {
            match access {
                Access::Clean => survey.n_clean += 1,
                Access::Denied => {}
                Access::Readable => survey.readable.push(key),
            }
        }
        after = page.next;
        survey.is_whole = after.is_none();
        if survey.is_whole || !is_whole && survey.n_versions >= SAMPLE {
            return Ok(survey);
        }
    }
}

enum Access {
    Clean,
    Denied,
    Readable,
}

/// Without a gate, the tag of any profile counts.
async fn access(
    objects: &Objects,
    key: &str,
    version: &VersionId,
    profile: Option<TagProfile>,
) -> Result<Access, StoreError> {
    let tags = objects.tags_of(key, version).await?;
    let is_clean =
        TagProfile::ALL.into_iter().filter(|one| profile.is_none_or(|gate| gate == *one)).any(|one| {
            let readable = gate::readable_values(one);
            tags.iter().any(|(key, value)| key == one.key() && readable.contains(value))
        });
    if is_clean {
        return Ok(Access::Clean);
    }
    Ok(if objects.can_read(key, version).await? { Access::Readable } else { Access::Denied })
}
