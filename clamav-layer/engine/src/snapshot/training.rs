//! Measures which pages a scan touches first, with the image as a file of which nothing is in memory yet.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use anyhow::{bail, ensure};

use crate::arena::{self, Extent, PAGE};
use crate::clamav::{self, Engine};
use crate::conf::Conf;
use crate::snapshot::image::Image;
use crate::snapshot::relocations::Relocations;

/// The tier of pages that no training scan touched.
pub(crate) const COLD: u8 = 2;

/// The training files whose scans touch a page, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Touched(pub(crate) u32);

/// Pages with pointers are private copies already when a scan begins, so their accesses cannot be observed.
const UNSEEN: u32 = 1 << 31;
/// One bit is [`UNSEEN`].
pub(crate) const MAX_FILES: usize = 31;

impl Touched {
    /// 0 if the first file's scan touches it, or may, 1 if another's does, [`COLD`] if none does.
    pub(crate) fn tier(self) -> u8 {
        match self.0 {
            0 => COLD,
            touched if touched & (1 | UNSEEN) != 0 => 0,
            _ => 1,
        }
    }
}

/// Returns the scans that need each page. Each scan runs in a process of its own.
pub(crate) fn touched(
    image: &Image,
    found: &Relocations,
    conf: &Conf,
    files: &[PathBuf],
) -> anyhow::Result<Vec<Touched>> {
    ensure!(files.len() <= MAX_FILES, "at most {} training files", MAX_FILES - 1);
    let arena = image.description.arena;
    image.file.sync_all()?;
    map(image)?;
    clamav::init()?;
    relocate(image, found)?;
    let mut touched = vec![Touched::default(); arena.n_pages()];
    for (offset, _) in &found.pointers {
        touched[offset / PAGE].0 |= UNSEEN;
    }
    for (n, path) in files.iter().enumerate() {
        image.forget()?;
        in_child(|| {
            // SAFETY: the image of a compiled engine is mapped at its original address, and its pointers are
            // relocated.
            let engine = unsafe { Engine::at(image.description.engine_address) };
            let file = File::open(path)?;
            // As a worker does.
            engine.work_in(&conf.temporary_directory)?;
            engine.scan(file.as_raw_fd(), conf.scan).map(drop).map_err(anyhow::Error::msg)
        })?;
        for (page, is_touched) in resident(arena)?.into_iter().enumerate() {
            if is_touched {
                touched[page].0 |= 1 << n;
            }
        }
    }
    arena::release(arena);
    Ok(touched)
}

fn map(image: &Image) -> anyhow::Result<()> {
    let arena = image.description.arena;
    // SAFETY: a new mapping at an address where there is none, or an error.
    let got = unsafe {
        libc::mmap(
            arena.start as *mut c_void,
            arena.size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE,
            image.file.as_raw_fd(),
            0,
        )
    };
    ensure!(
        got as usize == arena.start,
        "the image could not be mapped: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: the mapping is ours. Without this, the kernel reads pages ahead.
    unsafe { libc::madvise(got, arena.size, libc::MADV_RANDOM) };
    Ok(())
}

fn relocate(image: &Image, found: &Relocations) -> anyhow::Result<()> {
    let here = arena::modules();
    for (offset, module) in &found.pointers {
        let then = &image.description.modules[*module as usize];
        let Some(now) = here.iter().find(|now| now.name == then.name && now.build_id == then.build_id) else {
            bail!("`{}` is another one here", then.name)
        };
        let word = (image.description.arena.start + offset) as *mut usize;
        // SAFETY: within the mapping, aligned, and used by this thread alone.
        unsafe { *word = *word - then.low + now.low };
    }
    Ok(())
}

fn resident(arena: Extent) -> anyhow::Result<Vec<bool>> {
    let mut pages = vec![0u8; arena.n_pages()];
    // SAFETY: one byte for each page of a mapping that is there.
    let code = unsafe { libc::mincore(arena.start as *mut c_void, arena.size, pages.as_mut_ptr()) };
    ensure!(code == 0, "the kernel does not say which pages are in memory");
    Ok(pages.into_iter().map(|page| page & 1 == 1).collect())
}

/// Runs `act` in a forked child, which must succeed.
fn in_child(act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => bail!("no child: {}", std::io::Error::last_os_error()),
        0 => {
            let code = match act() {
                Ok(()) => 0,
                Err(error) => {
                    crate::report::say(format_args!("training: {error:#}"));
                    1
                }
            };
            // SAFETY: the child ends here, without the parent's exit handlers.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for the child that was just made.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            ensure!(status == 0, "a training scan failed ({status})");
            Ok(())
        }
    }
}
