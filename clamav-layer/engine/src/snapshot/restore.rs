//! Restores an engine from a snapshot: unpacks the first tier immediately, and every other page when it is
//! touched or in the background.
//!
//! Missing pages are not accessible. Touching one raises SIGSEGV, whose handler reads, checks and unpacks its
//! frame. In a child that scans, a damaged frame ends the child with [`DAMAGED`]: no scan continues with
//! bytes that are not those of the snapshot.

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use zstd::zstd_safe::DCtx;

use crate::arena::{self, Extent, PAGE};
use crate::clamav::{self, Engine};
use crate::conf::Conf;
use crate::snapshot::source::Source;
use crate::snapshot::{Contents, FRAME_BYTES, Frame, read_contents, sha256};

/// The exit code of a child that finds the snapshot damaged. No other exit code of ours and no signal is the
/// same.
pub(crate) const DAMAGED: c_int = 70;

/// In no frame: zeros.
const NO_FRAME: u32 = u32::MAX;

/// The one snapshot that this process has restored.
static RESTORED: OnceLock<Restored> = OnceLock::new();

/// A snapshot that is in use.
pub(crate) struct Restored {
    pub(crate) contents: Contents,
    source: Source,
    /// Set in children: they unpack for themselves alone, so that a compromised child cannot change pages of
    /// others.
    is_child: AtomicBool,
    /// The address of each of its modules in this process.
    modules: Vec<u64>,
    /// By page.
    frame_of: Vec<u32>,
    state: Mutex<State>,
}

/// The unpacked frames, and buffers to unpack more: a signal handler must not allocate.
struct State {
    /// The file from which the arena is mapped; `None` once it is released.
    memory: Option<File>,
    is_done: Vec<bool>,
    packed: Vec<u8>,
    raw: Vec<u8>,
    decoder: DCtx<'static>,
}

/// Blocks unpacking. A thread that forks must hold it, so that no child gets an incomplete page.
pub(crate) struct Hold(#[expect(dead_code, reason = "it is held, not read")] MutexGuard<'static, State>);

/// The requested snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    /// Its final size, if it is still being written.
    pub(crate) size_bytes: Option<u64>,
    /// How long to wait for missing bytes.
    pub(crate) patience: Duration,
    /// The digest of its contents, from a caller that knows that it was made from the configuration's
    /// definitions, which may then be missing.
    pub(crate) contents: Option<String>,
}

impl Wanted {
    /// Opens it, and checks that it matches `conf` and this build of libclamav.
    fn open(&self, conf: &Conf) -> anyhow::Result<(Source, Contents, Vec<u64>)> {
        let source = Source::open(&self.path, self.size_bytes, self.patience)?;
        let contents = read_contents(&source, self.contents.as_deref())?;
        let version = clamav::version();
        ensure!(
            contents.engine_version == version,
            "the snapshot is of engine {}, this is {version}",
            contents.engine_version
        );
        ensure!(contents.load.fits(&conf.load), "the snapshot was made with another configuration");
        ensure!(
            self.contents.is_some() || contents.database == super::database_digests(&conf.database)?,
            "the snapshot is of other definitions"
        );
        let modules = places(&contents)?;
        Ok((source, contents, modules))
    }

    /// Checks that it matches, and that every byte is intact.
    pub(crate) fn check(&self, conf: &Conf) -> anyhow::Result<()> {
        let (source, contents, _) = self.open(conf)?;
        let mut packed = vec![];
        for (n, frame) in contents.frames.iter().enumerate() {
            packed.resize(frame.length, 0);
            source.read_exact_at(&mut packed, frame.offset).with_context(|| format!("frame {n}"))?;
            ensure!(sha256(&packed) == frame.sha256, "frame {n}: its digest is wrong");
        }
        Ok(())
    }
}

