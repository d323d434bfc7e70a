//! Estimates the capacity of the deployment on AWS: simulates arrivals, queue and execution environments,
//! from costs per file that other benchmarks measure and from AWS's published limits.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of thousands, in estimates"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::definitions::Numbers;

/// What one file costs, in seconds of an execution environment of 3,008 MB (1.7 processors).
const WARM_SCAN: f64 = 0.25;
/// Fetching 200 MB of definitions and loading 3.6 million signatures, on one processor.
const COLD_START: f64 = 10.0;
/// An idle environment is kept for minutes; AWS does not say for how many.
const KEPT_IDLE: f64 = 300.0;
const MEMORY_GB: f64 = 3008.0 / 1024.0;
/// SQS's event source begins with 5 at a time and adds up to 300 a minute (AWS, "Configuring scaling behavior
/// for SQS event sources").
const FIRST_POLLERS: f64 = 5.0;
const MORE_POLLERS_PER_SECOND: f64 = 300.0 / 60.0;

/// Requests for one file's upload, scan and download, counted in the code.
const S3_WRITES: f64 = 2.0; // the PUT, the tag
const S3_READS: f64 = 2.0; // the scan, the download
const TABLE_WRITES: f64 = 5.0; // created, claimed, judged, verdict cached, downloaded
const INDEX_WRITES: f64 = 4.0; // by owner and by attention, as those change
const TABLE_READS: f64 = 6.0; // statuses, links, cached verdict

/// List prices in us-east-1 in dollars, November 2026; check them before you rely on them.
mod price {
    pub(super) const LAMBDA_ARM_GB_SECOND: f64 = 0.000_013_333_4;
    pub(super) const MILLION_LAMBDA_REQUESTS: f64 = 0.20;
    pub(super) const MILLION_HTTP_REQUESTS: f64 = 1.00;
    pub(super) const THOUSAND_S3_WRITES: f64 = 0.005;
    pub(super) const THOUSAND_S3_READS: f64 = 0.0004;
    pub(super) const MILLION_SQS_REQUESTS: f64 = 0.40;
    pub(super) const MILLION_TABLE_WRITES: f64 = 0.625;
    pub(super) const MILLION_TABLE_READS: f64 = 0.125;
    /// GuardDuty Malware Protection for S3: each object, and each GB.
    pub(super) const THOUSAND_GUARDDUTY_OBJECTS: f64 = 0.215;
    pub(super) const GUARDDUTY_GB: f64 = 0.09;
}

struct Outcome {
    peak_environments: usize,
    wait_p50: f64,
    wait_p99: f64,
    cold_share: f64,
    busy_seconds: f64,
    n_files: usize,
}

/// A moment that can be ordered, for the heaps.
#[derive(PartialEq, Clone, Copy)]
struct Moment(f64);

impl Eq for Moment {}

impl PartialOrd for Moment {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Moment {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Simulates `minutes` of random arrivals (exponential gaps), first come first served, from an idle start.
fn simulate(per_minute: f64, max_concurrency: usize, minutes: f64) -> Outcome {
    let mut numbers = Numbers::new(7);
    let mut uniform = || (numbers.below(1 << 30) as f64 + 1.0) / f64::from(1 << 30);
    // When each environment is free again. The environment that has been free longest is used next, so that
    // none is idle for long.
    let mut free_at: BinaryHeap<Reverse<Moment>> = BinaryHeap::new();
    let (mut now, mut waits, mut n_cold, mut busy_seconds, mut peak) = (0.0, vec![], 0usize, 0.0, 0);
    while now < minutes * 60.0 {
        now += -uniform().ln() * 60.0 / per_minute;
        while free_at.peek().is_some_and(|Reverse(free)| free.0 < now - KEPT_IDLE) {
            free_at.pop();
        }
        let is_idle = free_at.peek().is_some_and(|Reverse(free)| free.0 <= now);
        let allowed = (FIRST_POLLERS + MORE_POLLERS_PER_SECOND * now).min(max_concurrency as f64);
        let may_start = (free_at.len() as f64) < allowed.floor();
        let (begins, service) = if is_idle || !may_start {
            let Some(Reverse(free)) = free_at.pop() else { continue };
            (now.max(free.0), WARM_SCAN)
        } else {
            n_cold += 1;
            (now, COLD_START + WARM_SCAN)
        };
        free_at.push(Reverse(Moment(begins + service)));
        peak = peak.max(free_at.len());
        busy_seconds += service;
        waits.push(begins + service - now - WARM_SCAN);
    }
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    Outcome {
        peak_environments: peak,
        wait_p50: at(0.5),
        wait_p99: at(0.99),
        cold_share: n_cold as f64 / waits.len() as f64,
        busy_seconds,
        n_files: waits.len(),
    }
}

fn dollars_per_thousand(busy_seconds_per_file: f64) -> f64 {
    let scan = busy_seconds_per_file * MEMORY_GB * price::LAMBDA_ARM_GB_SECOND * 1000.0;
    // Announce, status twice, link; download. 30 ms of 512 MB each.
    let http_requests = 5.0;
    let http = http_requests * (price::MILLION_HTTP_REQUESTS + price::MILLION_LAMBDA_REQUESTS) / 1000.0
        + http_requests * 0.03 * 0.5 * price::LAMBDA_ARM_GB_SECOND * 1000.0;
    let storage = S3_WRITES * price::THOUSAND_S3_WRITES + S3_READS * price::THOUSAND_S3_READS;
    let queue = 3.0 * price::MILLION_SQS_REQUESTS / 1000.0;
    let ledger = (TABLE_WRITES + INDEX_WRITES) * price::MILLION_TABLE_WRITES / 1000.0
        + TABLE_READS * price::MILLION_TABLE_READS / 1000.0;
    scan + http + storage + queue + ledger
}

pub(crate) fn run() {
    println!(
        "{:>10} {:>12} {:>13} {:>11} {:>11} {:>10} {:>9} {:>9} {:>11} {:>11}",
        "uploads/min",
        "concurrency",
        "environments",
        "wait p50 s",
        "wait p99 s",
        "cold",
        "S3 PUT/s",
        "S3 GET/s",
        "writes/s",
        "$ per 1,000"
    );
    for (per_minute, max_concurrency) in
        [(10.0, 10), (1_000.0, 10), (1_000.0, 50), (100_000.0, 500), (100_000.0, 1_000)]
    {
        let outcome = simulate(per_minute, max_concurrency, 60.0);
        let per_second = per_minute / 60.0;
        println!(
            "{:>10} {:>12} {:>13} {:>11.2} {:>11.2} {:>9.2}% {:>9.0} {:>9.0} {:>11.0} {:>11.3}",
            per_minute,
            max_concurrency,
            outcome.peak_environments,
            outcome.wait_p50,
            outcome.wait_p99,
            outcome.cold_share * 100.0,
            per_second * S3_WRITES,
            per_second * S3_READS,
            per_second * (TABLE_WRITES + INDEX_WRITES),
            dollars_per_thousand(outcome.busy_seconds / outcome.n_files as f64),
        );
    }
    let guardduty = |megabytes: f64| price::THOUSAND_GUARDDUTY_OBJECTS + megabytes * price::GUARDDUTY_GB;
    println!(
        "\nGuardDuty Malware Protection for S3, the scan alone, per 1,000 files: \
         of 0.1 MB ${:.3}, of 1 MB ${:.3}, of 10 MB ${:.3}",
        guardduty(0.1),
        guardduty(1.0),
        guardduty(10.0)
    );
}
