//! The messages between the service, a worker and its copies: a job, its answer, its end, each as JSON behind
//! its length.

use std::io::{self, Read, Write};
use std::time::Duration;

use gate::{Decryption, Gate, Place, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The job for the files that come with it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) gate: Gate,
    /// Processor time.
    pub(crate) cpu_limit: Duration,
    pub(crate) password: Option<String>,
}

/// The answer of a copy, which has read hostile bytes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Inspected {
        refusal: Option<Refusal>,
        handed: Vec<Place>,
        is_text_like_program: bool,
        decryption: Decryption,
        cpu_time: Duration,
    },
    /// One of the files failed.
    Storage { message: String, is_full: bool },
}

/// The worker's message once its copy has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct End {
    /// The status of waitpid(2).
    pub(crate) status: i32,
    /// What the worker itself spent on this job.
    pub(crate) cpu_time: Duration,
}

/// 65,536 members, each with its place in a hundred bytes, and some room.
const MAX_BYTES: u32 = 16 * 1024 * 1024;

pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(message)?;
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= MAX_BYTES);
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    Ok([length.to_le_bytes().as_slice(), &text].concat())
}

pub(crate) fn write(target: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    target.write_all(&encode(message)?)
}

pub(crate) fn read<T: DeserializeOwned>(source: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let mut text = vec![0; text_size(length)?];
    source.read_exact(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

pub(crate) async fn read_async<T: DeserializeOwned>(source: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let mut length = [0; 4];
    source.read_exact(&mut length).await?;
    let mut text = vec![0; text_size(length)?];
    source.read_exact(&mut text).await?;
    Ok(serde_json::from_slice(&text)?)
}

fn text_size(length: [u8; 4]) -> io::Result<usize> {
    let length = Some(u32::from_le_bytes(length)).filter(|length| *length <= MAX_BYTES);
    length.and_then(|length| length.try_into().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}
