//! A ClamAV mirror on loopback, with databases that ClamAV signed, and with every way in which mirrors fail.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// The mirror, and the requests that it received.
#[derive(Clone)]
pub(crate) struct Mirror {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    /// Of the database `test`, from 1 to 6.
    version: u32,
    mood: Mood,
    asked: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mood {
    Good,
    /// 403 or 429, and `Retry-After: 7200`.
    Refusing(u16),
    /// The connection ends in the middle of a whole database.
    CutOff,
    /// One bit of every whole database is flipped.
    Forging,
    /// There are no patches.
    WithoutPatches,
}

impl Mirror {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { version: 1, mood: Mood::Good, asked: vec![] }));
        let mirror = Self { url, shared };
        let router = Router::new().fallback(answer).with_state(mirror.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        mirror
    }

    pub(crate) fn set(&self, version: u32, mood: Mood) {
        let mut shared = self.shared.lock().unwrap();
        (shared.version, shared.mood) = (version, mood);
    }

    /// The requests since the last call of this function.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }
}

pub(crate) fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("clamav-layer/mirror")
}

async fn answer(State(mirror): State<Mirror>, request: Request) -> Response {
    let asked = request.uri().path().trim_start_matches('/').to_owned();
    let (version, mood) = {
        let mut shared = mirror.shared.lock().unwrap();
        shared.asked.push(asked.clone());
        (shared.version, shared.mood)
    };
    if let Mood::Refusing(status) = mood {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [(header::RETRY_AFTER, "7200")]).into_response();
    }
    let is_patch = asked.split('.').next_back() == Some("cdiff");
    let name = if asked == "test.cvd" { format!("test-{version}.cvd") } else { asked };
    let found = std::fs::read(files().join(&name)).ok();
    let Some(mut bytes) = found.filter(|_| !(is_patch && mood == Mood::WithoutPatches)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // freshclam asks for the first 512 bytes to see which version there is.
    let is_whole = request.headers().get(header::RANGE).is_none();
    if !is_whole {
        bytes.truncate(512);
        return (StatusCode::PARTIAL_CONTENT, bytes).into_response();
    }
    match mood {
        Mood::CutOff => {
            let (length, half) = (bytes.len(), bytes[..bytes.len() / 2].to_vec());
            let broken = std::io::Error::other("cut off");
            let body = Body::from_stream(futures_util::stream::iter([Ok(half), Err(broken)]));
            ([(header::CONTENT_LENGTH, length)], body).into_response()
        }
        Mood::Forging => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            bytes.into_response()
        }
        _ => bytes.into_response(),
    }
}
