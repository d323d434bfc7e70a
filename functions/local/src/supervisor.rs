//! Tells systemd that the service is ready, or is stopping, as `sd_notify(3)` describes it.

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The program that started the service, if it wants to be told.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: Option<OsString>,
}

impl Supervisor {
    /// `socket` is `NOTIFY_SOCKET`: a path, or an abstract address behind an `@`.
    pub(crate) fn at(socket: Option<OsString>) -> Self {
        Self { socket }
    }

    /// The service answers requests.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service has been asked to stop.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The service runs, and stops, without a supervisor that listens.
    fn tell(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send(socket, state) {
            tracing::warn!(error = aws::log::chain(&error), "the supervisor could not be told: {state}");
        }
    }
}

fn send(socket: &OsString, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}
