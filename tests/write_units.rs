//! The life of a file takes at most 24 of DynamoDB's write units, and a rescan nine.
//!
//! Counted by the stand-in as DynamoDB's `ReturnConsumedCapacity` counts: by the kilobyte of the larger
//! image, each index whose keys change in addition. Retries, renewed leases, quotas, idempotency keys and
//! events cost more.

use std::time::Duration;

use domain::id::FileId;
use domain::machine::{Event, MachinePolicy};
use domain::post_verdict::Rescans;
use domain::record::Status;
use domain::timestamp::Timestamp;
use domain::verdict::EngineVersion;
use lifecycle::Transitions;
use serde_json::json;

use crate::identity::{ENV, user_token};
use crate::support::{Service, sha256, wait};

/// An owner's name as long as the subjects of most issuers.
const SUBJECT: &str = "0c5c6a3e-9f0b-4c8e-8f57-2f0a4a1d7e10";
const BYTES: &[u8] = b"nothing that anyone would mind, and long enough";

/// The write units of a step in a file's life.
struct Meter<'a> {
    service: &'a Service,
    n_before: u64,
}

impl<'a> Meter<'a> {
    fn of(service: &'a Service) -> Self {
        Self { service, n_before: units(service) }
    }

    /// The write units since the last step.
    fn step(&mut self) -> u64 {
        let n_now = units(self.service);
        n_now - std::mem::replace(&mut self.n_before, n_now)
    }
}

/// Write units of records, of cached verdicts and of statistics; other items belong to no file.
fn units(service: &Service) -> u64 {
    let counted = service.local.dynamodb().write_units();
    assert!(!counted.contains_key("transaction"), "{counted:?}");
    ["file", "known", "stats", "failures"].iter().filter_map(|kind| counted.get(*kind)).sum()
}

/// Write units of statistics.
fn counted(service: &Service) -> u64 {
    service.local.dynamodb().write_units().get("stats").copied().unwrap_or(0)
}

/// The sweep's visit of the file at `now`.
async fn visit(service: &Service, file: FileId, engine: Option<EngineVersion>, now: Timestamp) {
    let transitions = Transitions { stores: service.local.stores(), policy: &MachinePolicy::default() };
    let rescans = Rescans { has_room: engine.is_some(), engine, is_out_of_reach: false };
    let applied = transitions.apply(file, &Event::Due { found: None, rescans }, now).await.unwrap();
    transitions.run_effects(&applied.unwrap(), now).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_file_takes_no_more_write_units_than_documented() {
    let service = Service::start_with(&ENV, |settings| {
        settings.auth = local::Auth::Jwt;
        settings.tuning.reuses_verdicts = true;
        settings.tuning.machine = MachinePolicy::default();
        // The test itself visits its file, at times that it chooses.
        settings.tuning.sweep_every = Duration::from_hours(1);
    })
    .await
    .with_token(user_token(SUBJECT));
    let mut meter = Meter::of(&service);
    let announced = json!({ "filename": "quarterly-report.txt", "size": BYTES.len(),
        "checksum_sha256": sha256(BYTES), "max_downloads": 10 });
    let accepted = service.create_upload(&announced).await;
    let created = meter.step();

    service.put(&accepted, BYTES).await;
    service.ends_as(&accepted.file_id, "clean").await;
    let file = FileId::parse(&accepted.file_id).unwrap();
    let ledger = &service.local.stores().ledger;
    // The verdict is cached and counted after it becomes visible.
    let mut judged = 0;
    wait::until("the verdict is counted", async || {
        judged += meter.step();
        service.local.dynamodb().write_units().contains_key("stats")
    })
    .await;

    let link = service.link(&accepted.file_id).await;
    assert_eq!(service.download(&link).await.bytes().await.unwrap(), BYTES);
    let downloaded = meter.step();

    let first = ledger.load(file).await.unwrap().unwrap();
    let judgement = first.judgement().unwrap().clone();
    let mut newer = judgement.engine.unwrap();
    newer.definitions.version.push('1');
    visit(&service, file, Some(newer), first.rescan().due_at().unwrap()).await;
    let queued = meter.step();
    let (mut rescanned, n_counted) = (0, counted(&service));
    wait::until("the rescan is over, and counted", async || {
        rescanned += meter.step();
        let record = ledger.load(file).await.unwrap().unwrap();
        let is_over = !record.rescan().is_on() && record.judgement().unwrap().judged_at > judgement.judged_at;
        is_over && counted(&service) > n_counted
    })
    .await;
    rescanned += meter.step();

    let last = ledger.load(file).await.unwrap().unwrap();
    visit(&service, file, None, last.expires_at).await;
    let ended = meter.step();
    assert_eq!(ledger.load(file).await.unwrap().unwrap().status(), Status::Expired);

    let life = [created, judged, downloaded, ended];
    println!("life {life:?}, rescan {:?}", [queued, rescanned]);
    assert!(life.iter().sum::<u64>() <= 24, "created, judged, downloaded, ended: {life:?}");
    assert_eq!(downloaded, 1);
    assert!(queued + rescanned <= 9, "{queued} to queue a rescan, {rescanned} to run it");
    service.stop().await;
}
