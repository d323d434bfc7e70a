//! A worker, as the service sees it: started, given one job, ended.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use crate::protocol::{self, Answer, Job};
use crate::{InspectorError, WorkerProgram, descriptors, worker};

/// Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    socket: UnixStream,
}

/// How a worker ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Answered(Answer),
    /// Without a whole answer; `said` is the end of what it wrote to stderr.
    Failed {
        status: ExitStatus,
        said: String,
    },
}

const MAX_SAID: u64 = 4096;

/// The openers that a worker has, by name and version.
pub(crate) async fn openers(program: &WorkerProgram) -> io::Result<Vec<String>> {
    let output = command(program).arg(worker::OPENERS).stdin(Stdio::null()).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(format!("{}: {said}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(ToOwned::to_owned).collect())
}

fn command(program: &WorkerProgram) -> Command {
    let mut command = Command::new(&program.path);
    command
        .arg0(worker::NAME)
        .args(&program.arguments)
        .arg(worker::WORD)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .kill_on_drop(true);
    command
}

impl Worker {
    /// Starts `program` as a worker. It gets no environment: no credentials, no secrets.
    pub(crate) fn start(program: &WorkerProgram) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = command(program)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { child, socket: UnixStream::from_std(ours)? })
    }

    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Gives it its job. The files are copies of the descriptors: the same open files.
    pub(crate) async fn give(&mut self, job: &Job, file: &File, scratch: &File) -> io::Result<()> {
        descriptors::send(&self.socket, [file.as_fd(), scratch.as_fd()])?;
        self.socket.write_all(&protocol::encode(job)?).await
    }

    /// Waits for the answer, or for the end without one. The process is gone afterwards.
    pub(crate) async fn answer(mut self) -> Result<Ended, InspectorError> {
        // Half an answer is none.
        if let Ok(answer) = protocol::read_async(&mut self.socket).await {
            self.child.kill().await.map_err(InspectorError::Socket)?;
            return Ok(Ended::Answered(answer));
        }
        drop(self.socket);
        let mut said = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _ = stderr.take(MAX_SAID).read_to_end(&mut said).await;
        }
        let status = self.child.wait().await.map_err(InspectorError::Socket)?;
        Ok(Ended::Failed { status, said: String::from_utf8_lossy(&said).trim().to_owned() })
    }
}
