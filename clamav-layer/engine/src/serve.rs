//! Serves clamd's protocol (clamd(8)): `PING`, `VERSION`, `INSTREAM`, `FILDES`, `RELOAD`, `STATS`.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::clamav::{self, Engine};
use crate::conf::Conf;
use crate::conversions;
use crate::directories::Directories;
use crate::pass;
use crate::snapshot::restore::{self, Restored, Wanted};
use crate::stream::{Streamed, unnamed_file};
use crate::worker::{Ended, Job, Worker};

/// Under continuous scans, children would otherwise unpack the same frames again and again.
const MAX_PATIENCE_MS: usize = 1000;

/// How long a client that is still sending is read after the reply.
const LINGER: Duration = Duration::from_secs(5);

/// A command's name is short.
const MAX_COMMAND: usize = 64;

/// The state that connections share.
struct Service {
    conf: Conf,
    loaded: RwLock<Loaded>,
    directories: Directories,
    /// The number of running scans.
    n_scanning: AtomicUsize,
    /// Milliseconds that the background may still wait for scans.
    patience_ms: AtomicUsize,
    /// Requests for workers; see [`Service::fork_workers`].
    workers: mpsc::Sender<mpsc::Sender<anyhow::Result<Worker>>>,
}

/// The engine and its origin.
#[derive(Clone)]
struct Loaded {
    engine: Engine,
    restored: Option<&'static Restored>,
}

/// Serves until it is killed: from `snapshot`, if one is given and matches, otherwise from the definitions
/// themselves, which it reports.
pub(crate) fn serve(conf: Conf, snapshot: Option<&Wanted>) -> anyhow::Result<()> {
    clamav::init()?;
    // Here and not in each child, which would prepare OpenSSL for its file alone.
    clamav::use_digests()?;
    let listener = listen(&conf)?;
    let loaded = match snapshot {
        Some(wanted) => restored(&conf, wanted).or_else(|error| {
            crate::report::say(format_args!("WARNING: the snapshot is not used: {error:#}"));
            loaded(&conf)
        })?,
        None => loaded(&conf)?,
    };
    conversions::require()?;
    let (workers, requests) = mpsc::channel();
    let service = Arc::new(Service {
        directories: Directories::below(conf.temporary_directory.clone()),
        conf,
        loaded: RwLock::new(loaded.clone()),
        n_scanning: AtomicUsize::new(0),
        patience_ms: AtomicUsize::new(MAX_PATIENCE_MS),
        workers,
    });
    let forker = Arc::clone(&service);
    std::thread::spawn(move || forker.fork_workers(&requests));
    if let Some(restored) = loaded.restored {
        let service = Arc::clone(&service);
        std::thread::spawn(move || {
            if let Err(error) = restored.unpack_all(|| service.give_way()) {
                service.fall_back(&format!("{error:#}"));
            }
        });
    }
    for connection in listener.incoming() {
        let (service, connection) = (Arc::clone(&service), connection.context("the socket failed")?);
        std::thread::spawn(move || {
            if let Err(error) = service.answer(connection) {
                crate::report::say(format_args!("a connection ended early: {error:#}"));
            }
        });
    }
    Ok(())
}

