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

use aws::cost::{BackfillCost, MEMORY_GB, WARM_SCAN_SECONDS as WARM_SCAN, price};

use crate::definitions::Numbers;

/// Fetching 200 MB of definitions and loading 3.6 million signatures, on one processor.
const COLD_START: f64 = 10.0;
/// An idle environment is kept for minutes; AWS does not say for how many.
const KEPT_IDLE: f64 = 300.0;
/// SQS's event source begins with 5 at a time and adds up to 300 a minute (AWS, "Configuring scaling behavior
/// for SQS event sources").
const FIRST_POLLERS: f64 = 5.0;
const MORE_POLLERS_PER_SECOND: f64 = 300.0 / 60.0;

/// DynamoDB's write units of a file's life, step by step: `tests/write_units.rs` measures and limits the sum.
const LIFE_WRITE_UNITS: [(&str, f64); 8] = [
    ("created", 4.0),
    ("claimed", 5.0),
    ("judged", 6.0),
    ("verdict cached", 1.0),
    ("verdict counted", 1.0),
    ("downloaded", 1.0),
    ("expired", 4.0),
    ("removed", 2.0),
];
/// The same for a rescan.
const RESCAN_WRITE_UNITS: [(&str, f64); 5] =
    [("queued", 3.0), ("claimed", 1.0), ("judged", 3.0), ("verdict cached", 1.0), ("verdict counted", 1.0)];

/// Requests for one file from the upload to the removal of its bytes, counted in the code.
const S3_WRITES: f64 = 3.0; // the PUT, the tag, the listing before the removal, which S3 charges like a PUT
const S3_READS: f64 = 3.0; // its tags, the scan, the download
const TABLE_READS: f64 = 10.0; // statuses, link, download, claim, verdict, cached verdict, release, expiry
const QUEUE_REQUESTS: f64 = 3.0; // received, deleted, and a share of empty receives
/// The same for a rescan. A tag that stays the same is not written again.
const RESCAN_S3_READS: f64 = 2.0; // its tags, the scan
const RESCAN_TABLE_READS: f64 = 6.0;
const RESCAN_QUEUE_REQUESTS: f64 = 4.0;
/// Announcement, status, link, download; a status that waits for the verdict holds 512 MB meanwhile.
const HTTP_REQUESTS: f64 = 5.0;
const HTTP_SECONDS: f64 = 4.0 * 0.03 + LONG_POLL;
const LONG_POLL: f64 = 1.0;
/// Lines and platform reports of one scan and its requests.
const LOG_GB: f64 = 4e-6;
const RESCAN_LOG_GB: f64 = 1e-6;

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

fn sum(steps: &[(&str, f64)]) -> f64 {
    steps.iter().map(|(_, units)| units).sum()
}

/// What a thousand files cost, in dollars, by service.
struct Cost {
    table: f64,
    scans: f64,
    storage: f64,
    requests: f64,
    logs: f64,
}

impl Cost {
    /// With `n_rescans` of each file, and so many seconds of an execution environment for each scan.
    fn of(n_rescans: f64, scan_seconds: f64) -> Self {
        let write_units = sum(&LIFE_WRITE_UNITS) + n_rescans * sum(&RESCAN_WRITE_UNITS);
        let s3_reads = S3_READS + n_rescans * RESCAN_S3_READS;
        let table_reads = TABLE_READS + n_rescans * RESCAN_TABLE_READS;
        let queue_requests = QUEUE_REQUESTS + n_rescans * RESCAN_QUEUE_REQUESTS;
        let scan = scan_seconds * MEMORY_GB * price::LAMBDA_ARM_GB_SECOND * 1000.0
            + price::MILLION_LAMBDA_REQUESTS / 1000.0;
        let http = HTTP_REQUESTS * (price::MILLION_HTTP_REQUESTS + price::MILLION_LAMBDA_REQUESTS) / 1000.0
            + HTTP_SECONDS * 0.5 * price::LAMBDA_ARM_GB_SECOND * 1000.0;
        Self {
            table: write_units * price::MILLION_TABLE_WRITES / 1000.0,
            scans: scan * (1.0 + n_rescans),
            storage: S3_WRITES * price::THOUSAND_S3_WRITES + s3_reads * price::THOUSAND_S3_READS,
            requests: http
                + queue_requests * price::MILLION_SQS_REQUESTS / 1000.0
                + table_reads * price::MILLION_TABLE_READS / 1000.0,
            logs: (LOG_GB + n_rescans * RESCAN_LOG_GB) * price::LOG_GB * 1000.0,
        }
    }

    fn total(&self) -> f64 {
        self.table + self.scans + self.storage + self.requests + self.logs
    }
}

fn print_costs() {
    println!("\nwrite units of a file's life: {} {LIFE_WRITE_UNITS:?}", sum(&LIFE_WRITE_UNITS));
    println!("write units of a rescan: {} {RESCAN_WRITE_UNITS:?}", sum(&RESCAN_WRITE_UNITS));
    println!(
        "\n{:>16} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8}",
        "$ per 1,000", "table", "scans", "storage", "requests", "logs", "total"
    );
    for n_rescans in [0.0, 1.0, 6.0] {
        let cost = Cost::of(n_rescans, WARM_SCAN);
        println!(
            "{n_rescans:>8} rescans {:>8.4} {:>8.4} {:>8.4} {:>9.4} {:>8.4} {:>8.4}",
            cost.table,
            cost.scans,
            cost.storage,
            cost.requests,
            cost.logs,
            cost.total()
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
            per_second * sum(&LIFE_WRITE_UNITS),
            Cost::of(0.0, outcome.busy_seconds / outcome.n_files as f64).total(),
        );
    }
    print_costs();
    print_backfill();
}

/// A million versions that are in a bucket already, by their size, and how long they take.
fn print_backfill() {
    const N_VERSIONS: u64 = 1_000_000;
    let services = BackfillCost { n_versions: 0, n_bytes: 0 }.dollars_by_service().map(|(name, _)| name);
    println!(
        "\nbackfill of {N_VERSIONS} versions: $ for {services:?}, all, GuardDuty; hours by ScanConcurrency"
    );
    for kilobytes in [10, 100, 1_000, 10_000] {
        let cost = BackfillCost { n_versions: N_VERSIONS, n_bytes: N_VERSIONS * kilobytes * 1000 };
        let dollars = cost.dollars_by_service().map(|(_, dollars)| format!("{dollars:.2}"));
        let hours =
            [5.0, 10.0, 100.0, 500.0].map(|n| format!("{n}: {:.1}", cost.scan_seconds() / n / 3600.0));
        println!(
            "{kilobytes:>6} KB each: {dollars:?} {:.2}, GuardDuty {:.2}; {hours:?}",
            cost.dollars(),
            cost.guardduty_dollars()
        );
    }
}
