//! What follows a verdict: quarantine, rescans and tags.

use std::time::Duration;

use domain::machine::MachinePolicy;
use domain::post_verdict::Quarantine;
use domain::tag::TagProfile;

use crate::declare::subject;
use crate::parse;
use crate::uploads::UploadSettings;

subject! {
    /// What follows a verdict. All functions of a deployment must agree on it.
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
    /// How fast the sweep rescans.
    pub struct RescanSettings: "After the verdict" {
        /// How many automatic rescans are started per minute, at most. None start while new files wait.
        per_minute: u32 = defaulted "RESCANS_PER_MINUTE" {
            default: "60",
            unit: "files",
            allowed: "a whole number of files; `0` turns rescans off",
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

impl VerdictSettings {
    /// The policy of the status machine: these settings, and `base` for everything else. `publishes` says
    /// whether events have receivers.
    pub fn machine(&self, uploads: &UploadSettings, publishes: bool, base: MachinePolicy) -> MachinePolicy {
        let set = self.rescan_every_hours.map(|hours| {
            let is_on = hours > 0;
            is_on.then(|| Duration::from_secs(hours.saturating_mul(60 * 60)))
        });
        MachinePolicy {
            max_file_size: uploads.max_file_size,
            quarantine: self.quarantine,
            rescan_every: set.unwrap_or(base.rescan_every),
            publishes,
            ..base
        }
    }
}
