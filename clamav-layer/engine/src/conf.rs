//! Parses `clamd.conf`: the keys that Airlock writes, with clamd's meaning (clamd.conf(5)); any other key
//! ends the start.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::clamav::{Field, ScanOptions};

/// The paths of the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Source {
    /// A clamd.conf: the definitions, the settings that they are loaded with, the socket
    #[arg(long, short)]
    config_file: Option<PathBuf>,
    /// The directory of the definitions, instead of the configuration's
    #[arg(long)]
    database: Option<PathBuf>,
}

impl Source {
    pub(crate) fn conf(&self) -> anyhow::Result<Conf> {
        let mut conf = match &self.config_file {
            Some(path) => Conf::read(path)?,
            None => Conf::parse("")?,
        };
        if let Some(database) = &self.database {
            conf.database.clone_from(database);
        }
        if conf.database.as_os_str().is_empty() {
            bail!("`DatabaseDirectory` is missing");
        }
        Ok(conf)
    }

    /// Returns the same options for another process.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let named = |name: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| [OsString::from(name), path.into()]).into_iter().flatten().collect()
        };
        let both: [Vec<OsString>; 2] =
            [named("--config-file", &self.config_file), named("--database", &self.database)];
        both.concat()
    }
}

/// A configuration file, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conf {
    pub(crate) socket: PathBuf,
    pub(crate) socket_mode: Option<u32>,
    pub(crate) database: PathBuf,
    pub(crate) temporary_directory: PathBuf,
    /// The parameters of loading; a snapshot is valid only for the same.
    pub(crate) load: Load,
    pub(crate) scan: ScanOptions,
    /// Bytes of the longest INSTREAM.
    pub(crate) max_stream: u64,
    pub(crate) max_scan_time_ms: u64,
    pub(crate) read_timeout_secs: u64,
}

/// The parameters with which an engine is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Load {
    /// Numbers of `enum cl_engine_field`, with their values.
    pub(crate) fields: Vec<Field>,
    /// `CL_DB_*`.
    pub(crate) options: u32,
}

impl Load {
    /// Returns whether an engine that was loaded with `other` equals one with `self` once its limits are set.
    /// Only scans read limits; nothing that is loaded depends on them.
    pub(crate) fn fits(&self, other: &Self) -> bool {
        let cache = |load: &Self| load.fields.iter().rfind(|(field, _)| *field == DISABLE_CACHE).copied();
        self.options == other.options && cache(self) == cache(other)
    }
}

/// `CL_ENGINE_DISABLE_CACHE`: a cache is made, or not, when definitions are compiled.
const DISABLE_CACHE: i32 = 25;

/// Keys whose value is a number for the engine, and that number's field.
const FIELDS: [(&str, i32); 13] = [
    ("MaxScanSize", 0),
    ("MaxFileSize", 1),
    ("MaxRecursion", 2),
    ("MaxFiles", 3),
    ("MaxEmbeddedPE", 18),
    ("MaxHTMLNormalize", 19),
    ("MaxHTMLNoTags", 20),
    ("MaxScriptNormalize", 21),
    ("MaxZipTypeRcg", 22),
    ("DisableCache", DISABLE_CACHE),
    ("MaxScanTime", 31),
    ("PCREMaxFileSize", 34),
    // Both ends read it: the limit of a stream is ours.
    ("StreamMaxLength", -1),
];

/// Keys that concern clamd's threads; here each scan is a process.
const WITHOUT_MEANING: [&str; 6] =
    ["Foreground", "SelfCheck", "ConcurrentDatabaseReload", "MaxThreads", "ExitOnOOM", "CommandReadTimeout"];

/// `CL_SCAN_HEURISTIC_*` that a key turns on.
const ALERTS: [(&str, u32); 5] = [
    ("AlertExceedsMax", 0x4),
    // Archives and documents.
    ("AlertEncrypted", 0x40 | 0x80),
    ("AlertBrokenExecutables", 0x2),
    ("AlertBrokenMedia", 0x2000),
    ("AlertPartitionIntersection", 0x100),
];

/// `CL_DB_PHISHING | CL_DB_PHISHING_URLS | CL_DB_BYTECODE`: clamd's own defaults.
const LOAD_OPTIONS: u32 = 0x2 | 0x8 | 0x2000;
const OFFICIAL_ONLY: u32 = 0x1000;
/// Unsigned bytecode is loaded, for tests.
const BYTECODE_UNSIGNED: u32 = 0x8000;

