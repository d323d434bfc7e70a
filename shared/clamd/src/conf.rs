//! What is clamd told? Our own configuration; the distribution's lowers the limits.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// What one scan may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the largest file, and of the largest member of an archive.
    pub max_file_size: u64,
    /// clamd gives up after this long, and says so.
    pub max_scan_time: Duration,
}

impl Limits {
    /// What all members of one file together may unpack to.
    pub fn max_scan_size(&self) -> u64 {
        self.max_file_size.saturating_mul(4)
    }
}

/// Everything that the generated `clamd.conf` says.
#[derive(Clone, Debug)]
pub struct ClamdConf {
    pub socket: PathBuf,
    pub temporary_directory: PathBuf,
    pub database_directory: PathBuf,
    pub limits: Limits,
    /// Refuse databases that ClamAV's makers did not sign. Off only for the announced test set.
    pub official_database_only: bool,
}

impl ClamdConf {
    /// The file's text.
    pub fn render(&self) -> String {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
        let size = self.limits.max_file_size.to_string();
        let max_scan_time = self.limits.max_scan_time.as_millis().to_string();
        let settings = [
            ("Foreground", "yes".to_owned()),
            ("LocalSocket", self.socket.display().to_string()),
            ("LocalSocketMode", "600".to_owned()),
            ("TemporaryDirectory", self.temporary_directory.display().to_string()),
            ("DatabaseDirectory", self.database_directory.display().to_string()),
            ("OfficialDatabaseOnly", yes_no(self.official_database_only)),
            // ClamAV 1.4 remembers clean files by MD5: a collision would inherit the verdict.
            ("DisableCache", "yes".to_owned()),
            // Limits and encryption are findings, not silence.
            ("AlertExceedsMax", "yes".to_owned()),
            ("AlertEncrypted", "yes".to_owned()),
            ("AlertBrokenExecutables", "yes".to_owned()),
            ("AlertBrokenMedia", "yes".to_owned()),
            ("MaxFileSize", size.clone()),
            ("StreamMaxLength", size.clone()),
            ("PCREMaxFileSize", size),
            ("MaxScanSize", self.limits.max_scan_size().to_string()),
            ("MaxRecursion", "17".to_owned()),
            ("MaxFiles", "10000".to_owned()),
            ("MaxScanTime", max_scan_time),
            // Definitions change by starting a new clamd, never under a running one.
            ("SelfCheck", "0".to_owned()),
            ("ConcurrentDatabaseReload", "no".to_owned()),
            ("MaxThreads", "2".to_owned()),
            ("ExitOnOOM", "yes".to_owned()),
            ("ReadTimeout", self.limits.max_scan_time.as_secs().max(30).to_string()),
            ("CommandReadTimeout", "30".to_owned()),
        ];
        settings.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name} {value}");
            text
        })
    }
}