/// Restores a snapshot that matches `conf`. After an error the arena is free again, and definitions can be
/// loaded as usual.
pub(crate) fn restore(wanted: &Wanted, conf: &Conf) -> anyhow::Result<(Engine, &'static Restored)> {
    let (source, contents, modules) = wanted.open(conf)?;
    let frame_of = frame_of(&contents);
    let (extent, address) = (contents.arena, contents.engine_address);
    let state = State {
        memory: Some(arena::map(extent)?),
        is_done: vec![false; contents.frames.len()],
        packed: vec![0; zstd::zstd_safe::compress_bound(FRAME_BYTES)],
        raw: vec![0; FRAME_BYTES],
        decoder: DCtx::create(),
    };
    let is_child = AtomicBool::new(false);
    let restored = Restored { contents, source, is_child, modules, frame_of, state: Mutex::new(state) };
    let Ok(()) = RESTORED.set(restored) else { bail!("there is a snapshot already") };
    let restored = RESTORED.get().context("the snapshot is missing")?;
    if let Err(error) = restored.begin() {
        restored.release();
        return Err(error);
    }
    // SAFETY: the arena is mapped at its original address, its pointers are relocated, and missing pages are
    // unpacked when they are touched.
    let engine = unsafe { Engine::at(address) };
    // Limits are those of this start.
    if let Err(error) = engine.configure(&conf.load.fields) {
        restored.release();
        return Err(error);
    }
    Ok((engine, restored))
}

/// Returns the addresses of the snapshot's modules in this process. Those that it points into, and libclamav,
/// must be the same builds.
fn places(contents: &Contents) -> anyhow::Result<Vec<u64>> {
    let here = arena::modules();
    let mut is_used = vec![false; contents.modules.len()];
    for (_, module) in contents.frames.iter().flat_map(|frame| &frame.relocations) {
        is_used[*module as usize] = true;
    }
    let mut places = vec![];
    for (then, is_used) in contents.modules.iter().zip(is_used) {
        let now = here.iter().find(|now| now.name == then.name);
        let is_same = now.is_some_and(|now| now.build_id == then.build_id && now.high - now.low == then.high);
        ensure!(
            is_same || !(is_used || then.name.starts_with("libclamav")),
            "`{}` is another build here",
            then.name
        );
        places.push(now.map_or(0, |now| now.low as u64));
    }
    Ok(places)
}

fn frame_of(contents: &Contents) -> Vec<u32> {
    let mut frame_of = vec![NO_FRAME; contents.arena.n_pages()];
    for (n, frame) in (0..).zip(&contents.frames) {
        for (first, n_pages) in &frame.runs {
            frame_of[*first as usize..][..*n_pages as usize].fill(n);
        }
    }
    frame_of
}

impl Restored {
    fn begin(&self) -> anyhow::Result<()> {
        install_handler()?;
        for n in 0..self.contents.frames.len() {
            if self.contents.frames[n].tier == 0 {
                self.unpack(n)?;
            }
        }
        Ok(())
    }

    /// Unpacks all missing pages, in the order of the file, and moves them into large pages. For a background
    /// thread, which `give_way` delays.
    pub(crate) fn unpack_all(&self, mut give_way: impl FnMut()) -> anyhow::Result<()> {
        for n in 0..self.contents.frames.len() {
            give_way();
            self.unpack(n)?;
        }
        // A scan that finds the snapshot damaged frees the memory.
        arena::settle(self.contents.arena, || {
            give_way();
            Some(self.lock()).filter(|state| state.memory.is_some())
        });
        Ok(())
    }

    /// Marks this process as a child, which unpacks missing pages for itself.
    pub(crate) fn become_child(&self) {
        self.is_child.store(true, Ordering::Relaxed);
    }

    /// The snapshot's file, from which missing pages are read.
    pub(crate) fn descriptor(&self) -> c_int {
        self.source.descriptor()
    }

    pub(crate) fn hold(&'static self) -> Hold {
        Hold(self.lock())
    }

