//! Passes an open file over a socket: `SCM_RIGHTS` (unix(7)), one descriptor with one byte.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Room for one descriptor, aligned as a header must be.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; 64]);

const DESCRIPTOR_BYTES: u32 = size_of::<RawFd>() as u32;

fn message(byte: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: a header of zeros is a valid one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = byte;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control.0).cast();
    // SAFETY: arithmetic only.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(DESCRIPTOR_BYTES) } as usize;
    message
}

pub(crate) fn send(socket: &UnixStream, file: BorrowedFd<'_>) -> io::Result<()> {
    let (mut payload, mut control) = ([0u8], Control([MaybeUninit::zeroed(); 64]));
    let mut byte = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: 1 };
    let message = message(&mut byte, &mut control);
    // SAFETY: the message's parts live until it is sent, and the control buffer has room for one descriptor.
    let sent = unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(DESCRIPTOR_BYTES) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(file.as_raw_fd());
        libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(crate) fn receive(socket: &UnixStream) -> io::Result<OwnedFd> {
    let (mut payload, mut control) = ([0u8], Control([MaybeUninit::zeroed(); 64]));
    let mut byte = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: 1 };
    let mut message = message(&mut byte, &mut control);
    // SAFETY: the message's parts live until it is read; a descriptor that came is ours.
    unsafe {
        if libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SCM_RIGHTS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no descriptor was received"));
        }
        Ok(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()))
    }
}
