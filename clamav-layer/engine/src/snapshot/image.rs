//! The image of a process that has just loaded: the arena's bytes, and a description of the process.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::arena::{self, Extent, Module};
use crate::clamav::{self, Engine};
use crate::conf::{Conf, Source};

/// The description by the process that loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) engine_version: String,
    pub(crate) engine_address: u64,
    pub(crate) n_signatures: u32,
    /// The answer to a scan of the test file.
    pub(crate) canary: String,
    pub(crate) arena: Extent,
    pub(crate) modules: Vec<Module>,
    pub(crate) mappings: Vec<(usize, usize, String)>,
}

/// Loads into the arena and writes it to `out`, with the description beside it. For a process that does
/// nothing else.
pub(crate) fn write(conf: &Conf, out: &Path) -> anyhow::Result<()> {
    clamav::init()?;
    clamav::use_digests()?;
    let ((engine, n_signatures), arena) =
        arena::fill(|| Engine::load(&conf.database, &conf.load.fields, conf.load.options))?;
    // SAFETY: these pages are mapped, and nothing writes to them before they are in the file.
    let bytes = unsafe { std::slice::from_raw_parts(arena.start as *const u8, arena.size) };
    File::create(out)?.write_all(bytes).with_context(|| format!("`{}`", out.display()))?;
    let description = Description {
        canary: crate::serve::canary_reply(engine, conf)?,
        engine_version: clamav::version(),
        engine_address: engine.address(),
        n_signatures,
        arena,
        modules: arena::modules(),
        mappings: arena::mappings()?,
    };
    std::fs::write(beside(out), serde_json::to_vec(&description)?)?;
    Ok(())
}

fn die_with_parent() -> std::io::Result<()> {
    // SAFETY: a setting of this process.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

fn beside(image: &Path) -> PathBuf {
    let mut path = OsString::from(image);
    path.push(".json");
    path.into()
}

/// A written image, mapped for reading.
pub(crate) struct Image {
    pub(crate) description: Description,
    pub(crate) file: File,
    address: *mut libc::c_void,
}

impl Image {
    /// Loads in another process, whose libraries are at random addresses.
    pub(crate) fn load(source: &Source, out: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("load").args(source.arguments()).arg("--out").arg(out);
        // SAFETY: one system call, in the child before it runs the program: it ends when this process ends.
        unsafe { command.pre_exec(die_with_parent) };
        let status = command.status()?;
        ensure!(status.success(), "loading the definitions failed ({status})");
        Self::open(out)
    }

    fn open(path: &Path) -> anyhow::Result<Self> {
        let description: Description = serde_json::from_slice(&std::fs::read(beside(path))?)?;
        let file = File::open(path)?;
        ensure!(file.metadata()?.len() == description.arena.size as u64, "the image is incomplete");
        // SAFETY: a new mapping of a file that does not change.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                description.arena.size,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            bail!("the image could not be mapped: {}", std::io::Error::last_os_error());
        }
        Ok(Self { description, file, address })
    }

    /// The arena, word by word.
    pub(crate) fn words(&self) -> &[u64] {
        // SAFETY: mapped for as long as `self` lives; pages are aligned and their size is a multiple of
        // eight.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.description.arena.size / 8) }
    }

    /// Drops its pages from memory, unless other processes use them. They are read from the file again.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        let size = self.description.arena.size;
        // SAFETY: the mapping is ours, private and never written to: what is dropped is read again.
        unsafe { libc::madvise(self.address, size, libc::MADV_DONTNEED) };
        // SAFETY: advice about an open file.
        let code = unsafe {
            libc::posix_fadvise(self.file.as_raw_fd(), 0, i64::try_from(size)?, libc::POSIX_FADV_DONTNEED)
        };
        ensure!(code == 0, "the image's pages could not be dropped");
        Ok(())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.description.arena.size) }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and no slice of it outlives `self`.
        unsafe { libc::syscall(libc::SYS_munmap, self.address, self.description.arena.size) };
    }
}