    /// Frees the arena's memory after an error. Its engine must no longer be used by this process. Children
    /// that scan with it have mappings of their own; they keep the memory until they end.
    pub(crate) fn release(&self) {
        let mut state = self.lock();
        if state.memory.take().is_some() {
            arena::release(self.contents.arena);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self, page: usize) -> anyhow::Result<()> {
        match self.frame_of[page] {
            NO_FRAME => allow(self.contents.arena, page, 1),
            n => self.unpack(n as usize),
        }
    }

    fn unpack(&self, n: usize) -> anyhow::Result<()> {
        let frame = &self.contents.frames[n];
        // Before the lock: a thread that forks must not wait for missing bytes.
        let came = self.source.wait_for(frame.offset + frame.length as u64);
        came.with_context(|| format!("frame {n} of the snapshot has not arrived"))?;
        let mut state = self.lock();
        if state.is_done[n] {
            return Ok(());
        }
        let State { memory, packed, raw, decoder, .. } = &mut *state;
        let memory = memory.as_ref().context("the snapshot has been released")?;
        let raw =
            self.read(frame, packed, raw, decoder).with_context(|| format!("frame {n} of the snapshot"))?;
        let (is_child, extent) = (self.is_child.load(Ordering::Relaxed), self.contents.arena);
        let mut start = 0;
        for (first, n_pages) in &frame.runs {
            let (first, n_pages) = (*first as usize, *n_pages as usize);
            let bytes = &raw[start..start + n_pages * PAGE];
            start += bytes.len();
            if is_child {
                allow(extent, first, n_pages)?;
                // SAFETY: these pages are the arena's, and writable since the previous line. This process has
                // one thread.
                unsafe {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), extent.page(first) as *mut u8, bytes.len());
                }
            } else {
                memory
                    .write_all_at(bytes, extent.place_in_file(first))
                    .context("there is no memory for it")?;
                allow(extent, first, n_pages)?;
            }
        }
        state.is_done[n] = true;
        Ok(())
    }

    /// Reads a frame: checks it, unpacks it, and relocates its pointers.
    fn read<'a>(
        &self,
        frame: &Frame,
        packed: &'a mut [u8],
        raw: &'a mut [u8],
        decoder: &mut DCtx<'_>,
    ) -> anyhow::Result<&'a mut [u8]> {
        let packed = &mut packed[..frame.length];
        self.source.read_exact_at(packed, frame.offset).context("it cannot be read")?;
        ensure!(sha256(packed) == frame.sha256, "its digest is wrong");
        let raw = if frame.is_compressed {
            let raw = &mut raw[..frame.raw_length];
            let size = decoder
                .decompress(raw, packed)
                .map_err(|code| anyhow::anyhow!(zstd::zstd_safe::get_error_name(code)))?;
            ensure!(size == frame.raw_length, "it is incomplete");
            raw
        } else {
            ensure!(frame.length == frame.raw_length, "it is incomplete");
            packed
        };
        for (offset, module) in &frame.relocations {
            let word = &mut raw[*offset as usize..][..8];
            let relative = u64::from_le_bytes(word.try_into()?);
            word.copy_from_slice(&relative.wrapping_add(self.modules[*module as usize]).to_le_bytes());
        }
        Ok(raw)
    }
}

/// Lets pages be read and written.
fn allow(extent: Extent, first: usize, n_pages: usize) -> anyhow::Result<()> {
    // SAFETY: pages of the arena, which is ours.
    let code = unsafe {
        libc::mprotect(extent.page(first) as *mut c_void, n_pages * PAGE, libc::PROT_READ | libc::PROT_WRITE)
    };
    ensure!(code == 0, "pages cannot be made accessible: {}", std::io::Error::last_os_error());
    Ok(())
}

fn install_handler() -> anyhow::Result<()> {
    // SAFETY: the handler touches nothing but what is listed above. It runs on the stack of the thread that
    // touched the page, which has room for it.
    let code = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut())
    };
    ensure!(code == 0, "no handler: {}", std::io::Error::last_os_error());
    Ok(())
}

extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel's description of the fault.
    let address = unsafe { (*info).si_addr() } as usize;
    let restored = RESTORED.get();
    let page = restored.and_then(|restored| restored.contents.arena.page_of(address));
    let Some((restored, page)) = restored.zip(page) else {
        // An access outside the arena is a bug: it is repeated, and ends the process as without this handler.
        // SAFETY: back to the default.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        return;
    };
    if let Err(error) = restored.touch(page) {
        crate::report::say(format_args!("the snapshot is damaged: {error:#}"));
        // SAFETY: ends this process and nothing else.
        unsafe { libc::_exit(DAMAGED) };
    }
}