impl Conf {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))?;
        Self::parse(&text).with_context(|| format!("`{}`", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut conf = Self {
            // Everything is parsed, as clamd does by default, and heuristic findings are findings.
            scan: ScanOptions { general: 0x4, parse: u32::MAX, ..ScanOptions::default() },
            load: Load { fields: vec![], options: LOAD_OPTIONS },
            max_stream: 100 << 20,
            max_scan_time_ms: 120_000,
            read_timeout_secs: 120,
            temporary_directory: std::env::temp_dir(),
            ..Self::default()
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let (key, value) = line.split_once(char::is_whitespace).context("a key without a value")?;
            conf.set(key, value.trim()).with_context(|| format!("`{key}`"))?;
        }
        Ok(conf)
    }

    fn set(&mut self, key: &str, value: &str) -> anyhow::Result<()> {
        match key {
            "LocalSocket" => self.socket = value.into(),
            "LocalSocketMode" => self.socket_mode = Some(u32::from_str_radix(value, 8)?),
            "DatabaseDirectory" => self.database = value.into(),
            "TemporaryDirectory" => self.temporary_directory = value.into(),
            "OfficialDatabaseOnly" if yes(value)? => self.load.options |= OFFICIAL_ONLY,
            "BytecodeUnsigned" if yes(value)? => self.load.options |= BYTECODE_UNSIGNED,
            "OfficialDatabaseOnly" | "BytecodeUnsigned" => {}
            "ReadTimeout" => self.read_timeout_secs = value.parse()?,
            key if WITHOUT_MEANING.contains(&key) => {}
            key => {
                if let Some((_, flags)) = ALERTS.iter().find(|(name, _)| *name == key) {
                    self.scan.heuristic |= if yes(value)? { *flags } else { 0 };
                    return Ok(());
                }
                let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == key) else {
                    bail!("not a key that is known here")
                };
                let number = if key == "DisableCache" { i64::from(yes(value)?) } else { size(value)? };
                match key {
                    "StreamMaxLength" => self.max_stream = number.try_into()?,
                    "MaxScanTime" => self.max_scan_time_ms = number.try_into()?,
                    _ => {}
                }
                if *field >= 0 {
                    self.load.fields.push((*field, number));
                }
            }
        }
        Ok(())
    }
}

fn yes(value: &str) -> anyhow::Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "yes" | "true" | "1" => Ok(true),
        "no" | "false" | "0" => Ok(false),
        _ => bail!("neither yes nor no"),
    }
}

/// A number, with clamd's suffixes.
fn size(value: &str) -> anyhow::Result<i64> {
    let (digits, factor) = match value.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&value[..value.len() - 1], 1 << 10),
        Some(b'm') => (&value[..value.len() - 1], 1 << 20),
        Some(b'g') => (&value[..value.len() - 1], 1 << 30),
        _ => (value, 1),
    };
    let number: i64 = digits.parse().context("not a number")?;
    number.checked_mul(factor).filter(|number| *number >= 0).context("out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_airlock_writes_are_read() {
        let text = "# comment\nLocalSocket /run/c.sock\nLocalSocketMode 600\nDatabaseDirectory /db\n\
                    TemporaryDirectory /tmp/x\nOfficialDatabaseOnly yes\nAlertExceedsMax yes\n\
                    AlertEncrypted no\nMaxFileSize 25M\nStreamMaxLength 7\nMaxScanTime 5000\n\
                    DisableCache yes\nForeground yes\n";
        let conf = Conf::parse(text).unwrap();
        assert_eq!(conf.socket_mode, Some(0o600));
        assert_eq!(conf.load.options, 0x2 | 0x8 | 0x2000 | 0x1000);
        assert_eq!(conf.load.fields, [(1, 25 << 20), (31, 5000), (25, 1)]);
        assert_eq!((conf.scan.heuristic, conf.max_stream, conf.max_scan_time_ms), (0x4, 7, 5000));
    }

    #[test]
    fn only_limits_may_differ_from_a_snapshots() {
        let load = |more: &str| {
            Conf::parse(&format!("DatabaseDirectory /db\nDisableCache yes\n{more}")).unwrap().load
        };
        let made = load("MaxFiles 5\n");
        assert!(made.fits(&load("MaxFiles 6\nMaxScanTime 7\n")));
        assert!(!made.fits(&load("OfficialDatabaseOnly yes\n")) && !made.fits(&load("DisableCache no\n")));
        assert!(!made.fits(&Conf::parse("DatabaseDirectory /db").unwrap().load));
    }

    #[test]
    fn anything_else_ends_the_start() {
        for text in [
            "DatabaseDirectory",
            "DatabaseDirectory /db\nUnknown 5",
            "DatabaseDirectory /db\nMaxFiles x",
            "DatabaseDirectory /db\nMaxFiles -1",
        ] {
            assert!(Conf::parse(text).is_err(), "{text:?}");
        }
        assert!(Source::default().conf().is_err(), "no definitions");
    }
}
