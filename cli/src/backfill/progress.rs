//! Shows how far a backfill is: a bar on a terminal, else a line now and then.

use std::cell::Cell;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar};

use super::plan::Found;
use crate::output::Output;
use crate::progress;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(10);

/// Progress on standard error.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Output,
    bar: ProgressBar,
    what: &'static str,
    /// `None` while their number is unknown.
    n_all: Option<u64>,
    n_done: Cell<u64>,
    began: Instant,
    said_at: Cell<Instant>,
}

impl Progress {
    pub(crate) fn new(output: Output, what: &'static str, n_all: Option<u64>) -> Self {
        let bar = match output {
            Output::Table => progress::counted(what, n_all),
            Output::Json => ProgressBar::hidden(),
        };
        let now = Instant::now();
        Self { output, bar, what, n_all, n_done: Cell::new(0), began: now, said_at: Cell::new(now) }
    }

    pub(crate) fn collected(&self, found: &Found) {
        let n_left_out: u64 = found.left_out.values().map(|share| share.n).sum();
        self.add(n_left_out + u64::try_from(found.planned.len()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&self, n: u64) {
        self.n_done.set(self.n_done.get() + n);
        self.bar.inc(n);
        self.say("");
    }

    /// Says why it does not go on.
    pub(crate) fn waits(&self, why: &str) {
        self.bar.set_message(format!("{}, {why}", self.what));
        self.say(why);
    }

    pub(crate) fn goes_on(&self) {
        self.bar.set_message(self.what);
    }

    fn say(&self, why: &str) {
        if self.bar.is_hidden() && self.said_at.get().elapsed() >= EVERY {
            self.said_at.set(Instant::now());
            self.output.remark(&line(self.what, self.n_done.get(), self.n_all, self.began.elapsed(), why));
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "rates"
)]
fn line(what: &str, n_done: u64, n_all: Option<u64>, took: Duration, why: &str) -> String {
    let per_second = n_done as f64 / took.as_secs_f64().max(0.001);
    let mut line = format!("{what}: {}", HumanCount(n_done));
    if let Some(n_all) = n_all {
        let left = n_all.saturating_sub(n_done) as f64 / per_second.max(0.001);
        let left = HumanDuration(Duration::from_secs(left as u64));
        let _ = write!(line, " of {}, {per_second:.0}/s, {left} left", HumanCount(n_all));
    }
    if !why.is_empty() {
        let _ = write!(line, " ({why})");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_count_rate_and_time_left() {
        let took = Duration::from_secs(10);
        assert_eq!(
            line("sent", 1_000, Some(31_000), took, "100 wait"),
            "sent: 1,000 of 31,000, 100/s, 5 minutes left (100 wait)"
        );
        assert_eq!(line("found", 1_234_567, None, took, ""), "found: 1,234,567");
        assert!(line("sent", 0, Some(5), took, "").starts_with("sent: 0 of 5, 0/s, "));
    }
}
