//! Each variable has its default, accepts what is allowed, and refuses the rest with a message that says why.

use std::collections::BTreeSet;

use settings::{
    AWS, BucketSettings, CLIENT, ConfigError, DeadLetterSettings, DefinitionBucketSettings,
    DefinitionTrustSettings, DeploymentSettings, EngineSettings, Environment, EventSettings,
    FreshnessSettings, HostSettings, IncomingSettings, LambdaSettings, LayerSettings, LinkSettings,
    LiveStreamSettings, LogSettings, OriginSettings, PasswordSettings, ProtectedSettings, PublisherSettings,
    QuotaSettings, RescanSettings, SUBJECTS, SampleSettings, StorageSettings, TagSettings, TokenSettings,
    UploadSettings, VerdictSettings, WorkerSettings,
};

type Pairs = &'static [(&'static str, &'static str)];

struct Row {
    name: &'static str,
    read: fn(&Environment) -> Result<String, ConfigError>,
    /// Other variables that the subject requires.
    beside: Pairs,
    /// The value, as `Debug` prints it, when the variable is not set; `None` if it must be.
    absent: Option<&'static str>,
    /// Values, and how `Debug` prints what they are read as.
    valid: Pairs,
    invalid: &'static [&'static str],
}

/// One row; `required` stands for a variable that has no default.
macro_rules! row {
    ($name:literal, $subject:ident.$field:ident, $absent:expr, $valid:expr, $invalid:expr) => {
        row!($name, $subject.$field, $absent, $valid, $invalid, &[])
    };
    ($name:literal, $subject:ident.$field:ident, $absent:expr, $valid:expr, $invalid:expr, $beside:expr) => {
        Row {
            name: $name,
            read: |env| Ok(format!("{:?}", $subject::read(env)?.$field)),
            beside: $beside,
            absent: $absent,
            valid: $valid,
            invalid: $invalid,
        }
    };
}

const NOT_NUMBERS: &[&str] = &["many", "-1", "1.5", "1e3", "18446744073709551616"];
const NOT_ADDRESSES: &[&str] = &["8000", ":8000", "localhost:8000", "127.0.0.1", "127.0.0.1:65536"];
const NOT_URLS: &[&str] = &["files.example", "https://files.example/storage", "https://a b"];
const SHORT_KEYS: &[&str] = &["short", "one byte less than thirty-two b"];
const LONG_KEY: &str = "a key of no less than 32 bytes..";
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const KEY_BYTES: &str =
    "[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]";
