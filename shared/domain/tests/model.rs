//! Proves, over every interleaving of a bounded world, that S1, S2, S5 and S7 of the design hold, and that the checker
//! would notice if they did not: each seeded bug, one condition removed, is found.
//!
//! The world: one file behind a replayable POST policy, two versions (the first clean, the second infected), events
//! that are lost, duplicated and reordered, two scanners that load and commit in separate moments and may crash, an
//! engine that may fail, two downloaders of a limit-1 link, an owner who may delete, and a sweep at every tick.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use domain::access::{DownloadGrant, LinkClaims, grant, may_count};
use domain::freshness::{Definitions, DefinitionsKind, FreshnessPolicy};
use domain::id::{ETag, FileId, OwnerId, ScanId, Sha256, Version, VersionId};
use domain::machine::{Effect, Event, MachinePolicy, Report, Step, step};
use domain::record::{Lease, Record, State, Status, UploadMethod};
use domain::timestamp::Timestamp;
use domain::upload::{AllowedExtensions, UploadPolicy, UploadRequest, accept};
use domain::verdict::{Engine, EngineReply, Evidence, Outcome, ScanError, Verdict, judge};
use stateright::{Checker, HasDiscoveries, Model, Property};

const START: i64 = 1_700_000_000;
/// Ticks of one second. Nothing is uploaded, lost or broken from this one on,
const CALM_FROM: u8 = 2;
/// time waits for messages and scanners from this one on,
const PATIENT_FROM: u8 = 3;
/// and by the last one every file must have ended.
const LAST_TICK: u8 = 7;

fn policy() -> MachinePolicy {
    MachinePolicy {
        lease: Duration::from_secs(1),
        max_attempts: 2,
        look_again: Duration::from_secs(1),
        upload_grace: Duration::ZERO,
        max_file_size: 100,
    }
}

fn upload_policy() -> UploadPolicy {
    UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: Duration::from_secs(2),
        retention: Duration::from_mins(1),
    }
}

