//! The arguments of `backfill`.

use std::path::PathBuf;

use domain::timestamp::Timestamp;

use super::plan::Job;
use super::send::Pace;
use crate::gate::Place;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  airlock backfill s3://bucket/incoming/ --dry-run
  airlock backfill s3://bucket --inventory s3://inventories/bucket/all/2026-01-31T01-00Z/manifest.json
  airlock backfill s3://bucket --check

It needs the environment of the stack's scan function (docs/backfill.md).";

/// The arguments of `backfill`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backfill {
    #[arg(value_name = "S3://BUCKET[/PREFIX]", value_parser = Place::parse)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// Send so many versions a second at most
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse::count)]
    rate: u32,
    /// Send none while so many messages wait in the queue, in which new uploads wait too
    #[arg(long, value_name = "N", default_value = "1000", value_parser = parse::count)]
    backlog: u32,
    /// The file of the plan and its state; the same command resumes it
    /// [default: airlock-backfill-BUCKET.plan, here]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Make the plan, say what it would cost, and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask before versions are sent
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) lookup: Lookup,
}

/// Which versions, and where their names come from.
#[derive(Debug, clap::Args)]
struct Which {
    /// Take the versions from an S3 Inventory in CSV instead of a listing
    #[arg(long, value_name = "S3://BUCKET/.../manifest.json", value_parser = manifest)]
    inventory: Option<Place>,
    /// Only versions that were stored at this time or later
    #[arg(long, value_name = "TIME", value_parser = parse::time)]
    since: Option<String>,
    /// Only the latest version of each key
    #[arg(long)]
    latest_only: bool,
}

/// What is looked up instead of sending.
#[derive(Debug, clap::Args)]
pub(super) struct Lookup {
    /// Look up the verdict of each version that was sent
    #[arg(long, conflicts_with_all = ["dry_run", "yes"])]
    pub(super) check: bool,
    /// Have the versions without a record sent again by the next run
    #[arg(long, requires = "check")]
    pub(super) resend: bool,
}

impl Backfill {
    pub(super) fn job(&self) -> Job {
        let Place { bucket, prefix } = self.place.clone();
        let inventory = self.which.inventory.clone();
        let inventory = inventory.map(|Place { bucket, prefix }| (bucket.into(), prefix));
        let since = self.which.since.as_deref().and_then(Timestamp::parse_rfc3339);
        Job { bucket: bucket.into(), prefix, inventory, since, is_latest_only: self.which.latest_only }
    }

    pub(super) fn pace(&self) -> Pace {
        Pace { per_second: self.rate, max_waiting: self.backlog }
    }

    pub(super) fn plan(&self) -> PathBuf {
        let default = || format!("airlock-backfill-{}.plan", self.place.bucket).into();
        self.plan.clone().unwrap_or_else(default)
    }
}

fn manifest(text: &str) -> Result<Place, String> {
    Place::parse(text).ok().filter(|place| place.prefix.ends_with("manifest.json")).ok_or_else(|| {
        "expected the manifest of an S3 Inventory, such as s3://bucket/list/2026-01-31T01-00Z/manifest.json"
            .to_owned()
    })
}
