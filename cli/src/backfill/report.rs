//! Says what a backfill would cost, what it sent, and what the versions came to.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::cost::BackfillCost;
use indicatif::{HumanCount, HumanDuration};
use serde_json::{Map, Value, json};

use super::left_out::LeftOut;
use super::plan::{Job, Share, ToSend};
use super::send::Pace;
use super::state::State;
use crate::output::{one_line, rounded_size};
use crate::verdict;

/// `ScanConcurrency` of `template.yaml`, unless it was changed.
const SCAN_CONCURRENCY: f64 = 5.0;

/// What is known before anything is sent.
#[derive(Debug)]
pub(crate) struct Estimate {
    pub(crate) to_send: ToSend,
    pub(crate) pace: Pace,
}

impl Estimate {
    fn cost(&self) -> BackfillCost {
        BackfillCost { n_versions: self.to_send.n_versions, n_bytes: self.to_send.n_bytes }
    }

    pub(crate) fn json(&self) -> Value {
        let cost = self.cost();
        json!({
            "n_versions": self.to_send.n_versions,
            "n_bytes": self.to_send.n_bytes,
            "n_too_large": self.to_send.n_too_large,
            "dollars": (cost.dollars() * 100.0).round() / 100.0,
            "scan_seconds": cost.scan_seconds().round(),
        })
    }

    pub(crate) fn text(&self, job: &Job, left_out: &BTreeMap<LeftOut, Share>) -> String {
        let ToSend { n_versions, n_bytes, n_too_large, between } = self.to_send;
        let mut lines = vec![format!(
            "s3://{}/{}: {} to send, {}",
            job.bucket,
            job.prefix,
            versions(n_versions),
            rounded_size(n_bytes)
        )];
        if let Some((oldest, newest)) = between {
            lines.push(format!("  stored between {oldest} and {newest}"));
        }
        if n_too_large > 0 {
            lines.push(format!(
                "  {} larger than MAX_FILE_SIZE: unscannable, without being read",
                HumanCount(n_too_large)
            ));
        }
        lines.extend(left_out_lines(left_out));
        if n_versions > 0 {
            lines.extend(self.cost_lines());
        }
        lines.join("\n")
    }

    fn cost_lines(&self) -> [String; 2] {
        let cost = self.cost();
        let sending = seconds(f64_of(self.to_send.n_versions) / f64::from(self.pace.per_second));
        let scanning = seconds(cost.scan_seconds() / SCAN_CONCURRENCY);
        [
            format!(
                "About ${:.2} at AWS's list prices in us-east-1 (GuardDuty would charge ${:.2}).",
                cost.dollars(),
                cost.guardduty_dollars()
            ),
            format!(
                "At least {} to send, at {}/s; about {} to scan, with ScanConcurrency={SCAN_CONCURRENCY}.",
                HumanDuration(sending),
                self.pace.per_second,
                HumanDuration(scanning)
            ),
        ]
    }
}

/// What the versions have come to.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) by_state: BTreeMap<State, u64>,
    pub(crate) left_out: BTreeMap<LeftOut, Share>,
    /// Of the waiting ones; `None` if nothing was looked up.
    pub(crate) n_without_record: Option<u64>,
}

impl Standing {
    fn n(&self, state: State) -> u64 {
        self.by_state.get(&state).copied().unwrap_or(0)
    }

    fn n_all(&self) -> u64 {
        self.by_state.values().sum()
    }

    fn n_judged(&self) -> u64 {
        self.by_state.iter().filter(|(state, _)| state.is_judged()).map(|(_, n)| n).sum()
    }

    /// The exit code of a check: 0 if every version is judged, or was removed.
    pub(crate) fn code(&self) -> u8 {
        let n_unjudgeable: u64 =
            self.left_out.iter().filter(|(why, _)| why.stays_unjudged()).map(|(_, share)| share.n).sum();
        if self.n(State::Unsent) + self.n(State::Sent) > 0 {
            verdict::NO_VERDICT
        } else if self.n(State::Failed) > 0 {
            verdict::SCAN_FAILED
        } else if n_unjudgeable > 0 {
            verdict::UNSCANNABLE
        } else {
            0
        }
    }

    pub(crate) fn json(&self, job: &Job) -> Value {
        let by_state: Map<_, _> =
            State::ALL.into_iter().map(|state| (state.as_str().to_owned(), self.n(state).into())).collect();
        let left_out: Map<_, _> = self
            .left_out
            .iter()
            .map(|(why, share)| (why.as_str().to_owned(), json!({ "n": share.n, "example": share.example })))
            .collect();
        json!({
            "bucket": job.bucket,
            "prefix": job.prefix,
            "n_versions": self.n_all(),
            "n_judged": self.n_judged(),
            "versions": by_state,
            "n_without_record": self.n_without_record,
            "left_out": left_out,
        })
    }

    /// After a run.
    pub(crate) fn sent_text(&self, is_interrupted: bool) -> String {
        let (n_unsent, n_all) = (self.n(State::Unsent), self.n_all());
        let sent = format!("{} of {} sent.", HumanCount(n_all - n_unsent), versions(n_all));
        match (is_interrupted, n_unsent) {
            (true, _) => format!("{sent} Stopped; the same command resumes."),
            (false, 0) => format!("{sent} `--check` looks up the verdicts."),
            (false, _) => sent,
        }
    }

    /// After a check.
    pub(crate) fn checked_text(&self) -> String {
        let mut lines =
            vec![format!("{} of {} judged.", HumanCount(self.n_judged()), versions(self.n_all()))];
        for state in State::ALL {
            let n = self.n(state);
            let why = match state {
                State::Unsent => "not sent yet: the command without --check sends them",
                State::Sent => "sent, and not judged yet",
                State::Failed => "every attempt failed: `airlock rescan` tries again",
                State::Removed => "deleted since, by their owner or after their retention",
                State::Clean | State::Infected | State::Released | State::Unscannable => "",
            };
            if n > 0 {
                let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
                lines.push(format!("  {} {}{why}", HumanCount(n), state.as_str()));
            }
        }
        let n_without_record = self.n_without_record.unwrap_or(0);
        if n_without_record > 0 {
            lines.push(format!(
                "  {} of the waiting ones have no record yet; if that lasts while the queue is empty, \
                 add --resend",
                HumanCount(n_without_record)
            ));
        }
        lines.extend(left_out_lines(&self.left_out));
        lines.join("\n")
    }
}

fn left_out_lines(left_out: &BTreeMap<LeftOut, Share>) -> Vec<String> {
    let line = |(why, share): (&LeftOut, &Share)| {
        let example = share.example.as_deref().filter(|_| why.stays_unjudged());
        let example = example.map_or_else(String::new, |key| format!(", such as `{}`", one_line(key)));
        format!("  {} left out: {}{example}", HumanCount(share.n), why.sentence())
    };
    left_out.iter().map(line).collect()
}

fn versions(n: u64) -> String {
    if n == 1 { "1 version".to_owned() } else { format!("{} versions", HumanCount(n)) }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.ceil()).unwrap_or(Duration::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn f64_of(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests;
