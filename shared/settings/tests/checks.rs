//! Checks of variables against each other, and the policies that result.

use std::time::Duration;

use domain::freshness::FreshnessPolicy;
use domain::machine::MachinePolicy;
use domain::post_verdict::Quarantine;
use domain::upload::{AllowedExtensions, UploadPolicy};
use domain::usage::Quotas;
use settings::{
    ConfigError, Environment, EventSettings, FreshnessSettings, IdentityKeys, IdentitySettings,
    QuotaSettings, StoreSettings, UploadSettings, incoming_rules, machine_policy, protected_buckets,
};

const KEY: &str = "a key of no less than 32 bytes..";

fn env(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_pairs(pairs)
}

#[test]
fn nothing_set_gives_the_domains_defaults() {
    let uploads = UploadSettings::read(&env(&[])).unwrap();
    assert_eq!(
        uploads.policy(),
        UploadPolicy {
            max_file_size: UploadPolicy::DEFAULT_MAX_FILE_SIZE,
            allowed_extensions: AllowedExtensions::default(),
            upload_ttl: UploadPolicy::UPLOAD_TTL,
            retention: Duration::from_hours(24 * UploadPolicy::DEFAULT_RETENTION_DAYS),
        }
    );
    let base = MachinePolicy::default();
    assert_eq!(machine_policy(&env(&[]), base.publishes, base), Ok(base));
    // The table documents 24 as the default.
    assert_eq!(base.rescan_every, Some(Duration::from_hours(24)));
    assert_eq!(FreshnessSettings::read(&env(&[])).unwrap().policy(), FreshnessPolicy::default());
    assert_eq!(QuotaSettings::read(&env(&[])).unwrap().quotas(), Quotas::NONE);
    let largest = env(&[("MAX_FILE_SIZE", &UploadPolicy::LARGEST_SCANNABLE.to_string())]);
    assert!(UploadSettings::read(&largest).is_ok());
}

#[test]
fn what_is_set_wins_over_the_base_policy() {
    let machine = |pairs: &[(&str, &str)], base| machine_policy(&env(pairs), true, base).unwrap();
    let base = MachinePolicy { rescan_every: Some(Duration::from_secs(1)), ..MachinePolicy::default() };
    assert_eq!(machine(&[], base), MachinePolicy { publishes: true, ..base });
    let pairs = [("MAX_FILE_SIZE", "7"), ("QUARANTINE", "move"), ("RESCAN_EVERY_HOURS", "2")];
    let set = machine(&pairs, base);
    assert_eq!(
        set,
        MachinePolicy {
            max_file_size: 7,
            upload_grace: Duration::from_mins(5),
            quarantine: Quarantine::Move,
            rescan_every: Some(Duration::from_hours(2)),
            publishes: true,
            ..base
        }
    );
    assert_eq!(machine(&[("RESCAN_EVERY_HOURS", "0")], base).rescan_every, None);
}

#[test]
fn user_tokens_have_exactly_one_source_of_keys() {
    let read = |more: &[(&str, &str)]| {
        IdentitySettings::read(&env(&[&[("JWT_ISSUER", "i"), ("JWT_AUDIENCE", "a")], more].concat()))
    };
    let url = "https://issuer.example/jwks";
    assert_eq!(read(&[("JWKS_URL", url)]).unwrap().keys, IdentityKeys::Jwks(url.to_owned()));
    let by_secret = read(&[("JWT_SECRET", KEY)]).unwrap();
    assert!(matches!(&by_secret.keys, IdentityKeys::Secret(secret) if secret.exposed() == KEY));
    assert_eq!((by_secret.issuer.as_str(), by_secret.audience.as_str()), ("i", "a"));
    for neither_or_both in [&[][..], &[("JWKS_URL", url), ("JWT_SECRET", KEY)]] {
        let refusal = read(neither_or_both).unwrap_err().to_string();
        assert_eq!(refusal, "set exactly one of `JWKS_URL` and `JWT_SECRET`");
    }
    assert_eq!(IdentitySettings::read(&env(&[])), Err(ConfigError::Missing("JWT_ISSUER")));
}

#[test]
fn a_wrong_rule_about_incoming_objects_names_its_variable() {
    let rules =
        |prefix, owners| incoming_rules(&env(&[("INCOMING_PREFIX", prefix), ("INCOMING_OWNERS", owners)]));
    assert_eq!(rules("", "{invalid}"), Ok(None), "without a prefix the owners' rules are not used");
    assert!(rules("in/", "").unwrap().is_some());
    for (prefix, owners, name) in [
        ("in", "", "INCOMING_PREFIX"),
        ("uploads/", "", "INCOMING_PREFIX"),
        ("in/", "{user}/", "INCOMING_OWNERS"),
        ("in/", "{owner}/,tus/=alice", "INCOMING_OWNERS"),
    ] {
        let refusal = rules(prefix, owners).unwrap_err();
        assert!(matches!(&refusal, ConfigError::Invalid { name: found, .. } if *found == name), "{refusal}");
    }
}

#[test]
fn a_wrong_list_of_protected_buckets_names_its_variable() {
    let read = |list| protected_buckets(&env(&[("PROTECTED_BUCKETS", list)]), "own");
    assert!(protected_buckets(&env(&[]), "own").unwrap().is_empty());
    assert_eq!(read("photos, docs/in/=alice").unwrap().places().count(), 2);
    for list in ["Photos", "photos,photos", "own/in/", "photos/*"] {
        let refusal = read(list).unwrap_err();
        let is_named = matches!(&refusal, ConfigError::Invalid { name: "PROTECTED_BUCKETS", .. });
        assert!(is_named, "{refusal}");
    }
}

#[test]
fn a_deployment_needs_its_bucket_and_its_table() {
    let [bucket, table, queue, events] = [
        ("S3_BUCKET_NAME", "b"),
        ("AIRLOCK_TABLE", "t"),
        ("AIRLOCK_SCAN_QUEUE_URL", "q"),
        ("AIRLOCK_EVENT_QUEUE_URL", "e"),
    ];
    let missing = |pairs: &[(&str, &str)]| StoreSettings::read(&env(pairs)).unwrap_err();
    assert_eq!(missing(&[table]), ConfigError::Missing("S3_BUCKET_NAME"));
    assert_eq!(missing(&[bucket]), ConfigError::Missing("AIRLOCK_TABLE"));
    let least = StoreSettings::read(&env(&[bucket, table])).unwrap();
    assert_eq!(least.require_scan_queue(), Err(ConfigError::Missing("AIRLOCK_SCAN_QUEUE_URL")));
    assert!(!least.publishes());
    let all = StoreSettings::read(&env(&[bucket, table, queue, events])).unwrap();
    assert_eq!(all.require_scan_queue(), Ok(()));
    assert!(all.publishes());
}

#[test]
fn events_have_receivers_where_one_is_set() {
    let has = |pairs: &[(&str, &str)]| EventSettings::read(&env(pairs)).unwrap().has_receivers();
    assert!(!has(&[]));
    assert!(!has(&[("WEBHOOK_SECRET", "alone")]));
    assert!(has(&[("EVENT_BUS_NAME", "default")]));
    assert!(has(&[("WEBHOOK_URLS", "https://hooks.example/")]));
}