/// The world with one condition removed. Three conditions are not here because the checker shows them to be second
/// locks, without which the others still hold: the verdict's version check (versions are bound once), the lease's fence
/// (two scanners judge the same bytes) and the mark for surplus versions (the late look finds them too).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Bug {
    /// Commits ignore the revision.
    CommitUnconditionally,
    /// A later version takes the place of the bound one.
    LaterVersionRebinds,
    /// The URL names the key only, and serves the latest version.
    PresignLatest,
    /// The count has no limit in its condition.
    CountWithoutLimit,
    /// The URL is handed out on what was loaded earlier; the count does not look at the status.
    GrantFromStaleRead,
    /// An engine failure counts as "nothing found".
    InconclusiveIsClean,
    /// The last report wins.
    CleanOverwritesInfected,
    /// The sweep does not run.
    NoSweep,
    /// A deleted file is purged once, although an upload may still arrive.
    NoLateLook,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct World {
    tick: u8,
    record: Arc<Record>,
    /// Which versions are under the key, oldest first.
    stored: Vec<u8>,
    n_uploads: u8,
    messages: Vec<u8>,
    losses_left: u8,
    copies_left: u8,
    faults_left: u8,
    scanners: Vec<Scanner>,
    downloaders: Vec<Downloader>,
    /// What each URL served when it was handed out, and whether the record said clean at that moment.
    urls: Vec<(u8, bool)>,
    was_deleted: bool,
    was_infected: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Scanner {
    Idle,
    /// Has loaded the record and is about to commit what `event` makes of it.
    Loaded { seen: Arc<Record>, event: Event },
    Scanning { version: u8, lease: Lease },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Downloader {
    Idle,
    Granted(Box<DownloadGrant>),
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Action {
    Upload,
    Lose(usize),
    Copy(usize),
    Deliver { message: usize, scanner: usize },
    Commit(usize),
    FinishScan(usize),
    EngineFails(usize),
    Crash(usize),
    Load(usize),
    CountAndPresign(usize),
    OwnerDeletes,
    Tick,
}

/// How big the world is. Two smaller worlds reach what one big one would, in seconds instead of hours.
#[derive(Clone, Copy)]
struct Size {
    scanners: usize,
    downloaders: usize,
    losses: u8,
    copies: u8,
    faults: u8,
}

/// Everything that can go wrong between an upload and its verdict.
const SCANNING: Size = Size { scanners: 2, downloaders: 0, losses: 1, copies: 1, faults: 1 };
/// Everything that can go wrong between a verdict and a download.
const DOWNLOADING: Size = Size { scanners: 1, downloaders: 2, losses: 0, copies: 1, faults: 0 };

struct Airlock {
    bug: Option<Bug>,
    size: Size,
}

fn version(n: u8) -> Version {
    Version { version_id: version_id(n), etag: ETag::parse("e").unwrap(), size_bytes: 10 }
}

fn version_id(n: u8) -> VersionId {
    VersionId::parse(format!("v{n}")).unwrap()
}

fn number(id: &VersionId) -> u8 {
    id.as_str()[1..].parse().unwrap()
}

fn now(tick: u8) -> Timestamp {
    Timestamp::from_secs(START + i64::from(tick))
}

fn holder(scanner: usize) -> ScanId {
    ScanId::from_random(uuid::Uuid::from_u128(u128::try_from(scanner).unwrap() + 1))
}

/// What the engine says of a version: the first is clean, every later one infected.
fn report(version: u8, at: Timestamp) -> Report {
    let reply = if version == 1 { EngineReply::Ok } else { EngineReply::Found("Eicar".into()) };
    let definitions = Definitions { kind: DefinitionsKind::TestSet, version: "t".into(), built_at: at, n_signatures: 1 };
    let engine = Engine { version: "ClamAV".into(), definitions };
    let evidence = Evidence {
        announced_size: 10,
        stored_size: 10,
        streamed_size: 10,
        sha256: Sha256::from_bytes([version; 32]),
        declared_sha256: None,
        reply,
        canary_found_before: true,
        canary_found_after: true,
        n_engine_errors: 0,
        engine,
    };
    let outcome = judge(&evidence, FreshnessPolicy::default(), at);
    Report { outcome, duration: Duration::ZERO, sha256: None, engine: None }
}

impl Airlock {
    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// [`step`], or what it would be without one of its conditions.
    fn step(&self, record: &Record, event: &Event, at: Timestamp) -> Step {
        let mut event = event.clone();
        let mut record = record.clone();
        match &mut event {
            Event::Claimed { version, .. } => {
                let bound = record.state.version().cloned();
                let is_other = bound.is_some_and(|bound| bound.version_id != version.version_id);
                if is_other && self.is(Bug::LaterVersionRebinds) {
                    record.state = State::Awaiting;
                }
            }
            Event::Scanned { version_id, report, holder } => {
                if self.is(Bug::InconclusiveIsClean) && matches!(report.outcome, Outcome::Inconclusive(_)) {
                    *report = self::report(1, at);
                }
                let is_infected = record.status() == Status::Infected;
                if is_infected && self.is(Bug::CleanOverwritesInfected) {
                    let version = record.state.version().unwrap().clone();
                    *version_id = version.version_id.clone();
                    let lease = Lease { holder: *holder, epoch: 1, until: at };
                    record.state = State::Scanning { version, lease };
                }
            }
            Event::Purged if self.is(Bug::NoLateLook) => record.upload_deadline = at,
            _ => {}
        }
        step(&record, &event, &policy(), at)
    }

    /// Commits a step taken on `seen`; false means conflict.
    fn commit(&self, world: &mut World, seen: &Record, taken: &Step) -> bool {
        let Step::Commit { next, .. } = taken else { return true };
        if world.record.revision != seen.revision && !self.is(Bug::CommitUnconditionally) {
            return false;
        }
        let download_count = world.record.download_count; // the count is its own atomic write
        world.record = Arc::new(Record { download_count, ..(**next).clone() });
        world.was_infected |= world.record.status() == Status::Infected;
        true
    }

    fn run_effects(&self, world: &mut World, taken: &Step) {
        let (Step::Keep { effects, .. } | Step::Commit { effects, .. }) = taken;
        for effect in effects {
            match effect {
                Effect::QueueScan { version } => world.messages.push(number(&version.version_id)),
                Effect::Purge => {
                    world.stored.clear();
                    self.apply(world, &Event::Purged);
                }
                Effect::PurgeOthers { keep } => {
                    world.stored.retain(|stored| *stored == number(&keep.version_id));
                    self.apply(world, &Event::Purged);
                }
                Effect::Scan { .. } | Effect::Tag { .. } => {}
            }
        }
        world.messages.sort_unstable();
    }

    /// Load, step, commit and effects in one moment: the sweep and the owner.
    fn apply(&self, world: &mut World, event: &Event) {
        let seen = world.record.clone();
        let taken = self.step(&seen, event, now(world.tick));
        assert!(self.commit(world, &seen, &taken));
        self.run_effects(world, &taken);
    }
}

impl Model for Airlock {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let request = UploadRequest { filename: "a.txt", max_downloads: Some(1), ..UploadRequest::default() };
        let upload = accept(&request, &upload_policy()).unwrap();
        let file_id = FileId::from_random(uuid::Uuid::from_u128(7));
        let first_look = Duration::from_secs(1);
        let record =
            Record::new(file_id, OwnerId::local(), upload, UploadMethod::Post, &upload_policy(), first_look, now(0));
        vec![World {
            tick: 0,
            record: Arc::new(record),
            stored: vec![],
            n_uploads: 0,
            messages: vec![],
            losses_left: self.size.losses,
            copies_left: self.size.copies,
            faults_left: self.size.faults,
            scanners: vec![Scanner::Idle; self.size.scanners],
            downloaders: vec![Downloader::Idle; self.size.downloaders],
            urls: vec![],
            was_deleted: false,
            was_infected: false,
        }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        let is_calm = world.tick >= CALM_FROM;
        if world.n_uploads < 2 && !is_calm {
            actions.push(Action::Upload);
        }
        for message in 0..world.messages.len() {
            if world.losses_left > 0 && !is_calm {
                actions.push(Action::Lose(message));
            }
            if world.copies_left > 0 && !is_calm {
                actions.push(Action::Copy(message));
            }
            for (scanner, state) in world.scanners.iter().enumerate() {
                if *state == Scanner::Idle {
                    actions.push(Action::Deliver { message, scanner });
                }
            }
        }
        for (scanner, state) in world.scanners.iter().enumerate() {
            match state {
                Scanner::Idle => {}
                Scanner::Loaded { .. } => actions.push(Action::Commit(scanner)),
                Scanner::Scanning { .. } => {
                    actions.push(Action::FinishScan(scanner));
                    if world.faults_left > 0 && !is_calm {
                        actions.push(Action::EngineFails(scanner));
                        actions.push(Action::Crash(scanner));
                    }
                }
            }
        }
        for (downloader, state) in world.downloaders.iter().enumerate() {
            match state {
                Downloader::Idle if world.record.status() == Status::Clean => actions.push(Action::Load(downloader)),
                Downloader::Granted(_) => actions.push(Action::CountAndPresign(downloader)),
                _ => {}
            }
        }
        if !world.was_deleted && world.n_uploads > 0 && !is_calm {
            actions.push(Action::OwnerDeletes);
        }
        let is_busy = !world.messages.is_empty() || world.scanners.iter().any(|scanner| *scanner != Scanner::Idle);
        if world.tick < PATIENT_FROM || (world.tick < LAST_TICK && !is_busy) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        let at = now(world.tick);
        match action {
            Action::Upload => {
                next.n_uploads += 1;
                next.stored.push(next.n_uploads);
                next.messages.push(next.n_uploads);
                next.messages.sort_unstable();
            }
            Action::Lose(message) => {
                next.messages.remove(message);
                next.losses_left -= 1;
            }
            Action::Copy(message) => {
                next.messages.push(world.messages[message]);
                next.messages.sort_unstable();
                next.copies_left -= 1;
            }
            Action::Deliver { message, scanner } => {
                let version = version(next.messages.remove(message));
                let event = Event::Claimed { version, holder: holder(scanner) };
                next.scanners[scanner] = Scanner::Loaded { seen: Arc::clone(&world.record), event };
            }
            Action::Commit(scanner) => {
                let Scanner::Loaded { seen, event } = &world.scanners[scanner] else { return None };
                let taken = self.step(seen, event, at);
                if !self.commit(&mut next, seen, &taken) {
                    next.scanners[scanner] =
                        Scanner::Loaded { seen: Arc::clone(&world.record), event: event.clone() };
                    return Some(next);
                }
                next.scanners[scanner] = Scanner::Idle;
                if let Step::Commit { effects, .. } = &taken {
                    for effect in effects {
                        if let Effect::Scan { version, lease } = effect {
                            let version = number(&version.version_id);
                            next.scanners[scanner] = Scanner::Scanning { version, lease: *lease };
                        }
                    }
                }
                self.run_effects(&mut next, &taken);
            }
            Action::FinishScan(scanner) | Action::EngineFails(scanner) => {
                let Scanner::Scanning { version, lease } = world.scanners[scanner] else { return None };
                let report = if matches!(action, Action::EngineFails(_)) {
                    next.faults_left -= 1;
                    Report { outcome: Outcome::Inconclusive(ScanError::EngineTrouble), ..report(version, at) }
                } else if world.stored.contains(&version) {
                    report(version, at)
                } else {
                    Report { outcome: Outcome::Inconclusive(ScanError::StorageTrouble), ..report(version, at) }
                };
                if matches!(report.outcome, Outcome::Inconclusive(_)) {
                    next.messages.push(version); // the failed message is delivered again
                    next.messages.sort_unstable();
                }
                let event = Event::Scanned { version_id: version_id(version), holder: lease.holder, report };
                next.scanners[scanner] = Scanner::Loaded { seen: Arc::clone(&world.record), event };
            }
            Action::Crash(scanner) => {
                next.faults_left -= 1;
                next.scanners[scanner] = Scanner::Idle;
            }
            Action::Load(downloader) => {
                let version = world.record.state.version()?;
                let claims = LinkClaims {
                    file_id: world.record.file_id,
                    version_id: version.version_id.clone(),
                    expires_at: at + Duration::from_mins(1),
                };
                let granted = grant(&world.record, &claims, at);
                next.downloaders[downloader] =
                    granted.map_or(Downloader::Done, |grant| Downloader::Granted(Box::new(grant)));
            }
            Action::CountAndPresign(downloader) => {
                let Downloader::Granted(grant) = &world.downloaders[downloader] else { return None };
                let mut counted = Record::clone(&world.record);
                if self.is(Bug::CountWithoutLimit) {
                    counted.max_downloads = None;
                }
                let allowed = self.is(Bug::GrantFromStaleRead) || may_count(&counted, grant);
                if allowed {
                    Arc::make_mut(&mut next.record).download_count += 1;
                    let latest = world.stored.last().copied().unwrap_or(0);
                    let pinned = number(&grant.version().version_id);
                    let served = if self.is(Bug::PresignLatest) { latest } else { pinned };
                    next.urls.push((served, world.record.status() == Status::Clean));
                }
                next.downloaders[downloader] = Downloader::Done;
            }
            Action::OwnerDeletes => {
                next.was_deleted = true;
                self.apply(&mut next, &Event::OwnerDeleted);
            }
            Action::Tick => {
                next.tick += 1;
                let found = next.stored.last().map(|latest| version(*latest));
                if !self.is(Bug::NoSweep) {
                    self.apply(&mut next, &Event::Due { found });
                }
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("S1 a URL serves the version whose verdict is clean", |_, world: &World| {
                world.urls.iter().all(|(served, was_clean)| *was_clean && *served == 1)
            }),
            Property::always("S1 a clean verdict is about clean bytes", |_, world: &World| match &world.record.state {
                State::Judged { version, judgement } => {
                    !matches!(judgement.verdict, Verdict::Clean(_)) || number(&version.version_id) == 1
                }
                _ => true,
            }),
            Property::always("S2 infected and deleted are absorbing", |_, world: &World| {
                let status = world.record.status();
                let infected_stays = matches!(status, Status::Infected | Status::Deleted | Status::Expired);
                (!world.was_deleted || status == Status::Deleted) && (!world.was_infected || infected_stays)
            }),
            Property::always("S5 every stored version ends", |_, world: &World| {
                let is_over = world.tick == LAST_TICK && world.messages.is_empty();
                let is_quiet = world.scanners.iter().all(|scanner| *scanner == Scanner::Idle);
                let only_the_file_is_left = match &world.record.state {
                    State::Judged { version, .. } => {
                        world.stored.iter().all(|stored| *stored == number(&version.version_id))
                    }
                    State::Awaiting | State::Expired | State::Deleted => world.stored.is_empty(),
                    State::Queued { .. } | State::Scanning { .. } => false,
                };
                !(is_over && is_quiet) || only_the_file_is_left
            }),
            Property::always("S7 the limit holds", |_, world: &World| {
                world.urls.len() <= 1 && world.record.download_count <= 1
            }),
        ]
    }
}

#[test]
fn the_promises_hold_in_every_interleaving() {
    for size in [SCANNING, DOWNLOADING] {
        let any_failure = HasDiscoveries::AnyFailures;
        let checker = Airlock { bug: None, size }.checker().threads(2).finish_when(any_failure).spawn_dfs().join();
        eprintln!("{} states, depth {}", checker.unique_state_count(), checker.max_depth());
        checker.assert_properties();
    }
}

#[test]
fn each_seeded_bug_is_found() {
    for (bug, size) in [
        (Bug::CommitUnconditionally, SCANNING),
        (Bug::LaterVersionRebinds, DOWNLOADING),
        (Bug::PresignLatest, DOWNLOADING),
        (Bug::CountWithoutLimit, DOWNLOADING),
        (Bug::GrantFromStaleRead, DOWNLOADING),
        (Bug::InconclusiveIsClean, SCANNING),
        (Bug::CleanOverwritesInfected, SCANNING),
        (Bug::NoSweep, SCANNING),
        (Bug::NoLateLook, SCANNING),
    ] {
        let any_failure = HasDiscoveries::AnyFailures;
        let checker = Airlock { bug: Some(bug), size }.checker().threads(2).finish_when(any_failure).spawn_dfs().join();
        eprintln!("{bug:?}: {:?} after {} states", checker.discoveries().keys(), checker.unique_state_count());
        assert!(!checker.discoveries().is_empty(), "{bug:?} went unnoticed");
    }
}
