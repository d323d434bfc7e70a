//! Decides which scans of one engine process a canary confirms, and which of them a failure voids.
//!
//! Invariant: a scan is confirmed only by a canary that was begun after the scan's last reply and found while
//! the process had not failed.

/// What happened to one engine process so far. Scans are in flight from [`Window::join`] until they are
/// confirmed or given up.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Window {
    n_in_flight: usize,
    /// How many scans ever joined.
    n_joined: u64,
    /// How many canaries ever began.
    n_canaries: u64,
    /// The newest canary that was found.
    found: Option<Canary>,
    has_failed: bool,
    /// What the scans in flight may need together.
    reserved_bytes: u64,
}

/// The place of a canary in the order in which they begin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Canary(u64);

/// A scan in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Joined {
    number: u64,
    n_others: usize,
    needed_bytes: u64,
}

impl Window {
    pub(crate) fn join(&mut self, needed_bytes: u64) -> Joined {
        let joined = Joined { number: self.n_joined, n_others: self.n_in_flight, needed_bytes };
        self.n_joined += 1;
        self.n_in_flight += 1;
        self.reserved_bytes = self.reserved_bytes.saturating_add(needed_bytes);
        joined
    }

    pub(crate) fn leave(&mut self, joined: Joined) {
        self.n_in_flight = self.n_in_flight.saturating_sub(1);
        self.reserved_bytes = self.reserved_bytes.saturating_sub(joined.needed_bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.n_in_flight == 0
    }

    pub(crate) fn n_in_flight(&self) -> usize {
        self.n_in_flight
    }

    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.reserved_bytes
    }

    /// Whether no other scan was in flight at any time since this one joined: a failure is then its own.
    pub(crate) fn is_alone(&self, joined: Joined) -> bool {
        joined.n_others == 0 && self.n_joined == joined.number + 1
    }

    /// The first canary that would confirm a scan whose last reply has arrived by now.
    pub(crate) fn next_canary(&self) -> Canary {
        Canary(self.n_canaries + 1)
    }

    pub(crate) fn begin_canary(&mut self) -> Canary {
        self.n_canaries += 1;
        Canary(self.n_canaries)
    }

    /// Records that the process found `canary`, and that nothing else was wrong with it.
    pub(crate) fn find(&mut self, canary: Canary) {
        self.found = self.found.max(Some(canary));
    }

    /// Records a failure of the process. It never recovers.
    pub(crate) fn fail(&mut self) {
        self.has_failed = true;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Whether `canary` or a later one was found, and the process has not failed.
    pub(crate) fn is_confirmed(&self, canary: Canary) -> bool {
        !self.has_failed && self.found >= Some(canary)
    }
}

#[cfg(test)]
mod tests;
