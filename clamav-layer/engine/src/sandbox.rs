//! Confines a scan: it may read its file, unpack into its own directory, and do nothing else.
//!
//! Landlock (landlock(7), from Linux 5.13) denies the file system except that directory and the system's
//! libraries, some of which are loaded when a text needs them (iconv); seccomp (seccomp(2)) denies the
//! network, other processes and other programs. If an older kernel lacks one of them, the other still holds;
//! both need no privileges, and cannot be undone.

use std::ffi::{c_long, c_ulong, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

use anyhow::{Context as _, bail};

/// The confinements of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confined {
    pub(crate) file_system: bool,
    pub(crate) calls: bool,
}

/// Confines this process, which has one thread, to `directory`.
pub(crate) fn confine(directory: &Path) -> anyhow::Result<Confined> {
    // SAFETY: from now on no program gains privileges when it is run, which the two calls below require.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        bail!("privileges cannot be given up: {}", std::io::Error::last_os_error());
    }
    Ok(Confined { file_system: restrict_files(directory)?, calls: restrict_calls()? })
}

/// `struct landlock_ruleset_attr`, as the first version had it.
#[repr(C)]
struct Ruleset {
    handled: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    parent: i32,
}

/// `LANDLOCK_ACCESS_FS_*` of the first version, all thirteen: what is not allowed below is forbidden
/// everywhere.
const EVERY_ACCESS: u64 = (1 << 13) - 1;
/// Files and directories that a scan makes, reads and removes: all but running programs, devices, sockets and
/// pipes.
const OWN_ACCESS: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8;
const RULE_PATH_BENEATH: c_long = 1;
/// Directories that every scan may read, if they exist: libraries.
const READABLE: [&str; 4] = ["/usr/lib", "/lib", "/lib64", "/opt/lib"];
const READ: u64 = 1 << 2 | 1 << 3;

fn restrict_files(directory: &Path) -> anyhow::Result<bool> {
    let ruleset = Ruleset { handled: EVERY_ACCESS };
    // SAFETY: the structure lives during the call, which makes a descriptor or fails.
    let rules = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const ruleset, size_of::<Ruleset>(), 0)
    };
    if rules < 0 {
        return match std::io::Error::last_os_error().raw_os_error() {
            // Not in this kernel, turned off, or forbidden by a container's own filter.
            Some(libc::ENOSYS | libc::EOPNOTSUPP | libc::EPERM) => Ok(false),
            _ => bail!("landlock: {}", std::io::Error::last_os_error()),
        };
    }
    // SAFETY: the descriptor is ours.
    let rules = unsafe { OwnedFd::from_raw_fd(rules as i32) };
    allow(&rules, &File::open(directory).with_context(|| format!("`{}`", directory.display()))?, OWN_ACCESS)?;
    for path in READABLE {
        if let Ok(readable) = File::open(path) {
            allow(&rules, &readable, READ)?;
        }
    }
    // SAFETY: the descriptor is a set of rules.
    if unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) } != 0 {
        bail!("landlock: {}", std::io::Error::last_os_error());
    }
    Ok(true)
}

fn allow(rules: &OwnedFd, parent: &File, allowed: u64) -> anyhow::Result<()> {
    let beneath = Beneath { allowed, parent: parent.as_raw_fd() };
    // SAFETY: the structure lives during the call; the descriptors are open.
    let code = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            rules.as_raw_fd(),
            RULE_PATH_BENEATH,
            &raw const beneath,
            0,
        )
    };
    if code == 0 { Ok(()) } else { bail!("landlock: {}", std::io::Error::last_os_error()) }
}

/// Calls that no scan makes. They fail with EPERM.
const FORBIDDEN: [c_long; 32] = [
    // The network.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_io_uring_setup,
    // Programs and processes.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_kill,
    libc::SYS_tkill,
    // The machine.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
/// Set in numbers of the x32 interface, which would be another name for the same calls.
const X32: u32 = 0x4000_0000;

fn restrict_calls() -> anyhow::Result<bool> {
    let filter = filter();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the program lives during the call.
    let code = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            c_ulong::from(libc::SECCOMP_SET_MODE_FILTER),
            0,
            (&raw const program).cast::<c_void>(),
        )
    };
    if code == 0 {
        return Ok(true);
    }
    match std::io::Error::last_os_error().raw_os_error() {
        Some(libc::ENOSYS | libc::EINVAL | libc::EPERM) => Ok(false),
        _ => bail!("seccomp: {}", std::io::Error::last_os_error()),
    }
}

