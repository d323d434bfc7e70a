//! The thread answers when the disk has what it answers about, and survives what its requests do.

use std::sync::mpsc;

use super::*;

/// Counts the requests that it did.
type Counter = DatabaseThread<u32>;

fn counter(directory: &Path) -> Counter {
    std::fs::write(directory.join("d.db-wal"), b"").unwrap();
    Counter::start(0, &directory.join("d.db")).unwrap()
}

fn add(n: &mut u32) -> (Committed, u32) {
    *n += 1;
    (Committed::Yes, *n)
}

fn read(n: &mut u32) -> (Committed, u32) {
    (Committed::No, *n)
}

async fn is_flushed(counter: &Counter) -> bool {
    counter.do_job(Answer::Immediate, |_, log| log.is_flushed).await.unwrap()
}

#[tokio::test]
async fn one_flush_serves_the_requests_that_wait_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let counter = counter(directory.path());
    // The thread is kept busy until all of them wait.
    let (go, wait) = mpsc::channel::<()>();
    let busy = counter.request(Answer::Immediate, move |_| (Committed::No, wait.recv().unwrap()));
    let n_flushed = async {
        let seen = counter.do_job(Answer::Durable, |_, log| log.is_flushed).await;
        assert!(!seen.unwrap(), "the commits before it are flushed with it");
        is_flushed(&counter).await
    };
    let all = async {
        tokio::join!(
            biased;
            busy,
            counter.request(Answer::Durable, add),
            counter.request(Answer::Durable, add),
            n_flushed,
            async { go.send(()).unwrap() },
        )
    };
    let (busy, first, second, is_flushed, ()) = all.await;
    busy.unwrap();
    assert_eq!((first.unwrap(), second.unwrap(), is_flushed), (1, 2, true));
}

#[tokio::test]
async fn a_request_that_need_not_be_durable_is_not_flushed() {
    let directory = tempfile::tempdir().unwrap();
    let counter = counter(directory.path());
    assert_eq!(counter.request(Answer::Immediate, add).await.unwrap(), 1);
    assert!(!is_flushed(&counter).await);
    assert_eq!(counter.request(Answer::Durable, read).await.unwrap(), 1);
    assert!(is_flushed(&counter).await, "what it read must not be lost after it was told");
}

#[tokio::test]
async fn after_a_failed_flush_nothing_is_acknowledged() {
    let (_, writer) = io::pipe().unwrap();
    // A pipe cannot be flushed.
    let file = File::from(std::os::fd::OwnedFd::from(writer));
    let broken = Log { path: "pipe".into(), file, is_flushed: true, has_failed: false, n_flushes: 0 };
    let broken = Counter::over(0, broken).unwrap();
    assert_eq!(broken.request(Answer::Durable, read).await.unwrap(), 0, "there is nothing to flush");
    assert!(broken.request(Answer::Durable, add).await.is_err());
    let Err(StandinError::Io(_, again)) = broken.request(Answer::Durable, read).await else {
        panic!("the commit was acknowledged")
    };
    assert!(again.to_string().contains("restarted"), "{again}");
}

#[tokio::test]
async fn a_request_whose_caller_gives_up_is_done_and_one_that_panics_harms_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let counter = counter(directory.path());
    let mut given_up = Box::pin(counter.request(Answer::Durable, add));
    let first = std::future::poll_fn(|context| std::task::Poll::Ready(given_up.as_mut().poll(context))).await;
    drop((first, given_up));
    let panicked = counter.request(Answer::Durable, |_| -> (Committed, ()) { panic!("a test's panic") });
    assert!(matches!(panicked.await, Err(StandinError::Cancelled)));
    assert_eq!(counter.request(Answer::Durable, read).await.unwrap(), 1);
}

#[tokio::test]
async fn the_last_clone_waits_until_the_database_is_closed() {
    struct Closing(mpsc::Sender<()>);
    impl Drop for Closing {
        fn drop(&mut self) {
            std::thread::sleep(std::time::Duration::from_millis(50));
            self.0.send(()).unwrap();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("d.db-wal"), b"").unwrap();
    let (closing, closed) = mpsc::channel();
    let thread = DatabaseThread::start(Closing(closing), &directory.path().join("d.db")).unwrap();
    drop(thread.clone());
    assert!(closed.try_recv().is_err(), "one of two");
    drop(thread);
    assert!(closed.try_recv().is_ok());
}
