//! Has the service judge one file, and accepts the verdict only about the bytes that the file still has.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use domain::id::Sha256;
use futures_util::TryStreamExt as _;
use reqwest::{Body, Method, StatusCode, header};
use rustix::fs::OFlags;
use serde_json::Value;
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::fingerprint::Fingerprint;
use super::look::Candidate;
use super::mark::Mark;
use crate::client::Client;
use crate::failure::{self, refusal};

/// Longer than a service on one machine waits for a verdict.
const TIMEOUT: Duration = Duration::from_mins(6);
const READ_BYTES: usize = 256 * 1024;

/// A verdict, and the file that it is about.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) file: File,
    pub(super) mark: Mark,
}

/// Returns the verdict on the file's bytes; `None` if the file has been replaced or changed since it was
/// found, so that it must be looked at again.
pub(super) async fn judge(client: &Client, candidate: &Candidate) -> anyhow::Result<Option<Judged>> {
    let Some(file) = open(candidate)? else { return Ok(None) };
    let size_bytes = candidate.fingerprint.size_bytes;
    let (status, answer, sha256) = if size_bytes == 0 {
        // The service judges no empty body.
        (StatusCode::UNPROCESSABLE_ENTITY, Value::Null, digest_of_nothing())
    } else {
        send(client, &file, size_bytes).await?
    };
    // The service answers that without reading what was sent.
    let sha256 = if status == StatusCode::PAYLOAD_TOO_LARGE { digest_of(&file).await? } else { sha256 };
    let is_same = is_unchanged(&candidate.path, &file, &candidate.fingerprint);
    if !is_same {
        return Ok(None);
    }
    let (verdict, reason) = match status {
        StatusCode::OK => verdict(&answer, sha256)?,
        StatusCode::UNPROCESSABLE_ENTITY if size_bytes == 0 => {
            ("unscannable".to_owned(), Some("empty".to_owned()))
        }
        StatusCode::PAYLOAD_TOO_LARGE => ("unscannable".to_owned(), Some("too_large".to_owned())),
        _ => return Err(refusal(status, &answer).into()),
    };
    let engine = answer["scan_result"]["engine_version"].as_str();
    let mark = Mark {
        verdict,
        reason,
        size: size_bytes,
        mtime_ns: candidate.fingerprint.mtime_ns,
        sha256: sha256.to_string(),
        engine: match engine {
            Some(engine) => engine.to_owned(),
            // Not sent to an engine: judged again with the next release, like all others.
            None => release(client).await?,
        },
        judged_at: aws::clock::now().to_string(),
    };
    Ok(Some(Judged { file, mark }))
}

/// Opens the file that was found; `None` if the path leads to another one by now.
fn open(candidate: &Candidate) -> anyhow::Result<Option<File>> {
    // Without NONBLOCK, a pipe in the place of the file would block.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(&candidate.path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure::unreadable(&error)),
    };
    // A directory above it may have been replaced by a link.
    let opened = std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let is_in_place = opened.is_ok_and(|opened| opened == candidate.path);
    let is_same = is_in_place && is_unchanged(&candidate.path, &file, &candidate.fingerprint);
    Ok(is_same.then_some(file))
}

/// Whether both the open file and the file at the path are still those of the fingerprint.
fn is_unchanged(path: &Path, file: &File, fingerprint: &Fingerprint) -> bool {
    let now = [file.metadata(), std::fs::symlink_metadata(path)];
    now.into_iter().all(|metadata| {
        metadata.is_ok_and(|metadata| metadata.is_file() && Fingerprint::of(&metadata) == *fingerprint)
    })
}

/// The digest of the whole file.
async fn digest_of(file: &File) -> anyhow::Result<Sha256> {
    let mut file = file.try_clone().map_err(|error| failure::unreadable(&error))?;
    let hashed = tokio::task::spawn_blocking(move || {
        let (mut hasher, mut buffer) = (sha2::Sha256::new(), vec![0; READ_BYTES]);
        file.rewind()?;
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                n_bytes => hasher.update(&buffer[..n_bytes]),
            }
        }
        Ok(Sha256::from_bytes(hasher.finalize().into()))
    });
    hashed.await?.map_err(|error: std::io::Error| failure::unreadable(&error))
}

