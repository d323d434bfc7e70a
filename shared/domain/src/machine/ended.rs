//! The steps of a file that has expired or was deleted: bytes that still arrive under its key are removed.

use super::change::{Change, keep};
use super::conclude::surplus;
use super::{Effect, Event, NoChange, Step};
use crate::record::State;

/// A step of a record in [`State::Expired`] or [`State::Deleted`].
pub(super) fn step(change: Change<'_>, event: &Event) -> Step {
    match event {
        Event::Claimed { .. } => surplus(change),
        Event::Purged => change.purged(change.next_arrival()),
        Event::OwnerDeleted if change.record.state == State::Expired => change.end(State::Deleted),
        Event::Renewed { .. } | Event::Scanned { .. } | Event::Postponed { .. } => keep(NoChange::Fenced),
        Event::Arrived { .. }
        | Event::RescanAsked
        | Event::Released { .. }
        | Event::ReleaseRevoked { .. } => keep(NoChange::NotPossible),
        _ => keep(NoChange::AlreadyEnded),
    }
}

/// The sweep's step: requests the purge again until it is done.
pub(super) fn due() -> Step {
    Step::Keep { why: NoChange::EffectsOnly, effects: vec![Effect::Purge] }
}
