//! A client of clamd's socket: connects, sends one command, and reads the whole reply within a deadline.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::Duration;

use domain::verdict::EngineReply;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::protocol::{self, ReplyError, VersionReply, Via};

/// A client of one socket. Each command has a connection of its own.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// There is no usable reply. After any of these errors the engine must not be trusted: kill it.
#[derive(Debug, Error)]
pub enum ClientError {
    #[error("clamd did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("clamd's socket failed")]
    Socket(#[source] io::Error),
    #[error("the bytes to scan could not be read")]
    Source(#[source] io::Error),
    #[error(transparent)]
    BadReply(#[from] ReplyError),
}

/// INSTREAM chunk size: large enough that framing costs nothing, small enough for the stack of buffers.
const CHUNK_BYTES: usize = 128 * 1024;

impl Client {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Returns whether clamd has loaded its definitions and serves. Its socket file appears earlier.
    pub async fn ping(&self, deadline: Duration) -> Result<(), ClientError> {
        let reply = within(deadline, self.ask(protocol::PING)).await?;
        if reply == b"PONG\0" {
            Ok(())
        } else {
            Err(ReplyError(String::from_utf8_lossy(&reply).into_owned()).into())
        }
    }

    pub async fn version(&self, deadline: Duration) -> Result<VersionReply, ClientError> {
        let reply = within(deadline, self.ask(protocol::VERSION)).await?;
        Ok(protocol::parse_version(&reply)?)
    }

    /// Scans the bytes of `source`, as an INSTREAM. Returns the reply and how many bytes clamd took.
    pub async fn scan_stream(
        &self,
        source: impl AsyncRead + Unpin,
        deadline: Duration,
    ) -> Result<(EngineReply, u64), ClientError> {
        within(deadline, self.instream(source)).await
    }

    /// Scans an open file from its start, handing over the descriptor (FILDES).
    pub async fn scan_descriptor(
        &self,
        file: BorrowedFd<'_>,
        deadline: Duration,
    ) -> Result<EngineReply, ClientError> {
        within(deadline, self.fildes(file)).await
    }

    async fn ask(&self, command: &[u8]) -> Result<Vec<u8>, ClientError> {
        let mut socket = self.connect().await?;
        socket.write_all(command).await.map_err(ClientError::Socket)?;
        read_reply(&mut socket).await
    }

    async fn instream(&self, mut source: impl AsyncRead + Unpin) -> Result<(EngineReply, u64), ClientError> {
        let mut socket = self.connect().await?;
        let sent = send_chunks(&mut socket, &mut source).await;
        if let Err(ClientError::Source(error)) = sent {
            return Err(ClientError::Source(error));
        }
        // When clamd stops reading in mid-stream, its reply says why, and counts as an error in any case.
        let reply = read_reply(&mut socket).await?;
        let parsed = protocol::parse_reply(&reply, Via::Stream)?;
        Ok((parsed, sent?))
    }

    async fn fildes(&self, file: BorrowedFd<'_>) -> Result<EngineReply, ClientError> {
        let mut socket = self.connect().await?;
        socket.write_all(protocol::FILDES).await.map_err(ClientError::Socket)?;
        send_descriptor(&socket, file).await.map_err(ClientError::Socket)?;
        let reply = read_reply(&mut socket).await?;
        Ok(protocol::parse_reply(&reply, Via::Descriptor)?)
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket).await.map_err(ClientError::Socket)
    }
}

async fn within<T>(
    deadline: Duration,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(deadline, answer).await.unwrap_or(Err(ClientError::TimedOut(deadline)))
}

async fn send_chunks(
    socket: &mut UnixStream,
    source: &mut (impl AsyncRead + Unpin),
) -> Result<u64, ClientError> {
    socket.write_all(protocol::INSTREAM).await.map_err(ClientError::Socket)?;
    let (mut chunk, mut n_sent) = (vec![0; CHUNK_BYTES], 0u64);
    loop {
        let length = source.read(&mut chunk).await.map_err(ClientError::Source)?;
        let Some(header) = protocol::chunk_header(length).filter(|_| length > 0) else { break };
        socket.write_all(&header).await.map_err(ClientError::Socket)?;
        socket.write_all(&chunk[..length]).await.map_err(ClientError::Socket)?;
        n_sent += u64::try_from(length).unwrap_or(0);
    }
    socket.write_all(&protocol::END_OF_STREAM).await.map_err(ClientError::Socket)?;
    Ok(n_sent)
}

/// Reads until clamd closes the connection: a reply is complete only then.
async fn read_reply(socket: &mut UnixStream) -> Result<Vec<u8>, ClientError> {
    let (mut reply, limit) = (Vec::new(), u64::try_from(protocol::MAX_REPLY_BYTES).unwrap_or(0));
    socket.take(limit).read_to_end(&mut reply).await.map_err(ClientError::Socket)?;
    Ok(reply)
}

/// One byte of payload carries the descriptor (`SCM_RIGHTS`).
async fn send_descriptor(socket: &UnixStream, file: BorrowedFd<'_>) -> io::Result<()> {
    let descriptors = [file];
    loop {
        socket.ready(Interest::WRITABLE).await?;
        let sent = socket.try_io(Interest::WRITABLE, || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            let payload = [IoSlice::new(b"\0")];
            sendmsg(socket.as_fd(), &payload, &mut control, SendFlags::empty()).map_err(io::Error::from)
        });
        match sent {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