/// A classic BPF program over `struct seccomp_data`: the number of the call is its first word, the
/// architecture its second.
fn filter() -> Vec<libc::sock_filter> {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const IF_GREATER_OR_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let refuse = line(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut program = vec![
        line(LOAD_WORD, 0, 0, 4),
        line(IF_EQUAL, 1, 0, ARCHITECTURE),
        line(ANSWER, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        line(LOAD_WORD, 0, 0, 0),
        line(IF_GREATER_OR_EQUAL, 0, 1, X32),
        refuse,
    ];
    for call in FORBIDDEN {
        program.push(line(IF_EQUAL, 0, 1, u32::try_from(call).unwrap_or(u32::MAX)));
        program.push(refuse);
    }
    program.push(line(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW));
    program
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Read as _, Write as _};
    use std::net::{TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;
    use std::process::Command;

    use super::*;

    /// Returns the result of `act` in a forked child that is confined to `directory`.
    fn confined(directory: &Path, act: impl FnOnce(Confined) -> String) -> String {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        // SAFETY: the child does nothing that needs another thread.
        match unsafe { libc::fork() } {
            0 => {
                let said = act(confine(directory).unwrap());
                // As a file, because the call that writes to a socket is forbidden now.
                let _ = File::from(OwnedFd::from(theirs)).write_all(said.as_bytes());
                // SAFETY: the child ends here.
                unsafe { libc::_exit(0) }
            }
            child => {
                assert!(child > 0);
                drop(theirs);
                let mut said = String::new();
                ours.read_to_string(&mut said).unwrap();
                // SAFETY: waits for the child that was just made.
                unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
                said
            }
        }
    }

    fn error_of<T>(result: Result<T, Error>) -> Option<i32> {
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn a_scan_has_its_own_directory_and_nothing_else() {
        let directory = std::env::temp_dir().join(format!("airlock-sandbox-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let said = confined(&directory, |holds| {
            let own = directory.join("own");
            let can_write = std::fs::create_dir(&own).is_ok()
                && std::fs::write(own.join("file"), b"unpacked").is_ok()
                && std::fs::read(own.join("file")).is_ok_and(|bytes| bytes == b"unpacked")
                && std::fs::remove_dir_all(&own).is_ok()
                && std::fs::read_dir("/usr/lib").is_ok();
            let outside = [
                error_of(File::open("/etc/passwd")),
                error_of(std::fs::read_dir("/").map(drop)),
                error_of(std::fs::write(std::env::temp_dir().join("airlock-outside"), b"")),
                error_of(std::fs::remove_dir(&directory)),
            ];
            let calls = [
                error_of(TcpStream::connect("127.0.0.1:9")),
                error_of(UdpSocket::bind("127.0.0.1:0")),
                error_of(UnixStream::pair()),
                // SAFETY: a signal that does nothing, to the parent.
                error_of(if unsafe { libc::kill(libc::getppid(), 0) } == 0 {
                    Ok(())
                } else {
                    Err(Error::last_os_error())
                }),
                error_of(Command::new("/bin/true").status()),
            ];
            format!("{holds:?} {can_write} {outside:?} {calls:?}")
        });
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(said.contains("calls: true") && said.contains("} true ["), "{said}");
        let eperm = libc::EPERM;
        assert!(
            said.ends_with(&format!(
                "[Some({eperm}), Some({eperm}), Some({eperm}), Some({eperm}), Some({eperm})]"
            )),
            "{said}"
        );
        if said.contains("file_system: true") {
            assert_eq!(said.matches(&format!("Some({})", libc::EACCES)).count(), 4, "{said}");
        }
    }
}
