//! The actions that are possible in the bounded world, and the properties that must always hold.

use std::sync::Arc;
use std::time::Duration;

use domain::access::{LinkClaims, grant, may_count};
use domain::id::{FileId, OwnerId};
use domain::machine::{Effect, Event, ScanReport, Step};
use domain::post_verdict::Rescans;
use domain::record::{Record, State, Status, UploadMethod};
use domain::upload::{UploadRequest, accept};
use domain::verdict::{Outcome, ScanError, Verdict};
use stateright::{Model, Property};

use crate::world::{
    Action, Airlock, Bug, CALM_FROM, Downloader, LAST_TICK, PATIENT_FROM, Scanner, World, holder, now,
    number, report, upload_policy, version, version_id,
};

impl Model for Airlock {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let request = UploadRequest { filename: "a.txt", max_downloads: Some(1), ..UploadRequest::default() };
        let upload = accept(&request, &upload_policy()).unwrap();
        let file_id = FileId::from_random(uuid::Uuid::from_u128(7));
        let first_sweep_in = Duration::from_secs(1);
        let record = Record::new(
            file_id,
            OwnerId::local(),
            upload,
            UploadMethod::Post,
            &upload_policy(),
            first_sweep_in,
            now(0),
        );
        vec![World {
            tick: 0,
            record: Arc::new(record),
            stored: vec![],
            n_uploads: 0,
            messages: vec![],
            losses_left: self.size.losses,
            copies_left: self.size.copies,
            faults_left: self.size.faults,
            rescans_left: self.size.rescans,
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
                        actions.push(Action::Postpones(scanner));
                        actions.push(Action::Crash(scanner));
                    }
                }
            }
        }
        for (downloader, state) in world.downloaders.iter().enumerate() {
            match state {
                Downloader::Idle if world.record.status() == Status::Clean => {
                    actions.push(Action::Load(downloader));
                }
                Downloader::Granted(_) => actions.push(Action::CountAndPresign(downloader)),
                _ => {}
            }
        }
        if !world.was_deleted && world.n_uploads > 0 && !is_calm {
            actions.push(Action::OwnerDeletes);
        }
        if world.rescans_left > 0 && world.record.status() == Status::Clean {
            actions.push(Action::OwnerAsksAgain);
        }
        let is_busy =
            !world.messages.is_empty() || world.scanners.iter().any(|scanner| *scanner != Scanner::Idle);
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
                            let is_again = Self::is_judged(&next);
                            next.scanners[scanner] = Scanner::Scanning { version, lease: *lease, is_again };
                        }
                    }
                }
                self.run_effects(&mut next, &taken);
            }
            Action::FinishScan(scanner) | Action::EngineFails(scanner) => {
                let Scanner::Scanning { version, lease, is_again } = world.scanners[scanner] else {
                    return None;
                };
                let report = if matches!(action, Action::EngineFails(_)) {
                    next.faults_left -= 1;
                    ScanReport {
                        outcome: Outcome::Inconclusive(ScanError::EngineTrouble),
                        ..report(version, at)
                    }
                } else if world.stored.contains(&version) {
                    // Later definitions find malware that the first ones missed.
                    report(if is_again { 2 } else { version }, at)
                } else {
                    ScanReport {
                        outcome: Outcome::Inconclusive(ScanError::StorageTrouble),
                        ..report(version, at)
                    }
                };
                if matches!(report.outcome, Outcome::Inconclusive(_)) {
                    next.messages.push(version); // the failed message is delivered again
                    next.messages.sort_unstable();
                }
                let event = Event::Scanned { version_id: version_id(version), holder: lease.holder, report };
                next.scanners[scanner] = Scanner::Loaded { seen: Arc::clone(&world.record), event };
            }
            Action::Postpones(scanner) => {
                let Scanner::Scanning { version, lease, .. } = world.scanners[scanner] else { return None };
                next.faults_left -= 1;
                next.messages.push(version);
                next.messages.sort_unstable();
                let event = Event::Postponed { version_id: version_id(version), holder: lease.holder };
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
                    generation: world.record.link_generation,
                };
                let granted = grant(&world.record, None, &claims, at);
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
            Action::OwnerAsksAgain => {
                next.rescans_left -= 1;
                self.apply(&mut next, &Event::RescanAsked);
            }
            Action::Tick => {
                next.tick += 1;
                let found = next.stored.last().map(|latest| version(*latest));
                if !self.is(Bug::NoSweep) {
                    self.apply(&mut next, &Event::Due { found, rescans: Rescans::default() });
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
            Property::always("S1 a clean verdict is about clean bytes", |_, world: &World| {
                match &world.record.state {
                    State::Judged { version, judgement, .. } => {
                        !matches!(judgement.verdict, Verdict::Clean(_)) || number(&version.version_id) == 1
                    }
                    _ => true,
                }
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
