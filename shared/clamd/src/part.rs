//! Members of a file that the engine is given beside it.

use std::io;

/// Opens a member of the file, which the engine is given as a stream of its own. Reading it must not block
/// for long: it is in memory, or in the page cache.
pub type Part = Box<dyn Fn() -> Box<dyn io::Read + Send> + Send + Sync>;

/// A part, read by the task that scans.
pub(crate) struct Immediate(pub(crate) Box<dyn io::Read + Send>);

impl tokio::io::AsyncRead for Immediate {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        let n_bytes = self.0.read(buffer.initialize_unfilled());
        std::task::Poll::Ready(n_bytes.map(|n_bytes| buffer.advance(n_bytes)))
    }
}
