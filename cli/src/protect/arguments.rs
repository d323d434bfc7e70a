//! The arguments of `protect` and `unprotect`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use domain::id::BucketName;
use domain::tag::TagProfile;

use crate::gate::Place;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  airlock protect s3://photos
  airlock protect s3://photos/in/ --scanner arn:aws:iam::123456789012:role/scan
  airlock unprotect s3://photos";

/// The arguments of `protect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Protect {
    #[arg(value_name = "S3://BUCKET[/PREFIX]", required = true, value_parser = Place::parse)]
    pub(super) places: Vec<Place>,
    /// Also let only clean versions be read, except by the role with this ARN; repeat for several
    #[arg(long = "scanner", value_name = "ARN", value_parser = parse::role_arn)]
    pub(super) scanners: Vec<String>,
    /// The `TAG_PROFILE` of the service
    #[arg(long, default_value = TagProfile::ClamScan.name(), requires = "scanners")]
    #[arg(value_parser = PossibleValuesParser::new(TagProfile::ALL.map(TagProfile::name)))]
    pub(super) tag_profile: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The arguments of `unprotect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Unprotect {
    #[arg(value_name = "S3://BUCKET", required = true, value_parser = whole_bucket)]
    pub(super) buckets: Vec<BucketName>,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// The directory of the files that say what a bucket was like before
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) notes: PathBuf,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
}

fn whole_bucket(text: &str) -> Result<BucketName, String> {
    match Place::parse(text) {
        Ok(Place { bucket, prefix }) if prefix.is_empty() => Ok(bucket),
        _ => Err("expected a whole bucket such as s3://bucket".to_owned()),
    }
}
