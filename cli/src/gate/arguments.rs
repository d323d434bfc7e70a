//! `gate`: prints the statements, for the operator to add to the bucket's policy.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use domain::tag::TagProfile;

use super::{Place, statements};
use crate::output::Output;
use crate::parse;

const EXAMPLES: &str = "\
Examples:
  airlock gate s3://bucket --scanner arn:aws:iam::123456789012:role/scan
  airlock doctor --bucket bucket";

/// The arguments of `gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Gate {
    #[arg(value_name = "S3://BUCKET[/PREFIX]", value_parser = Place::parse)]
    place: Place,
    /// The ARN of a role that reads and tags versions without a verdict; repeat for several
    #[arg(long = "scanner", value_name = "ARN", required = true, value_parser = parse::role_arn)]
    scanners: Vec<String>,
    /// The TAG_PROFILE of the service
    #[arg(long, default_value = TagProfile::ClamScan.name())]
    #[arg(value_parser = PossibleValuesParser::new(TagProfile::ALL.map(TagProfile::name)))]
    tag_profile: String,
}

impl Gate {
    pub(crate) fn print(&self, output: Output) -> anyhow::Result<ExitCode> {
        let profile = TagProfile::parse(&self.tag_profile).unwrap_or_default();
        let statements = statements(&self.place, profile, &self.scanners);
        output.say(&statements, &format!("{statements:#}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
