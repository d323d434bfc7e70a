//! Measures what one event costs, from its arrival to the verdict, cold and warm, for the peers' designs and
//! for Airlock's.
//!
//! `clamscan` for each event is what awslabs/cdk-serverless-clamscan does; a resident clamd that gets the
//! bytes with INSTREAM is what most others do.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Bench, DOLLARS_PER_GB_SECOND, Daemon, GB_FOR_ONE_PROCESSOR, N_ROUNDS, Started, Way, memory_mb};
use crate::cpu::median;

/// Lambda's price for one request.
const DOLLARS_PER_REQUEST: f64 = 0.000_000_2;

/// One event, or the median of several.
#[derive(Clone, Copy)]
struct Event {
    wall: Duration,
    memory_mb: u64,
}

impl From<Started> for Event {
    fn from(started: Started) -> Self {
        Self { wall: started.wall, memory_mb: started.memory_mb }
    }
}

impl Bench {
    /// Measures a PDF and a megabyte of noise, each as one event.
    pub(super) async fn peers(&self) -> anyhow::Result<()> {
        println!("\n## One event, from its arrival to the verdict\n");
        println!(
            "Medians of {N_ROUNDS} rounds, wall time; bytes are streamed to the engine (INSTREAM), \
             clamscan opens the file.\n"
        );
        println!("| | file | cold | warm | memory | Lambda, 1,000 cold | Lambda, 1,000 warm |");
        println!("|---|---|---|---|---|---|---|");
        let files = [
            ("PDF, 7 KB", Path::new(super::TEST_FILES).join("clam.pdf")),
            ("noise, 1 MB", self.path("noise.1000000")),
        ];
        for (name, path) in files {
            let mut rounds: [Vec<[Event; 2]>; 3] = Default::default();
            for _ in 0..N_ROUNDS {
                rounds[0].push([self.clamscan(std::slice::from_ref(&path))?.into(); 2]);
                rounds[1].push(self.resident(Way::Clamd, &path).await?);
                rounds[2].push(self.resident(Way::FromStorage, &path).await?);
            }
            let ways = [
                "clamscan for each event",
                "clamd, resident",
                "airlock-engine, snapshot from the S3 stand-in",
            ];
            for (way, measured) in ways.into_iter().zip(rounds) {
                let [cold, warm] =
                    [0, 1].map(|n| median(measured.iter().map(|events| events[n].wall).collect()));
                let memory_mb = measured.iter().flatten().map(|event| event.memory_mb).max().unwrap_or(0);
                println!(
                    "| {way} | {name} | {:.3} s | {:.4} s | {memory_mb} MB | {:.4} $ | {:.5} $ |",
                    cold.as_secs_f64(),
                    warm.as_secs_f64(),
                    dollars(cold),
                    dollars(warm),
                );
            }
        }
        Ok(())
    }

    /// The first event of a new engine, and a later one.
    async fn resident(&self, way: Way, path: &Path) -> anyhow::Result<[Event; 2]> {
        let began = Instant::now();
        let daemon = self.daemon(way).await?;
        daemon.stream(path).await?;
        let cold = began.elapsed();
        // By then the background download is complete.
        tokio::time::sleep(Duration::from_secs(4)).await;
        daemon.stream(path).await?;
        let began = Instant::now();
        daemon.stream(path).await?;
        let warm = began.elapsed();
        let memory_mb = memory_mb(daemon.child.id());
        Ok([Event { wall: cold, memory_mb }, Event { wall: warm, memory_mb }])
    }
}

impl Daemon {
    async fn stream(&self, path: &Path) -> anyhow::Result<()> {
        let file = tokio::fs::File::open(path).await?;
        self.client.scan_stream(file, super::DEADLINE).await?;
        Ok(())
    }
}

/// The price of a thousand such invocations, with the memory that comes with one processor.
fn dollars(wall: Duration) -> f64 {
    1000.0 * (wall.as_secs_f64() * GB_FOR_ONE_PROCESSOR * DOLLARS_PER_GB_SECOND + DOLLARS_PER_REQUEST)
}
