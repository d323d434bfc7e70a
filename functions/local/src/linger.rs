//! Reads the rest of a request's body after its handler has answered, so that the answer arrives.
//!
//! Closing a connection with unread bytes makes the kernel reset it, and the client reports a broken pipe
//! instead of the 413 that was sent (RFC 9112, section 9.6: "lingering close").

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

/// A client that has not noticed the answer after this long is cut off.
const PATIENCE: Duration = Duration::from_secs(5);

/// Middleware: lends the body to the handler, and discards the rest while the answer is sent.
pub(crate) async fn read_on(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = SharedBody(Arc::new(Mutex::new(body)));
    let response = next.run(Request::from_parts(parts, Body::new(body.clone()))).await;
    if !body.is_end_stream() {
        tokio::spawn(tokio::time::timeout(PATIENCE, discard(body)));
    }
    response
}

async fn discard(mut body: SharedBody) {
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}

#[derive(Clone)]
struct SharedBody(Arc<Mutex<Body>>);

impl HttpBody for SharedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
