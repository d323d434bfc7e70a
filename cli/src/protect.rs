//! Prepares another application's bucket for the service, and leaves it as it was.
//!
//! A bucket's notifications and policy belong to others: they are added to, never replaced, after the
//! difference was shown and confirmed.

pub(crate) mod arguments;
mod note;
mod policy;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use aws::{Notifications, Objects, Sdk};
use domain::id::BucketName;
use domain::id::Sha256;
use domain::tag::TagProfile;
use serde_json::{Value, json};

use self::arguments::{Common, Protect, Unprotect};
use self::note::Note;
use crate::gate::Place;
use crate::output::Output;
use crate::{consent, gate};

/// What a bucket is like.
struct Setup {
    notifications: Notifications,
    policy: Option<String>,
}

/// What is done to it.
struct Plan {
    /// Turned on or off; `None` if it stays.
    eventbridge: Option<bool>,
    /// The policy that it gets; `None` if it keeps its own.
    policy: Option<NewPolicy>,
    /// For people.
    difference: String,
}

/// The whole policy; `None` for no policy at all.
struct NewPolicy(Option<String>);

impl Protect {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let sdk = Sdk::from_environment().await;
        let mut buckets: Vec<&BucketName> = self.places.iter().map(|place| &place.bucket).collect();
        buckets.sort();
        buckets.dedup();
        for bucket in buckets {
            let objects = Objects::new(&sdk, bucket.clone());
            self.protect(&objects, bucket, output).await.with_context(|| format!("s3://{bucket}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn protect(&self, objects: &Objects, bucket: &BucketName, output: Output) -> anyhow::Result<()> {
        if !objects.is_versioned().await? {
            bail!(
                "the bucket does not keep versions, so no verdict could name its bytes; turn that on first"
            );
        }
        let before = Setup::of(objects).await?;
        let statements = self.statements(bucket);
        let (with, new) = policy::added(before.policy.as_deref(), &statements)?;
        let turns_on = !before.notifications.has_eventbridge();
        let mut difference = eventbridge_line(turns_on.then_some(true), &before.notifications);
        difference += &policy_lines('+', &new);
        let plan = Plan {
            eventbridge: turns_on.then_some(true),
            policy: (!new.is_empty()).then_some(NewPolicy(Some(with))),
            difference,
        };
        if !plan.is_agreed(bucket, &self.common, output)? {
            return Ok(());
        }
        let sids = new.iter().filter_map(|statement| statement["Sid"].as_str()).map(str::to_owned);
        // An earlier `protect` has noted what the bucket was like.
        let noted = Note::load(&self.common.notes, bucket)?.unwrap_or_else(|| Note {
            bucket: bucket.clone(),
            had_eventbridge: before.notifications.has_eventbridge(),
            policy_before: before.policy.clone(),
            policy_after: None,
            added: vec![],
        });
        // The policy was changed since by others: theirs must not be undone.
        let is_as_left = noted.policy_after.is_none() || noted.policy_after == before.policy;
        let mut note = Note { added: noted.added.iter().cloned().chain(sids).collect(), ..noted };
        // Noted before anything changes.
        note.policy_after = None;
        let path = note.store(&self.common.notes)?;
        plan.carry_out(objects, &before).await?;
        if is_as_left {
            note.policy_after = objects.bucket_policy().await?;
            note.store(&self.common.notes)?;
        }
        let kept = format!("s3://{bucket} is prepared; `{}` says what it was like", path.display());
        output.say(&json!({ "bucket": bucket.as_str(), "note": path }), &kept)?;
        Ok(())
    }

    /// The gate's statements for the places in one bucket; their names must differ.
    fn statements(&self, bucket: &BucketName) -> Vec<Value> {
        let profile = TagProfile::parse(&self.tag_profile).unwrap_or_default();
        let places = self.places.iter().filter(|place| place.bucket == *bucket && !self.scanners.is_empty());
        let all = places.map(|place| (place, gate::statements(place, profile, &self.scanners)));
        let named = |(place, statements): (&Place, Value)| {
            let mut statements = statements.as_array().cloned().unwrap_or_default();
            for statement in &mut statements {
                let sid = statement["Sid"].as_str().unwrap_or_default();
                statement["Sid"] = json!(format!("{sid}{}", name_of(&place.prefix)));
            }
            statements
        };
        all.flat_map(named).collect()
    }
}

impl Unprotect {
    pub(crate) async fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let sdk = Sdk::from_environment().await;
        for bucket in &self.buckets {
            let objects = Objects::new(&sdk, bucket.clone());
            self.unprotect(&objects, bucket, output).await.with_context(|| format!("s3://{bucket}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn unprotect(&self, objects: &Objects, bucket: &BucketName, output: Output) -> anyhow::Result<()> {
        let Some(note) = Note::load(&self.common.notes, bucket)? else {
            bail!(
                "there is no note of `airlock protect` in `{}`; name its directory with --notes",
                self.common.notes.display()
            );
        };
        let before = Setup::of(objects).await?;
        let turns_off = before.notifications.has_eventbridge() && !note.had_eventbridge;
        let (policy, gone) = match &before.policy {
            None => (None, vec![]),
            Some(policy) => {
                let (without, gone) = policy::removed(policy, &note.added)?;
                let is_as_left = note.policy_after == before.policy;
                let restored = if is_as_left { note.policy_before.clone() } else { without };
                (restored, gone)
            }
        };
        let mut difference = eventbridge_line(turns_off.then_some(false), &before.notifications);
        difference += &policy_lines('-', &gone);
        let plan = Plan {
            eventbridge: turns_off.then_some(false),
            policy: (!gone.is_empty()).then_some(NewPolicy(policy)),
            difference,
        };
        if !plan.is_agreed(bucket, &self.common, output)? {
            return Ok(());
        }
        plan.carry_out(objects, &before).await?;
        note.remove(&self.common.notes)?;
        output.say(&json!({ "bucket": bucket.as_str() }), &format!("s3://{bucket} is as it was"))?;
        Ok(())
    }
}

impl Setup {
    async fn of(objects: &Objects) -> anyhow::Result<Self> {
        Ok(Self { notifications: objects.notifications().await?, policy: objects.bucket_policy().await? })
    }
}

impl Plan {
    /// Shows the difference and asks, unless nothing changes.
    fn is_agreed(&self, bucket: &BucketName, common: &Common, output: Output) -> anyhow::Result<bool> {
        if self.eventbridge.is_none() && self.policy.is_none() {
            output.remark(&format!("s3://{bucket}: nothing to change"));
            return Ok(true);
        }
        // Shown whatever the format of the result: without it there is no consent.
        write!(std::io::stderr(), "s3://{bucket}:\n{}", self.difference)?;
        Ok(common.yes || consent::ask("Change the bucket so?")?)
    }

    /// Fails without a change of the policy if it is not as it was when the difference was shown.
    async fn carry_out(self, objects: &Objects, shown: &Setup) -> anyhow::Result<()> {
        let now = Setup::of(objects).await?;
        if now.policy != shown.policy || now.notifications != shown.notifications {
            bail!("the bucket was changed meanwhile; run this again");
        }
        if let Some(is_on) = self.eventbridge {
            let wanted = now.notifications.with_eventbridge(is_on);
            objects.set_notifications(wanted.clone()).await?;
            if objects.notifications().await? != wanted {
                bail!("the bucket's notifications are not those that were set; look at them");
            }
        }
        if let Some(NewPolicy(policy)) = self.policy {
            objects.set_bucket_policy(policy.as_deref()).await?;
        }
        Ok(())
    }
}

fn eventbridge_line(change: Option<bool>, notifications: &Notifications) -> String {
    let others = match notifications.n_destinations() {
        1 => "1 other destination stays".to_owned(),
        n => format!("{n} other destinations stay"),
    };
    match change {
        None => String::new(),
        Some(true) => format!("+ events to EventBridge ({others})\n"),
        Some(false) => format!("- events to EventBridge ({others})\n"),
    }
}

/// The statements as JSON, with a sign before each line.
fn policy_lines(sign: char, statements: &[Value]) -> String {
    let mut lines = String::new();
    for statement in statements {
        for line in format!("{statement:#}").lines() {
            let _ = writeln!(lines, "{sign} {line}");
        }
    }
    lines
}

/// Letters and digits for a prefix, empty for none. A policy's names are unique and have no others.
fn name_of(prefix: &str) -> String {
    if prefix.is_empty() {
        return String::new();
    }
    let digest: [u8; 32] = aws::digest::sha256(prefix.as_bytes());
    Sha256::from_bytes(digest).to_string()[..8].to_owned()
}
