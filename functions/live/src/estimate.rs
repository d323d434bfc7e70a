//! Estimates the time until a file's verdict, from the queue's length and the median scan time of its size.

use std::time::Duration;

use aws::Stores;
use domain::record::Record;
use domain::statistics::{Histogram, SizeClass, estimated_wait};
use domain::timestamp::Timestamp;
use tokio::sync::Mutex;

/// Measures the queue and the scan times, and keeps the result for a short time.
#[derive(Debug)]
pub(crate) struct Estimator {
    stores: Stores,
    n_workers: u64,
    measured: Mutex<Option<Measured>>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    at: Timestamp,
    n_waiting: u64,
    typical: [Option<Duration>; SizeClass::ALL.len()],
}

/// The queue and the statistics are read at most this often, however many streams there are.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// Scan times are taken from the statistics of this many hours.
const N_HOURS: u8 = 3;

impl Estimator {
    pub(crate) fn new(stores: Stores, n_workers: u64) -> Self {
        Self { stores, n_workers, measured: Mutex::default() }
    }

    /// The time from `now` until the verdict. For a file that is being scanned, this is the rest of its scan.
    /// `None` if no file of its size was scanned lately, or if the queue or the statistics cannot be read.
    pub(crate) async fn until_verdict(
        &self,
        record: &Record,
        started_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Duration> {
        let measured = self.measure(now).await?;
        let class = SizeClass::of(record.size_bytes()?);
        let at = SizeClass::ALL.iter().position(|candidate| *candidate == class)?;
        let typical = *measured.typical.get(at)?;
        let typical = typical?;
        Some(match started_at {
            Some(started_at) => typical.saturating_sub(now.since(started_at)),
            None => estimated_wait(measured.n_waiting, typical, self.n_workers),
        })
    }

    async fn measure(&self, now: Timestamp) -> Option<Measured> {
        let mut slot = self.measured.lock().await;
        if let Some(measured) = *slot
            && now.since(measured.at) < MEASURE_EVERY
        {
            return Some(measured);
        }
        let queue = self.stores.queues.scans.as_ref()?;
        let (backlog, hours) = tokio::join!(queue.backlog(), self.stores.ledger.statistics(N_HOURS, now));
        let mut histograms = [Histogram::default(); SizeClass::ALL.len()];
        for hour in hours.ok()? {
            for (sum, more) in histograms.iter_mut().zip(&hour.durations) {
                sum.merge(more);
            }
        }
        let typical = histograms.map(|histogram| histogram.percentile(50));
        let measured = Measured { at: now, n_waiting: backlog.ok()?.n_waiting, typical };
        *slot = Some(measured);
        Some(measured)
    }
}
