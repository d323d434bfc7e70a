//! Proves, over every interleaving of a bounded world, that S1, S2, S5 and S7 of the design hold. The checker
//! must also find each seeded bug, which removes one condition.
//!
//! The world: one file behind a replayable POST policy, two versions (the first clean, the second infected),
//! events that are lost, duplicated and reordered, two scanners that load and commit in separate steps and
//! may crash, an engine that may fail, two downloaders of a limit-1 link, an owner who may delete or ask for
//! another scan, and a sweep at every tick.

#![expect(clippy::unwrap_used, reason = "a test helper that fails is a failed test")]

mod explore;
mod world;

use stateright::{Checker, HasDiscoveries, Model as _};

use world::{Airlock, Bug, DOWNLOADING, RESCANNING, SCANNING};

#[test]
fn the_promises_hold_in_every_interleaving() {
    for size in [SCANNING, DOWNLOADING, RESCANNING] {
        let any_failure = HasDiscoveries::AnyFailures;
        let checker =
            Airlock { bug: None, size }.checker().threads(2).finish_when(any_failure).spawn_dfs().join();
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
        let checker =
            Airlock { bug: Some(bug), size }.checker().threads(2).finish_when(any_failure).spawn_dfs().join();
        eprintln!(
            "{bug:?}: {:?} after {} states",
            checker.discoveries().keys(),
            checker.unique_state_count()
        );
        assert!(!checker.discoveries().is_empty(), "{bug:?} went unnoticed");
    }
}