/// Sends the file's bytes. Returns the answer, and the digest of the bytes that were sent.
async fn send(client: &Client, file: &File, size_bytes: u64) -> anyhow::Result<(StatusCode, Value, Sha256)> {
    let hasher = Arc::new(Mutex::new(sha2::Sha256::new()));
    let sent = Arc::clone(&hasher);
    let file = file.try_clone().map_err(|error| failure::unreadable(&error))?;
    // A file that grows meanwhile is judged again.
    let bytes = tokio::fs::File::from_std(file).take(size_bytes);
    let chunks = ReaderStream::with_capacity(bytes, READ_BYTES).inspect_ok(move |chunk| {
        sent.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
    });
    let request = client.request(Method::POST, "/scan").timeout(TIMEOUT);
    let request = request
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, size_bytes)
        .body(Body::wrap_stream(chunks));
    let (status, answer) = client.answer(request).await?;
    let digest = hasher.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
    Ok((status, answer, Sha256::from_bytes(digest.into())))
}

fn digest_of_nothing() -> Sha256 {
    Sha256::from_bytes(sha2::Sha256::digest([]).into())
}

/// The verdict of an answer, and its finding or reason. The error is a verdict on other bytes.
fn verdict(answer: &Value, sha256: Sha256) -> anyhow::Result<(String, Option<String>)> {
    let result = &answer["scan_result"];
    let Some(status) = answer["scan_status"].as_str() else {
        bail!("the service's answer has no verdict: is it an Airlock?");
    };
    match result["sha256"].as_str() {
        Some(judged) if judged == sha256.to_string() => {}
        // Without a digest, the service has not read them to the end.
        None if !matches!(status, "clean" | "released") => {}
        _ => bail!("the service judged other bytes than those that were sent"),
    }
    let reason = result["signature"].as_str().or(result["reason"].as_str());
    Ok((status.to_owned(), reason.map(ToOwned::to_owned)))
}

async fn release(client: &Client) -> anyhow::Result<String> {
    let (_, health) = client.answer(client.request(Method::GET, "/health")).await?;
    Ok(health["engine"]["version"].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn candidate(path: &Path) -> Candidate {
        let fingerprint = Fingerprint::of(&std::fs::symlink_metadata(path).unwrap());
        Candidate { path: path.to_owned(), fingerprint }
    }

    #[test]
    fn a_verdict_on_other_bytes_is_none() {
        let (digest, other) = (digest_of_nothing(), Sha256::from_bytes([1; 32]));
        let answer = |sha256: Sha256| json!({ "scan_status": "clean", "scan_result": { "sha256": sha256 } });
        assert_eq!(verdict(&answer(digest), digest).unwrap(), ("clean".to_owned(), None));
        let unread = json!({ "scan_status": "unscannable", "scan_result": { "reason": "scan_timeout" } });
        let expected = ("unscannable".to_owned(), Some("scan_timeout".to_owned()));
        assert_eq!(verdict(&unread, digest).unwrap(), expected);
        for wrong in [answer(other), json!({ "scan_status": "clean" }), json!({})] {
            assert!(verdict(&wrong, digest).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_was_replaced_or_changed_is_not_the_one_that_was_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (path, other) = (root.join("a"), root.join("b"));
        std::fs::write(&path, "good").unwrap();
        let found = candidate(&path);
        let file = open(&found).unwrap().unwrap();
        assert!(is_unchanged(&path, &file, &found.fingerprint));
        // Replaced by a file of the same size.
        std::fs::write(&other, "evil").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(!is_unchanged(&path, &file, &found.fingerprint));
        assert!(open(&found).unwrap().is_none());
        // By a link.
        std::fs::write(&other, "evil").unwrap();
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(open(&Candidate { path: path.clone(), ..candidate(&other) }).is_err());
        // Below a directory that became a link.
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/c"), "good").unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("linked")).unwrap();
        assert!(open(&candidate(&root.join("linked/c"))).unwrap().is_none());
        assert!(open(&candidate(&root.join("real/c"))).unwrap().is_some());
    }
}
