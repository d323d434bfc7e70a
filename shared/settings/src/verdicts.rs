//! Settings for quarantine, samples, rescans and tags.

use std::time::Duration;

use domain::machine::MachinePolicy;
use domain::post_verdict::Quarantine;
use domain::tag::TagProfile;

use crate::declare::subject;
use crate::environment::Environment;
use crate::error::ConfigError;
use crate::parse;
use crate::protected::ProtectedSettings;
use crate::uploads::UploadSettings;

subject! {
    /// Quarantine and rescans after a verdict.
    pub struct VerdictSettings: "After the verdict" {
        /// What happens to infected bytes. They cannot be downloaded in any case.
        quarantine: Quarantine = defaulted "QUARANTINE" {
            default: "keep",
            allowed: "`keep`, `delete` or `move`",
            parameter: "Quarantine",
            parse: quarantine,
        }
        /// How long after its verdict a clean file is scanned again, if the definitions have changed.
        rescan_every_hours: Option<u64> = optional "RESCAN_EVERY_HOURS" {
            default: "24",
            unit: "hours",
            allowed: "a whole number of hours; `0` turns rescans off",
            parameter: "RescanEveryHours",
            parse: parse::number,
        }
    }
}

subject! {
    /// What operators may take out of the service.
    pub struct SampleSettings: "After the verdict" {
        /// Whether operators may download files that are not clean, each with a reason that is kept, in a zip
        /// that is encrypted with the password `infected`.
        may_download: bool = defaulted "SAMPLE_DOWNLOADS" {
            default: "false",
            allowed: "`true` or `false`",
            parameter: "SampleDownloads",
            parse: parse::yes_or_no,
        }
    }
}

subject! {
    /// How fast the sweep rescans.
    pub struct RescanSettings: "After the verdict" {
        /// How many automatic rescans are started per minute, at most. None start while new files wait.
        per_minute: u32 = defaulted "RESCANS_PER_MINUTE" {
            default: "60",
            unit: "files",
            allowed: "a whole number of files",
            parameter: "RescansPerMinute",
            parse: parse::number,
        }
    }
}

subject! {
    /// The tag that shows a verdict on the object.
    pub struct TagSettings: "After the verdict" {
        /// The name and the values of the tag that shows the verdict.
        profile: TagProfile = defaulted "TAG_PROFILE" {
            default: "scan-status",
            allowed: "`scan-status`, `guardduty` or `plain`",
            parameter: "TagProfile",
            parse: TagProfile::parse,
        }
    }
}

fn quarantine(value: &str) -> Option<Quarantine> {
    match value {
        "keep" => Some(Quarantine::Keep),
        "delete" => Some(Quarantine::Delete),
        "move" => Some(Quarantine::Move),
        _ => None,
    }
}

/// The policy of the status machine, which must be the same for all functions of a deployment: the variables
/// that are set, and `base` for the rest. `publishes` says whether events have receivers.
pub fn machine_policy(
    env: &Environment,
    publishes: bool,
    base: MachinePolicy,
) -> Result<MachinePolicy, ConfigError> {
    let VerdictSettings { quarantine, rescan_every_hours } = VerdictSettings::read(env)?;
    let rescan_every = match rescan_every_hours {
        None => base.rescan_every,
        Some(0) => None,
        Some(hours) => Some(Duration::from_secs(hours.saturating_mul(60 * 60))),
    };
    let max_file_size = UploadSettings::read(env)?.max_file_size;
    let upload_grace = MachinePolicy::upload_grace_of(max_file_size);
    let protected = ProtectedSettings::read(env)?.changes;
    Ok(MachinePolicy { max_file_size, upload_grace, quarantine, rescan_every, publishes, protected, ..base })
}
