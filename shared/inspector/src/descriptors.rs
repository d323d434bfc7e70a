//! Passes open files over a socket (`SCM_RIGHTS`, unix(7)), with the first byte of what follows.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The two files of a job, where its answer goes, and what is its stderr.
const N_FILES: usize = 4;

/// Sends the files. The socket is empty, so one byte always fits.
pub(crate) fn send(socket: impl AsFd, files: [BorrowedFd<'_>; N_FILES]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(N_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(socket, &[IoSlice::new(b"\0")], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Waits for the files. Returns `None` once the other side has closed the socket.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<[OwnedFd; N_FILES]>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(N_FILES))];
    let (mut control, mut byte) = (RecvAncillaryBuffer::new(&mut space), [0; 1]);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files = files.flatten().collect::<Vec<_>>();
    files.try_into().map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
}
