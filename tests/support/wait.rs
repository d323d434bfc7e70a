//! Waiting, in one place. No wait here has a limit of its own: a busy machine takes as long as it takes. What never happens is ended by
//! nextest (`.config/nextest.toml`), and by then the test's output says what was awaited and what was seen instead.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use domain::timestamp::Timestamp;

const LOOK_FIRST_AFTER: Duration = Duration::from_millis(20);
/// Many tests wait beside each other: looking more often would take the time from what is awaited.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(250);
const SAY_SO_EVERY: Duration = Duration::from_secs(30);

/// Looks until there is what was `awaited`; an `Err` is what was seen instead.
pub(crate) async fn until_found<T, S: Debug>(
    awaited: &str,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let (began, mut pause, mut n_said) = (Instant::now(), LOOK_FIRST_AFTER, 0);
    loop {
        let seen = match look().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        if began.elapsed() > SAY_SO_EVERY * (n_said + 1) {
            n_said += 1;
            eprintln!("after {} s still waiting: {awaited}; seen: {seen:?}", began.elapsed().as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AT_LEAST_EVERY);
    }
}

/// Looks until what was `awaited` holds.
pub(crate) async fn until(awaited: &str, mut holds: impl AsyncFnMut() -> bool) {
    until_found(awaited, async || if holds().await { Ok(()) } else { Err("not yet") }).await;
}

/// Returns when the clock says that `moment` is over.
pub(crate) async fn until_after(moment: Timestamp) {
    until("a moment to be over", async || aws::clock::now() > moment).await;
}

/// Plays a scenario that has to fit into a time that the product measures. It is given that time, and says `None` when the machine was too
/// slow for it: then it is played again, with twice the time.
pub(crate) async fn in_enough_time<T>(
    first: Duration,
    mut scenario: impl AsyncFnMut(Duration) -> Option<T>,
) -> T {
    let mut time = first;
    loop {
        if let Some(outcome) = scenario(time).await {
            return outcome;
        }
        time *= 2;
        eprintln!("the machine was too slow: once more, with {} s", time.as_secs());
    }
}

/// Gives what must not happen time to happen. On a slow machine less happens in it: the test may then miss a fault, and never invents one.
pub(crate) async fn linger(time: Duration) {
    tokio::time::sleep(time).await;
}
