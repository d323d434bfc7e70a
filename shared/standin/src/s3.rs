//! S3 on the file system: one versioned bucket, durable, with signatures verified.
//!
//! `s3s` speaks the protocol (SigV4, presigned URLs, POST policies, XML); this module keeps the objects. What
//! AWS S3 refuses and `s3s` 0.14 does not is refused in front of it, in [`guard`].

mod api;
mod auth;
mod blobs;
mod bucket;
mod copy;
mod error;
mod guard;
mod headers;
mod leftovers;
mod listing;
mod multipart;
mod put;
mod ranges;
mod reader;
mod rows;
mod versions;
mod writer;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use crate::database::{Database, StandinError};
use crate::queue::Queue;
use crate::room::Room;
use auth::OwnKeys;
use blobs::Blobs;
pub use error::{access_denied, slow_down};

/// The bucket, and the queue of its events.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) bucket: String,
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) queue: Queue,
}

impl Store {
    /// Opens or creates the store in `directory`. Messages in flight are redelivered. The caller runs
    /// [`remove_leftovers`](Self::remove_leftovers) next, beside the service.
    pub async fn open(directory: &Path, bucket: &str) -> Result<Self, StandinError> {
        let failed = |error| StandinError::Io(directory.to_owned(), error);
        std::fs::create_dir_all(directory).map_err(failed)?;
        let database = Database::open(&directory.join("s3.db"))?;
        let queue = Queue::new(database.clone());
        queue.rearm().await?;
        let blobs = Blobs::open(directory).map_err(failed)?;
        Ok(Self { bucket: bucket.to_owned(), database, blobs, queue })
    }

    /// The same, but an upload that would leave less than `room` keeps free is refused with 503,
    /// `ServiceUnavailable`, as soon as its size is known.
    #[must_use]
    pub fn within(mut self, room: Room) -> Self {
        self.blobs.room = Some(room);
        self
    }

    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

/// The permitted keys and origins, and the limit of forms.
#[derive(Clone, Debug)]
pub struct Access {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub allowed_origins: Vec<String>,
    /// POSTed forms are held in memory by `s3s`; PUTs and parts are streamed.
    pub max_form_bytes: u64,
}

#[derive(Clone)]
struct Frontend {
    service: S3Service,
    allowed_origins: Arc<[String]>,
}

/// Returns the HTTP service. Bind it to the address that its URLs name.
pub fn router(store: Store, access: Access) -> Router {
    let mut builder = S3ServiceBuilder::new(store);
    builder.set_auth(OwnKeys {
        access_key_id: access.access_key_id,
        secret_access_key: access.secret_access_key.into(),
    });
    let mut config = S3Config::default();
    config.post_object_max_file_size = access.max_form_bytes;
    builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    let frontend = Frontend { service: builder.build(), allowed_origins: access.allowed_origins.into() };
    Router::new().fallback(answer).with_state(frontend)
}

async fn answer(State(frontend): State<Frontend>, request: Request) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed_origin = origin.filter(|origin| {
        frontend.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    });
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        preflight(request.headers(), allowed_origin.is_some())
    } else {
        answer_signed(&frontend.service, request).await
    };
    let headers = response.headers_mut();
    if let Some(origin) = allowed_origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("ETag, Location, x-amz-version-id, x-amz-request-id"),
        );
    }
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    // No upload may run as a script in this origin, whatever type it declares.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

async fn answer_signed(service: &S3Service, mut request: Request) -> Response {
    if let Some(refusal) = guard::refusal(&request) {
        return refusal;
    }
    ranges::drop_ignored(&mut request);
    let asked = error::Asked::of(&request);
    error::explained(serve(service, request).await, &asked).await
}

fn preflight(asked: &HeaderMap, is_allowed: bool) -> Response {
    if !is_allowed {
        return access_denied("this origin may not use the storage; `ALLOWED_ORIGINS` names those that may");
    }
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, PUT, POST"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3000"));
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}

async fn serve(service: &S3Service, request: Request) -> Response {
    let is_form = guard::is_form(&request);
    let request =
        request.map(|body| if is_form { rechunked(body) } else { s3s::Body::http_body_unsync(body) });
    match service.call(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => {
            tracing::error!(?error, "the S3 stand-in failed");
            error::answer(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "the stand-in failed; its log says why",
            )
        }
    }
}

/// `s3s` 0.14 refuses a form when a frame of over 64 KiB follows one that ends with the beginning of a
/// boundary (any carriage return will do). Small frames never meet that limit.
fn rechunked(body: Body) -> s3s::Body {
    const FRAME_BYTES: usize = 16 * 1024;
    let frames = body.into_data_stream().flat_map(|chunk| {
        let frames: Vec<_> = match chunk {
            Ok(mut bytes) => {
                let mut frames = Vec::with_capacity(bytes.len() / FRAME_BYTES + 1);
                while !bytes.is_empty() {
                    let frame = bytes.split_to(bytes.len().min(FRAME_BYTES));
                    frames.push(Ok(http_body::Frame::data(frame)));
                }
                frames
            }
            Err(error) => vec![Err(error)],
        };
        futures_util::stream::iter(frames)
    });
    s3s::Body::http_body_unsync(http_body_util::StreamBody::new(frames))
}