const BAD_KEYS: &[&str] = &["AAAA", "not base64!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
const TOKENS: Pairs = &[("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")];
const SIGNED: Pairs = &[("AIRLOCK_SIGNING_KEY_ARN", "arn")];
const TABLE: Pairs = &[("AIRLOCK_TABLE", "t")];
const TEXT: Pairs = &[("text", r#"Some("text")"#), (" text ", r#"Some("text")"#)];

fn rows() -> Vec<Row> {
    [shared_rows(), host_rows()].into_iter().flatten().collect()
}

/// The variables that an operator sets on any host.
#[rustfmt::skip]
fn shared_rows() -> Vec<Row> {
    vec![
        row!("STORAGE_TYPE", StorageSettings.kind, Some("Local"),
            &[("local", "Local"), ("s3", "S3")], &["ftp", "S3"]),
        row!("S3_BUCKET_NAME", BucketSettings.name, Some("None"), TEXT, &[]),
        row!("MAX_FILE_SIZE", UploadSettings.max_file_size, Some("104857600"),
            &[("0", "0"), ("2147483647", "2147483647")],
            &["large", "-1", "1.5", "2147483648", "18446744073709551616"]),
        row!("MAX_SCAN_BODY_SIZE", UploadSettings.max_scan_body, Some("26214400"),
            &[("0", "0"), ("2147483647", "2147483647")],
            &["large", "-1", "1.5", "2147483648", "18446744073709551616"]),
        row!("READ_BUCKETS", UploadSettings.read_buckets, Some("[]"),
            &[("team-files", r#"["team-files"]"#), ("a.b-1, other", r#"["a.b-1", "other"]"#)],
            &["ab", "Upper-case", "a/prefix", "s3://bucket", "under_score"]),
        row!("ALLOWED_EXTENSIONS", UploadSettings.allowed_extensions, Some("None"),
            &[("*", "Some(All)"), (".PDF, txt", r#"Some(Only({"pdf", "txt"}))"#)], &[]),
        row!("FILE_RETENTION_DAYS", UploadSettings.retention, Some("604800s"),
            &[("1", "86400s")], NOT_NUMBERS),
        row!("DOWNLOAD_LINK_EXPIRE_HOURS", LinkSettings.link_ttl, Some("86400s"),
            &[("2", "7200s")], NOT_NUMBERS),
        row!("SECRET_KEY", LinkSettings.secret_key, Some("None"),
            &[(LONG_KEY, "Some([redacted])")], SHORT_KEYS),
        row!("SECRET_KEY_ARN", LinkSettings.secret_key_arn, Some("None"), TEXT, &[]),
        row!("ALLOWED_ORIGINS", OriginSettings.allowed_origins, Some("[]"),
            &[("https://a.example, https://b.example,", r#"["https://a.example", "https://b.example"]"#)],
            &["*", "https://a.example,*"]),
        row!("JWT_ISSUER", TokenSettings.issuer, None, &[("i", r#""i""#)], &[], &[("JWT_AUDIENCE", "a")]),
        row!("JWT_AUDIENCE", TokenSettings.audience, None, &[("a", r#""a""#)], &[], &[("JWT_ISSUER", "i")]),
        row!("JWKS_URL", TokenSettings.jwks_url, Some("None"), TEXT, &[], TOKENS),
        row!("JWT_SECRET", TokenSettings.secret, Some("None"),
            &[(LONG_KEY, "Some([redacted])")], SHORT_KEYS, TOKENS),
        row!("ENGINE", EngineSettings.engine, Some("None"),
            &[("clamd", "Some(Clamd)"), ("snapshot", "Some(Snapshot)")], &["fast", "Clamd"]),
        row!("VIRUS_SCAN_TIMEOUT", EngineSettings.scan_timeout, Some("300s"), &[("60", "60s")], NOT_NUMBERS),
        row!("SCAN_WORKERS", WorkerSettings.scan_workers, Some("None"),
            &[("1", "Some(1)"), ("32", "Some(32)")], &["0", "33", "-1", "many"]),
        row!("DEFINITIONS_MAX_AGE_DAYS", FreshnessSettings.max_age, Some("604800s"),
            &[("30", "2592000s")], NOT_NUMBERS),
        row!("QUARANTINE", VerdictSettings.quarantine, Some("Keep"),
            &[("keep", "Keep"), ("delete", "Delete"), ("move", "Move")], &["shred", "Keep"]),
        row!("RESCAN_EVERY_HOURS", VerdictSettings.rescan_every_hours, Some("None"),
            &[("0", "Some(0)"), ("48", "Some(48)")], NOT_NUMBERS),
        row!("SAMPLE_DOWNLOADS", SampleSettings.may_download, Some("false"),
            &[("true", "true"), ("false", "false")], &["yes", "1", "TRUE"]),
        row!("RESCANS_PER_MINUTE", RescanSettings.per_minute, Some("60"),
            &[("0", "0"), ("4294967295", "4294967295")], &["many", "-1", "1.5", "4294967296"]),
        row!("TAG_PROFILE", TagSettings.profile, Some("ClamScan"),
            &[("scan-status", "ClamScan"), ("guardduty", "GuardDuty"), ("plain", "Plain")],
            &["other", "Plain"]),
        row!("QUOTA_PENDING_UPLOADS", QuotaSettings.pending, Some("None"), &[("5", "Some(5)")], NOT_NUMBERS),
        row!("QUOTA_FILES", QuotaSettings.objects, Some("None"), &[("0", "Some(0)")], NOT_NUMBERS),
        row!("QUOTA_BYTES", QuotaSettings.bytes, Some("None"), &[("5", "Some(5)")], NOT_NUMBERS),
        row!("QUOTA_SCAN_SECONDS_PER_DAY", QuotaSettings.scan_seconds, Some("None"),
            &[("5", "Some(5)")], NOT_NUMBERS),
        row!("INCOMING_PREFIX", IncomingSettings.prefix, Some("None"), &[("in/", r#"Some("in/")"#)], &[]),
        row!("INCOMING_OWNERS", IncomingSettings.owners, Some(r#""{owner}/""#),
            &[("=alice", r#""=alice""#)], &[]),
        row!("PROTECTED_BUCKETS", ProtectedSettings.buckets, Some("None"),
            &[("photos,docs/in/=a", r#"Some("photos,docs/in/=a")"#)], &[]),
        row!("PROTECTED_CHANGES", ProtectedSettings.changes,
            Some("ProtectedChanges { quarantines: false, deletes: false }"),
            &[("quarantine,delete", "ProtectedChanges { quarantines: true, deletes: true }")],
            &["none", "quarantine delete", "DELETE"]),
        row!("EVENT_PROFILE", EventSettings.profile, Some("Airlock"),
            &[("airlock", "Airlock"), ("guardduty", "GuardDuty")], &["aws.guardduty", "GuardDuty"]),
        row!("EVENT_BUS_NAME", EventSettings.event_bus, Some("None"), TEXT, &[]),
        row!("WEBHOOK_URLS", EventSettings.webhook_urls, Some("[]"),
            &[("a  b", "[[redacted], [redacted]]")], &[]),
        row!("WEBHOOK_SECRET", EventSettings.webhook_secrets, Some("[]"),
            &[("new old", "[[redacted], [redacted]]")], &[]),
        row!("WEBHOOK_SECRET_ARN", EventSettings.webhook_secret_arn, Some("None"), TEXT, &[]),
        row!("WEBHOOK_PRIVATE_HOSTS", EventSettings.private_hosts, Some("[]"),
            &[("h:1 i:2", r#"["h:1", "i:2"]"#)], &[]),
        row!("DEBUG", LogSettings.is_debug, Some("false"),
            &[("true", "true"), ("false", "false"), ("yes", "false")], &[]),
    ]
}

/// The variables that a template or a host sets.
#[rustfmt::skip]
fn host_rows() -> Vec<Row> {
    vec![
        row!("DATA_DIR", HostSettings.data_dir, Some(r#""data""#), &[("/d", r#""/d""#)], &[]),
        row!("LISTEN", HostSettings.listen, Some("127.0.0.1:8000"),
            &[("0.0.0.0:80", "0.0.0.0:80"), ("[::1]:8000", "[::1]:8000")], NOT_ADDRESSES),
        row!("S3_LISTEN", HostSettings.s3_listen, Some("127.0.0.1:8001"),
            &[("10.0.0.5:9000", "10.0.0.5:9000")], NOT_ADDRESSES),
        row!("PUBLIC_URL", HostSettings.public_url, Some("None"),
            &[("https://A.example/", r#"Some(PublicUrl { is_https: true, host: "a.example", port: None })"#)],
            NOT_URLS),
        row!("S3_URL", HostSettings.s3_url, Some("None"),
            &[("http://a:8001", r#"Some(PublicUrl { is_https: false, host: "a", port: Some(8001) })"#)],
            NOT_URLS),
        row!("AUTH", HostSettings.auth, Some("None"), &[("none", "None"), ("jwt", "Jwt")], &["JWT", "basic"]),
        row!("DEFINITIONS", HostSettings.definitions, Some(r#""auto""#), &[("/d", r#""/d""#)], &[]),
        row!("PASSWORD_KEY", PasswordSettings.key, Some("None"),
            &[(LONG_KEY, "Some([redacted])")], SHORT_KEYS),
        row!("PASSWORD_KEY_ARN", PasswordSettings.key_arn, Some("None"), TEXT, &[]),
        row!("LIVE_STREAM_SECONDS", LiveStreamSettings.longest_stream, Some("300s"),
            &[("9", "9s")], NOT_NUMBERS),
        row!("SCAN_CONCURRENCY", LiveStreamSettings.n_workers, Some("5"), &[("2", "2")], NOT_NUMBERS),
        row!("AWS_LAMBDA_LOG_LEVEL", LogSettings.lambda_level, Some(r#""info""#),
            &[("WARN", r#""WARN""#)], &[]),
        row!("AWS_LAMBDA_FUNCTION_NAME", LambdaSettings.function_name, Some("None"), TEXT, &[]),
        row!("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", LambdaSettings.memory_size, Some("None"), TEXT, &[]),
        row!("AWS_LAMBDA_FUNCTION_VERSION", LambdaSettings.version, Some("None"), TEXT, &[]),
        row!("AIRLOCK_TABLE", DeploymentSettings.table, None, &[("t", r#""t""#)], &[]),
        row!("AIRLOCK_SCAN_QUEUE_URL", DeploymentSettings.scan_queue_url, Some("None"), TEXT, &[], TABLE),
        row!("AIRLOCK_EVENT_QUEUE_URL", DeploymentSettings.event_queue_url, Some("None"), TEXT, &[], TABLE),
        row!("AIRLOCK_DEAD_LETTERS_URL", DeadLetterSettings.url, Some("None"), TEXT, &[]),
        row!("AIRLOCK_DEFINITIONS_BUCKET", DefinitionBucketSettings.bucket, None, &[("b", r#""b""#)], &[]),
        row!("AIRLOCK_DEFINITIONS_PUBLIC_KEY", DefinitionTrustSettings.public_key, None,
            &[(KEY, KEY_BYTES)], BAD_KEYS),
        row!("AIRLOCK_SIGNING_KEY_ARN", PublisherSettings.signing_key_arn, None, &[("a", r#""a""#)], &[]),
        row!("AIRLOCK_FRESHCLAM", PublisherSettings.freshclam, Some(r#""/opt/bin/freshclam""#),
            &[("/f", r#""/f""#)], &[], SIGNED),
        row!("DEFINITIONS_MIRROR", PublisherSettings.mirror, Some("None"), TEXT, &[], SIGNED),
        row!("AIRLOCK_CLAMD", LayerSettings.clamd, Some(r#""/opt/bin/clamd""#), &[("/c", r#""/c""#)], &[]),
        row!("AIRLOCK_ENGINE", LayerSettings.airlock_engine, Some(r#""/opt/bin/airlock-engine""#),
            &[("/e", r#""/e""#)], &[]),
        row!("AIRLOCK_SCRATCH", LayerSettings.scratch, Some(r#""/tmp/airlock""#), &[("/s", r#""/s""#)], &[]),
    ]
}

impl Row {
    fn with(&self, value: &str) -> Result<String, ConfigError> {
        (self.read)(&Environment::from_pairs(&[self.beside, &[(self.name, value)]].concat()))
    }

    fn is_secret(&self) -> bool {
        let mut variables = SUBJECTS.iter().flat_map(|subject| subject.variables);
        variables.find(|variable| variable.name == self.name).unwrap().is_secret
    }
}

#[test]
fn what_is_not_set_has_its_default() {
    for row in rows() {
        let absent = row.absent.map(ToOwned::to_owned).ok_or(ConfigError::Missing(row.name));
        assert_eq!((row.read)(&Environment::from_pairs(row.beside)), absent, "{}", row.name);
        for empty in ["", "  "] {
            assert_eq!(row.with(empty), absent, "{} as `{empty}`", row.name);
        }
    }
}

#[test]
fn what_is_allowed_is_read() {
    for row in rows() {
        assert!(!row.valid.is_empty());
        for (value, expected) in row.valid {
            assert_eq!(row.with(value).as_deref(), Ok(*expected), "{} as `{value}`", row.name);
        }
    }
}

#[test]
fn all_else_is_refused_by_name_with_what_is_allowed() {
    for row in rows() {
        for value in row.invalid {
            let refusal = row.with(value).unwrap_err();
            let message = refusal.to_string();
            let start = if row.is_secret() {
                format!("`{}`", row.name)
            } else {
                format!("`{}` is `{value}`:", row.name)
            };
            assert!(message.starts_with(&format!("{start} must be ")), "{message}");
            let shows_secret = row.is_secret() && [message, format!("{refusal:?}")].concat().contains(value);
            assert!(!shows_secret, "{refusal:?}");
        }
    }
}

#[test]
fn every_variable_has_a_row() {
    let read_elsewhere = |name: &str| {
        [AWS, CLIENT].iter().any(|subject| subject.variables.iter().any(|variable| variable.name == name))
    };
    let declared = SUBJECTS.iter().flat_map(|subject| subject.variables).map(|variable| variable.name);
    let declared: Vec<&str> = declared.filter(|name| !read_elsewhere(name)).collect();
    let unique: BTreeSet<&str> = declared.iter().copied().collect();
    assert_eq!(unique.len(), declared.len(), "a variable is declared twice");
    assert_eq!(rows().iter().map(|row| row.name).collect::<BTreeSet<_>>(), unique);
}
