//! Wraps a sample in a zip archive that is encrypted with AES-256, while it is read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use aws::OpenObject;
use axum::body::Bytes;
use domain::id::Sha256;
use domain::sample::SAMPLE_PASSWORD;
use futures_util::{Stream, stream};
use sha2::Digest as _;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{AesMode, CompressionMethod, ZipWriter};

/// The archive, chunk by chunk, with one member that is called by its digest: the file's own name could make
/// a double click run it. Fails if the bytes have another digest, before the archive's directory is written,
/// so that no program opens what came until then.
pub(crate) fn encrypted(object: OpenObject, expected: Sha256) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(Archive::Unopened { object, expected }, async |mut archive| {
        loop {
            let written;
            (archive, written) = match archive {
                Archive::Unopened { object, expected } => (begin(object, expected)?, Bytes::new()),
                Archive::Open(open) => open.proceed().await?,
                Archive::Complete => return Ok(None),
            };
            if !written.is_empty() {
                return Ok(Some((written, archive)));
            }
        }
    })
}

enum Archive {
    Unopened { object: OpenObject, expected: Sha256 },
    Open(Box<OpenArchive>),
    Complete,
}

struct OpenArchive {
    object: OpenObject,
    expected: Sha256,
    hasher: sha2::Sha256,
    zip: ZipWriter<StreamWriter<Output>>,
    output: Output,
}

fn begin(object: OpenObject, expected: Sha256) -> io::Result<Archive> {
    let output = Output::default();
    let mut zip = ZipWriter::new_stream(output.clone());
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .unix_permissions(0o600)
        .with_aes_encryption(AesMode::Aes256, SAMPLE_PASSWORD);
    zip.start_file(expected.to_string(), options)?;
    let hasher = sha2::Sha256::new();
    Ok(Archive::Open(Box::new(OpenArchive { object, expected, hasher, zip, output })))
}

impl OpenArchive {
    /// Reads one chunk, or ends the archive. Returns what the archive has grown by.
    async fn proceed(mut self: Box<Self>) -> io::Result<(Archive, Bytes)> {
        if let Some(chunk) = self.object.body.next().await {
            let chunk = chunk.map_err(io::Error::other)?;
            self.hasher.update(&chunk);
            self.zip.write_all(&chunk)?;
            let written = self.output.take();
            return Ok((Archive::Open(self), written));
        }
        let Self { expected, hasher, zip, output, .. } = *self;
        if Sha256::from_bytes(hasher.finalize().into()) != expected {
            tracing::error!(file.sha256 = %expected, "a sample's bytes are not those that were judged");
            return Err(io::Error::other("the bytes are not those that were judged"));
        }
        zip.finish()?;
        Ok((Archive::Complete, output.take()))
    }
}

/// What the archive's writer has written and the client has not got yet.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
