//! Generates the engine's configuration. The distribution's own lowers the limits.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// The limits of one scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EngineLimits {
    /// Bytes of the largest file, and of the largest member of an archive.
    pub max_file_size: u64,
    /// clamd gives up after this time and reports it.
    pub max_scan_time: Duration,
}

impl EngineLimits {
    /// Members of one file. Programs packed as one jar hold tens of thousands; processor time limits the cost
    /// of a file.
    pub const MAX_FILES: u64 = 65_536;
    /// Containers within containers, the file itself included.
    pub const MAX_RECURSION: u32 = 17;
    /// Concurrent scans of one engine. clamd keeps [`Self::MAX_RECURSION`] descriptors for each, of 1,024.
    pub const MAX_WORKERS: u32 = 32;

    /// Bytes that all members of one file together may unpack to.
    pub fn max_scan_size(&self) -> u64 {
        self.max_file_size.saturating_mul(4)
    }

    /// Kept free in addition to the bytes of a scan: reports, small members, rounding.
    const ROOM_MARGIN_BYTES: u64 = 64 * 1024 * 1024;

    /// Bytes of temporary space that the engine may need for a file of `size_bytes`: its copy and its
    /// members.
    pub fn engine_room(&self, size_bytes: u64) -> u64 {
        size_bytes.saturating_add(self.max_scan_size()).saturating_add(Self::ROOM_MARGIN_BYTES)
    }

    /// Bytes of temporary space that suffice for a scan of any accepted file: the spooled object and the
    /// gate's members, in addition to the engine's.
    pub fn scan_room(&self) -> u64 {
        self.engine_room(self.max_file_size)
            .saturating_add(self.max_file_size)
            .saturating_add(self.max_scan_size())
    }

    /// Processor time for one file, the gate's included. With full definitions, ClamAV takes 0.3 s for 1 MB
    /// of noise and up to 12 s for 1 MB of compressed text; hostile files take half a minute for 10 KB. Eight
    /// seconds leave two of ten for all other work on a small file.
    pub fn max_cpu_time(&self, size_bytes: u64) -> Duration {
        const PER_STARTED_MEGABYTE: Duration = Duration::from_secs(8);
        let n_megabytes = u32::try_from(size_bytes.div_ceil(1_000_000).max(1)).unwrap_or(u32::MAX);
        PER_STARTED_MEGABYTE.saturating_mul(n_megabytes).min(self.max_scan_time.max(PER_STARTED_MEGABYTE))
    }
}

/// The variable settings of the generated `clamd.conf`.
#[derive(Clone, Debug)]
pub struct ClamdConf {
    pub socket: PathBuf,
    pub temporary_directory: PathBuf,
    pub database_directory: PathBuf,
    pub limits: EngineLimits,
    /// Refuse databases that are not signed by ClamAV's makers. Off only for the announced test set.
    pub official_database_only: bool,
}

impl ClamdConf {
    /// Returns the text of `clamd.conf`.
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
            // ClamAV 1.4 caches clean files by MD5: a collision would inherit the verdict.
            ("DisableCache", "yes".to_owned()),
            // Reaching a limit and encryption are findings; by default ClamAV reports neither.
            ("AlertExceedsMax", "yes".to_owned()),
            ("AlertEncrypted", "yes".to_owned()),
            // Not `AlertBrokenMedia`: no program extracts a file from a picture, and half of all camera
            // pictures are broken to ClamAV.
            ("AlertBrokenExecutables", "yes".to_owned()),
            ("AlertPartitionIntersection", "yes".to_owned()),
            ("MaxFileSize", size.clone()),
            ("StreamMaxLength", size.clone()),
            // Beyond each of these limits ClamAV silently skips a kind of inspection.
            ("MaxEmbeddedPE", size.clone()),
            ("MaxHTMLNormalize", size.clone()),
            ("MaxHTMLNoTags", size.clone()),
            ("MaxScriptNormalize", size.clone()),
            ("MaxZipTypeRcg", size.clone()),
            ("PCREMaxFileSize", size),
            ("MaxScanSize", self.limits.max_scan_size().to_string()),
            ("MaxRecursion", EngineLimits::MAX_RECURSION.to_string()),
            ("MaxFiles", EngineLimits::MAX_FILES.to_string()),
            ("MaxScanTime", max_scan_time),
            // Definitions change by starting a new clamd, never in a running one.
            ("SelfCheck", "0".to_owned()),
            ("ConcurrentDatabaseReload", "no".to_owned()),
            // A scan for each worker, a canary, and a `PING`. Threads start when they are needed.
            ("MaxThreads", (EngineLimits::MAX_WORKERS + 2).to_string()),
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
