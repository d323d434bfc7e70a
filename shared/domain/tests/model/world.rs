//! The state of the bounded world, and the steps of the machine in it, with or without a seeded bug.

use std::sync::Arc;
use std::time::Duration;

use domain::access::DownloadGrant;
use domain::content_encoding::ContentEncoding;
use domain::freshness::{Definitions, DefinitionsKind, FreshnessPolicy};
use domain::history::History;
use domain::id::{ETag, ScanId, Sha256, Version, VersionId};
use domain::machine::{Effect, Event, MachinePolicy, ScanReport, Step, step};
use domain::post_verdict::Quarantine;
use domain::protected::ProtectedChanges;
use domain::record::{Lease, Record, State, Status};
use domain::timestamp::Timestamp;
use domain::upload::{AllowedExtensions, UploadPolicy};
use domain::verdict::{Decryption, EngineReply, EngineVersion, Evidence, Outcome, Structure, judge};

const START: i64 = 1_700_000_000;
/// Ticks of one second. Nothing is uploaded, lost or broken from this one on,
pub(crate) const CALM_FROM: u8 = 2;
/// time waits for messages and scanners from this one on,
pub(crate) const PATIENT_FROM: u8 = 3;
/// and by the last one every file must have ended.
pub(crate) const LAST_TICK: u8 = 7;

fn policy() -> MachinePolicy {
    MachinePolicy {
        lease: Duration::from_secs(1),
        max_attempts: 2,
        sweep_retry: Duration::from_secs(1),
        tag_retry: Duration::from_secs(1),
        upload_grace: Duration::ZERO,
        max_file_size: 100,
        publishes: false,
        rescan_every: None,
        quarantine: Quarantine::Keep,
        protected: ProtectedChanges::default(),
    }
}

pub(crate) fn upload_policy() -> UploadPolicy {
    UploadPolicy {
        max_file_size: 100,
        allowed_extensions: AllowedExtensions::All,
        upload_ttl: Duration::from_secs(2),
        retention: Duration::from_mins(1),
    }
}

/// The world with one condition removed. Three conditions are not listed, because the checker shows them to
/// be redundant: without them the properties still hold. They are the verdict's version check (versions are
/// bound once), the lease's fence (two scanners judge the same bytes) and the mark for surplus versions (the
/// late look finds them too).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bug {
    /// Commits ignore the revision.
    CommitUnconditionally,
    /// A later version takes the place of the bound one.
    LaterVersionRebinds,
    /// The URL names the key only, and serves the latest version.
    PresignLatest,
    /// The count has no limit in its condition.
    CountWithoutLimit,
    /// The URL is handed out on a record that was loaded earlier; the count does not check the status.
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
pub(crate) struct World {
    pub(crate) tick: u8,
    pub(crate) record: Arc<Record>,
    /// Which versions are under the key, oldest first.
    pub(crate) stored: Vec<u8>,
    pub(crate) n_uploads: u8,
    pub(crate) messages: Vec<u8>,
    pub(crate) losses_left: u8,
    pub(crate) copies_left: u8,
    pub(crate) faults_left: u8,
    pub(crate) rescans_left: u8,
    pub(crate) scanners: Vec<Scanner>,
    pub(crate) downloaders: Vec<Downloader>,
    /// The version that each URL served when it was issued, and whether the record was clean then.
    pub(crate) urls: Vec<(u8, bool)>,
    pub(crate) was_deleted: bool,
    pub(crate) was_infected: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::large_enum_variant, reason = "two or three of them in a world")]
