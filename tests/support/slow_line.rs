//! A line to a server on which bytes stop flowing after a given number, and whose connections can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast};

pub(crate) struct SlowLine {
    pub(crate) url: String,
    state: Arc<State>,
}

struct State {
    target: String,
    /// How many bytes of the server's may still pass before it is opened.
    n_left: AtomicU64,
    opened: Semaphore,
    cuts: broadcast::Sender<()>,
}

impl SlowLine {
    /// `target` is the URL of the server, without a path.
    pub(crate) async fn start(target: &str, n_bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            target: target.trim_start_matches("http://").to_owned(),
            n_left: AtomicU64::new(n_bytes),
            opened: Semaphore::new(0),
            cuts: broadcast::Sender::new(1),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, mut cut) = (Arc::clone(&shared), shared.cuts.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = cut.recv() => {}
                        () = state.pass(client) => {}
                    }
                });
            }
        });
        Self { url, state }
    }

    /// Whether bytes wait.
    pub(crate) fn is_full(&self) -> bool {
        self.state.n_left.load(Ordering::SeqCst) == 0
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.state.cuts.send(()).unwrap();
    }

    /// Lets everything pass from now on.
    pub(crate) fn open(&self) {
        self.state.opened.close();
    }
}

impl State {
    async fn pass(&self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(&self.target).await else { return };
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        let back = async {
            let mut buffer = vec![0; 1 << 10];
            while let Ok(n_read @ 1..) = from_server.read(&mut buffer).await {
                let n = n_read as u64;
                let spend = |left: u64| Some(left.saturating_sub(n));
                let left = self.n_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).unwrap();
                if left < n {
                    // Fails once it is open.
                    let _ = self.opened.acquire().await;
                }
                if to_client.write_all(&buffer[..n_read]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
            () = back => {}
        }
    }
}