fn listen(conf: &Conf) -> anyhow::Result<UnixListener> {
    ensure!(!conf.socket.as_os_str().is_empty(), "`LocalSocket` is missing");
    match std::fs::remove_file(&conf.socket) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener =
        UnixListener::bind(&conf.socket).with_context(|| format!("`{}`", conf.socket.display()))?;
    if let Some(mode) = conf.socket_mode {
        std::fs::set_permissions(&conf.socket, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(listener)
}

fn restored(conf: &Conf, wanted: &Wanted) -> anyhow::Result<Loaded> {
    let (engine, restored) = restore::restore(wanted, conf)?;
    let loaded = Loaded { engine, restored: Some(restored) };
    match check(conf, &loaded) {
        Ok(()) => Ok(loaded),
        Err(error) => {
            restored.release();
            Err(error)
        }
    }
}

fn loaded(conf: &Conf) -> anyhow::Result<Loaded> {
    let (engine, n_signatures) = Engine::load(&conf.database, &conf.load.fields, conf.load.options)?;
    crate::report::say(format_args!("{n_signatures} signatures were loaded"));
    Ok(Loaded { engine, restored: None })
}

/// The test file (eicar.org), in two halves, so that no scanner takes this program for it.
pub(crate) fn canary() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}", "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// Checks that the restored engine answers about the test file as the original did.
fn check(conf: &Conf, loaded: &Loaded) -> anyhow::Result<()> {
    let Some(restored) = loaded.restored else { return Ok(()) };
    let mut file = unnamed_file(&conf.temporary_directory)?;
    file.write_all(&canary())?;
    let directory = Directories::below(conf.temporary_directory.clone()).take();
    match Worker::fork(&job(conf, loaded), directory, loaded.restored)?.scan(file.as_fd()) {
        Ended::Reply(reply) if reply == restored.contents.canary => Ok(()),
        Ended::Reply(reply) => {
            bail!("it says `{reply}` about the test file, not `{}`", restored.contents.canary)
        }
        Ended::Damaged => bail!("it is damaged"),
    }
}

fn job(conf: &Conf, loaded: &Loaded) -> Job {
    Job {
        engine: loaded.engine,
        scan: conf.scan,
        max_scan_time: Duration::from_millis(conf.max_scan_time_ms),
    }
}

/// Returns clamd's reply to a scan of the test file, which a snapshot records.
pub(crate) fn canary_reply(engine: Engine, conf: &Conf) -> anyhow::Result<String> {
    let mut file = unnamed_file(&conf.temporary_directory)?;
    file.write_all(&canary())?;
    Ok(match engine.scan(std::os::fd::AsRawFd::as_raw_fd(&file), conf.scan) {
        Ok(None) => "OK".to_owned(),
        Ok(Some(name)) => format!("{name} FOUND"),
        Err(error) => format!("{error} ERROR"),
    })
}

impl Service {
    fn loaded(&self) -> Loaded {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forks workers on request, and one in advance, so that the next file need not wait for it. A thread of
    /// its own, which lives as long as the process: a child that must die with its parent dies with the
    /// thread that forked it (prctl(2), `PR_SET_PDEATHSIG`).
    fn fork_workers(&self, requests: &mpsc::Receiver<mpsc::Sender<anyhow::Result<Worker>>>) {
        let fork = |loaded: &Loaded| {
            Worker::fork(&job(&self.conf, loaded), self.directories.take(), loaded.restored)
        };
        let mut spare: Option<(Engine, Worker)> = None;
        loop {
            let loaded = self.loaded();
            if spare.is_none() {
                // If this fails, the next request retries it and gets the error.
                spare = fork(&loaded).ok().map(|worker| (loaded.engine, worker));
            }
            let Ok(asked) = requests.recv() else { return };
            let loaded = self.loaded();
            let fresh = spare.take().filter(|(engine, _)| *engine == loaded.engine).map(|(_, worker)| worker);
            let _ = asked.send(fresh.map_or_else(|| fork(&loaded), Ok));
        }
    }

    fn worker(&self) -> anyhow::Result<Worker> {
        let (ask, answer) = mpsc::channel();
        self.workers.send(ask).ok().context("the thread that forks workers has ended")?;
        answer.recv().context("the thread that forks workers has ended")?
    }

    /// Replaces the snapshot's engine by the loaded definitions, once. Scans wait meanwhile.
    fn fall_back(&self, why: &str) {
        let mut loaded_now = self.loaded.write().unwrap_or_else(PoisonError::into_inner);
        let Some(restored) = loaded_now.restored else { return };
        crate::report::say(format_args!("WARNING: the snapshot is not used from now on: {why}"));
        match loaded(&self.conf) {
            Ok(plain) => {
                *loaded_now = plain;
                restored.release();
            }
            Err(error) => {
                // Without an engine there is nothing to serve; the supervisor restarts the process.
                crate::report::say(format_args!("ERROR: the definitions could not be loaded: {error:#}"));
                std::process::exit(1);
            }
        }
    }

    /// The background works for later scans, so it waits while one runs, but not forever.
    fn give_way(&self) {
        const STEP_MS: usize = 5;
        while self.n_scanning.load(Ordering::Relaxed) > 0
            && self.patience_ms.load(Ordering::Relaxed) >= STEP_MS
        {
            std::thread::sleep(Duration::from_millis(STEP_MS as u64));
            self.patience_ms.fetch_sub(STEP_MS, Ordering::Relaxed);
        }
    }

    fn scan(&self, file: &std::fs::File) -> anyhow::Result<String> {
        self.n_scanning.fetch_add(1, Ordering::Relaxed);
        let reply = self.scan_now(file);
        self.n_scanning.fetch_sub(1, Ordering::Relaxed);
        reply
    }

    fn scan_now(&self, file: &std::fs::File) -> anyhow::Result<String> {
        let mut ended = self.worker()?.scan(file.as_fd());
        if ended == Ended::Damaged {
            self.fall_back("a scan found it damaged");
            ended = self.worker()?.scan(file.as_fd());
        }
        match ended {
            Ended::Reply(reply) => Ok(reply),
            Ended::Damaged => bail!("the engine is damaged"),
        }
    }

    /// `ClamAV 1.4.6/27900/Mon Nov 23 09:45:00 2026`; without an official daily database only the first part.
    fn version(&self) -> String {
        let restored = self.loaded().restored;
        let daily = restored
            .map_or_else(|| clamav::daily(&self.conf.database), |restored| restored.contents.daily.clone());
        let engine = clamav::version();
        daily
            .map_or(format!("ClamAV {engine}"), |(version, time)| format!("ClamAV {engine}/{version}/{time}"))
    }

    fn answer(&self, mut connection: UnixStream) -> anyhow::Result<()> {
        connection.set_read_timeout(Some(Duration::from_secs(self.conf.read_timeout_secs.max(1))))?;
        let (command, end) = read_command(&mut connection)?;
        let reply = match command.as_str() {
            "PING" => "PONG".to_owned(),
            "VERSION" => self.version(),
            "STATS" => stats(),
            // A process has one engine for its lifetime: new definitions need a new process.
            "RELOAD" => "RELOADING".to_owned(),
            "INSTREAM" => match self.stream(&mut connection)? {
                Some(file) => format!("stream: {}", self.scan(&file)?),
                None => "INSTREAM size limit exceeded. ERROR".to_owned(),
            },
            "FILDES" => {
                let file = pass::receive(&connection)?;
                let number = std::os::fd::AsRawFd::as_raw_fd(&file);
                format!("fd[{number}]: {}", self.scan(&file.into())?)
            }
            _ => "UNKNOWN COMMAND".to_owned(),
        };
        connection.write_all(reply.as_bytes())?;
        connection.write_all(&[end])?;
        linger(&mut connection);
        if command == "RELOAD" {
            bail!("definitions are not changed under a running engine: start another one");
        }
        Ok(())
    }

    /// Copies length-prefixed chunks to a file; returns `None` if there are too many bytes.
    fn stream(&self, connection: &mut UnixStream) -> anyhow::Result<Option<std::fs::File>> {
        let mut streamed = Streamed::new(&self.conf.temporary_directory)?;
        let mut rest = self.conf.max_stream;
        loop {
            let mut length = [0; 4];
            connection.read_exact(&mut length)?;
            let length = u64::from(u32::from_be_bytes(length));
            if length == 0 {
                return Ok(Some(streamed.into_file()));
            }
            let Some(left) = rest.checked_sub(length) else { return Ok(None) };
            rest = left;
            let copied = streamed.add(&mut *connection, length)?;
            ensure!(copied == length, "the stream ended early");
        }
    }
}

/// Reads for a moment what the client still sends: closing before that would discard the reply (unix(7),
/// ECONNRESET).
fn linger(connection: &mut UnixStream) {
    let _ = connection.shutdown(Shutdown::Write);
    let _ = connection.set_read_timeout(Some(LINGER));
    let (began, mut buffer) = (Instant::now(), [0; 8 << 10]);
    while began.elapsed() < LINGER && connection.read(&mut buffer).is_ok_and(|n| n > 0) {}
}

/// Reads a command and its terminator, which also ends its reply: NUL after `z`, a line's end after `n` or
/// nothing.
fn read_command(connection: &mut UnixStream) -> anyhow::Result<(String, u8)> {
    let mut text = vec![];
    let mut byte = [0];
    loop {
        connection.read_exact(&mut byte)?;
        let is_end = if text.first() == Some(&b'z') { byte[0] == 0 } else { byte[0] == b'\n' };
        if is_end {
            break;
        }
        text.push(byte[0]);
        ensure!(text.len() <= MAX_COMMAND, "a command is too long");
    }
    let end = if text.first() == Some(&b'z') { 0 } else { b'\n' };
    let name = text.strip_prefix(b"z").or_else(|| text.strip_prefix(b"n")).unwrap_or(&text);
    Ok((String::from_utf8_lossy(name).trim_end().to_owned(), end))
}

fn stats() -> String {
    "POOLS: 1\n\nSTATE: VALID PRIMARY\nTHREADS: live 1  idle 0 max 2 idle-timeout 30\nQUEUE: 0 items\n\n\
     MEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 pools_used N/A pools_total N/A\nEND"
        .to_owned()
}