pub(crate) enum Scanner {
    Idle,
    /// The scanner has loaded the record and is about to commit the step for `event`.
    Loaded {
        seen: Arc<Record>,
        event: Event,
    },
    Scanning {
        version: u8,
        lease: Lease,
        /// The version had a verdict before.
        is_again: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Downloader {
    Idle,
    Granted(Box<DownloadGrant>),
    Done,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Action {
    Upload,
    Lose(usize),
    Copy(usize),
    Deliver { message: usize, scanner: usize },
    Commit(usize),
    FinishScan(usize),
    EngineFails(usize),
    Postpones(usize),
    Crash(usize),
    Load(usize),
    CountAndPresign(usize),
    OwnerDeletes,
    OwnerAsksAgain,
    Tick,
}

/// The size of the world. Several smaller worlds take seconds to explore where one large one would take
/// hours.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) scanners: usize,
    pub(crate) downloaders: usize,
    pub(crate) losses: u8,
    pub(crate) copies: u8,
    pub(crate) faults: u8,
    pub(crate) rescans: u8,
}

/// All faults between an upload and its verdict.
pub(crate) const SCANNING: Size =
    Size { scanners: 2, downloaders: 0, losses: 1, copies: 1, faults: 1, rescans: 0 };
/// All faults between a verdict and a download.
pub(crate) const DOWNLOADING: Size =
    Size { scanners: 1, downloaders: 2, losses: 0, copies: 1, faults: 0, rescans: 0 };
/// All faults between a verdict and the next one.
pub(crate) const RESCANNING: Size =
    Size { scanners: 2, downloaders: 1, losses: 0, copies: 0, faults: 1, rescans: 1 };

pub(crate) struct Airlock {
    pub(crate) bug: Option<Bug>,
    pub(crate) size: Size,
}

pub(crate) fn version(n: u8) -> Version {
    Version { version_id: version_id(n), etag: ETag::parse("e").unwrap(), size_bytes: 10 }
}

pub(crate) fn version_id(n: u8) -> VersionId {
    VersionId::parse(format!("v{n}")).unwrap()
}

pub(crate) fn number(id: &VersionId) -> u8 {
    id.as_str()[1..].parse().unwrap()
}

pub(crate) fn now(tick: u8) -> Timestamp {
    Timestamp::from_secs(START + i64::from(tick))
}

pub(crate) fn holder(scanner: usize) -> ScanId {
    ScanId::from_random(uuid::Uuid::from_u128(u128::try_from(scanner).unwrap() + 1))
}

/// The scanner's report on a version: the first is clean, every later one infected.
pub(crate) fn report(version: u8, at: Timestamp) -> ScanReport {
    let reply = if version == 1 { EngineReply::Ok } else { EngineReply::Found("Eicar".into()) };
    let definitions =
        Definitions { kind: DefinitionsKind::TestSet, version: "t".into(), built_at: at, n_signatures: 1 };
    let engine = EngineVersion { version: "ClamAV".into(), openers: vec![], definitions };
    let evidence = Evidence {
        declared_size: 10,
        stored_size: 10,
        streamed_size: 10,
        content_encoding: ContentEncoding::Identity,
        sha256: Sha256::from_bytes([version; 32]),
        declared_sha256: None,
        structure: Structure::Sound,
        is_text_like_program: false,
        decryption: Decryption::None,
        replies: vec![reply],
        canary_found_before: true,
        canary_found_after: true,
        n_engine_errors: 0,
        engine,
    };
    let outcome = judge(&evidence, FreshnessPolicy::default(), at);
    ScanReport {
        outcome,
        duration: Duration::ZERO,
        sha256: None,
        engine: None,
        needed_password: false,
        release: None,
    }
}

impl Airlock {
    pub(crate) fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(crate) fn is_judged(world: &World) -> bool {
        matches!(world.record.state, State::Judged { .. })
    }

    /// [`step`], or the same without one of its conditions.
    pub(crate) fn step(&self, record: &Record, event: &Event, at: Timestamp) -> Step {
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
    pub(crate) fn commit(&self, world: &mut World, seen: &Record, taken: &Step) -> bool {
        let Step::Commit { next, .. } = taken else { return true };
        if world.record.revision != seen.revision && !self.is(Bug::CommitUnconditionally) {
            return false;
        }
        let download_count = world.record.download_count; // the count is its own atomic write
        // The history affects no decision here, and would multiply the states.
        let (history, changed_at) = (History::default(), world.record.changed_at);
        world.record = Arc::new(Record { download_count, history, changed_at, ..(**next).clone() });
        world.was_infected |= world.record.status() == Status::Infected;
        true
    }

    pub(crate) fn run_effects(&self, world: &mut World, taken: &Step) {
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
                Effect::Scan { .. } | Effect::Tag { .. } | Effect::Quarantine { .. } | Effect::Publish => {}
            }
        }
        world.messages.sort_unstable();
    }

    /// Loads, steps, commits and runs the effects atomically, as for the sweep and the owner.
    pub(crate) fn apply(&self, world: &mut World, event: &Event) {
        let seen = world.record.clone();
        let taken = self.step(&seen, event, now(world.tick));
        assert!(self.commit(world, &seen, &taken));
        self.run_effects(world, &taken);
    }
}
