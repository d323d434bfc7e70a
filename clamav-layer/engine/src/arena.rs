//! The engine's memory at a fixed address, and the libraries that it points into.

use std::ffi::{CStr, c_int, c_void};
use std::fs::File;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use anyhow::bail;

const _: () = assert!(size_of::<usize>() == 8, "addresses have 64 bits");

/// The arena's address, the same in every process; see shim.c.
const BASE: usize = 0x2000_0000_0000;
/// 8 GiB.
const MAX_SIZE: usize = 8 << 30;
pub(crate) const PAGE: usize = 4096;
/// The page size of x86_64, and of arm64 with pages of 4 KiB.
const LARGE_PAGE: usize = 2 << 20;

unsafe extern "C" {
    fn airlock_arena_begin() -> c_int;
    fn airlock_arena_end(start: *mut usize) -> usize;
}

/// The pages of the arena that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Extent {
    /// An address.
    pub(crate) start: usize,
    pub(crate) size: usize,
}

impl Extent {
    /// Whether it is made of pages of the arena.
    pub(crate) fn is_sound(self) -> bool {
        let is_inside =
            (BASE..=BASE + MAX_SIZE).contains(&self.start) && self.size <= BASE + MAX_SIZE - self.start;
        is_inside && self.start.is_multiple_of(PAGE) && self.size.is_multiple_of(PAGE)
    }

    pub(crate) fn n_pages(self) -> usize {
        self.size / PAGE
    }

    /// Returns a page's address.
    pub(crate) fn page(self, n: usize) -> usize {
        self.start + n * PAGE
    }

    /// Returns the offset of a page in the file that is mapped there. Large pages need addresses and offsets
    /// that are aligned alike.
    pub(crate) fn place_in_file(self, n: usize) -> u64 {
        (self.start % LARGE_PAGE + n * PAGE) as u64
    }

    /// Returns the page of an address.
    pub(crate) fn page_of(self, address: usize) -> Option<usize> {
        (self.start..self.start + self.size).contains(&address).then(|| (address - self.start) / PAGE)
    }
}

/// Runs `load` with all of this thread's memory from the arena. Also returns the part of the arena in use.
pub(crate) fn fill<T>(load: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Extent)> {
    // SAFETY: called once, before anything is in the arena.
    let error = unsafe { airlock_arena_begin() };
    if error != 0 {
        bail!("the arena's address is taken: {}", std::io::Error::from_raw_os_error(error));
    }
    let loaded = load();
    let mut start = 0;
    // SAFETY: the arena has begun, on this thread.
    let size = unsafe { airlock_arena_end(&raw mut start) };
    Ok((loaded?, Extent { start, size: size.next_multiple_of(PAGE) }))
}

/// Maps `extent` of the arena, privately, from a file in memory that is still empty. The mapping is not
/// accessible; bytes written to the file appear in it. A fork does not copy a file's pages unless they were
/// written to, which makes forking cheap.
pub(crate) fn map(extent: Extent) -> anyhow::Result<File> {
    // SAFETY: a new descriptor, or an error.
    let descriptor = unsafe { libc::memfd_create(c"airlock-engine".as_ptr(), libc::MFD_CLOEXEC) };
    if descriptor < 0 {
        bail!("no file in memory: {}", std::io::Error::last_os_error());
    }
    // SAFETY: the descriptor is ours.
    let memory = File::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
    memory.set_len(extent.place_in_file(extent.n_pages()))?;
    // SAFETY: a new mapping at an address where there is none, or an error.
    let got = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        let place = i64::try_from(extent.place_in_file(0))?;
        libc::mmap(
            extent.start as *mut c_void,
            extent.size,
            libc::PROT_NONE,
            flags,
            memory.as_raw_fd(),
            place,
        )
    };
    if got as usize != extent.start {
        bail!("the arena's address is taken: {}", std::io::Error::last_os_error());
    }
    Ok(memory)
}

/// Moves the complete mapping into large pages. A child's fault then maps 2 MiB instead of 64 KiB. For
/// kernels that support it (madvise(2), `MADV_COLLAPSE`, Linux 6.1); on others, nothing changes.
///
/// `hold` keeps the mapping until its result is dropped; with `None` the mapping is gone, and this ends.
pub(crate) fn settle<H>(extent: Extent, mut hold: impl FnMut() -> Option<H>) {
    const MADV_COLLAPSE: c_int = 25;
    const STEP: usize = 8 * LARGE_PAGE;
    let Some(mapping) = hold() else { return };
    // SAFETY: the mapping is held, ours and complete; pages that were never stored are zeros.
    unsafe { libc::mprotect(extent.start as *mut c_void, extent.size, libc::PROT_READ | libc::PROT_WRITE) };
    drop(mapping);
    let end = extent.start + extent.size;
    for start in (extent.start.next_multiple_of(LARGE_PAGE)..end).step_by(STEP) {
        let Some(_mapping) = hold() else { return };
        let size = STEP.min(end - start);
        // SAFETY: advice about a mapping that is held and ours. Whether it is taken changes no byte.
        if unsafe { libc::madvise(start as *mut c_void, size, MADV_COLLAPSE) } != 0
            && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL)
        {
            return;
        }
    }
}

/// Unmaps what [`map`] mapped, so that definitions can be loaded as usual.
pub(crate) fn release(extent: Extent) {
    // SAFETY: the mapping is ours, and nothing points into it any more.
    unsafe { libc::syscall(libc::SYS_munmap, extent.start, extent.size) };
}

/// A library in this process, as the loader has mapped it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Module {
    /// The last part of its path; empty for this program.
    pub(crate) name: String,
    /// The build id in hexadecimal; no two builds have the same.
    pub(crate) build_id: String,
    pub(crate) low: usize,
    pub(crate) high: usize,
}

/// Returns all libraries of this process.
pub(crate) fn modules() -> Vec<Module> {
    let mut modules: Vec<Module> = vec![];
    // SAFETY: the callback gets what it was given here, and keeps nothing.
    unsafe { libc::dl_iterate_phdr(Some(add_module), (&raw mut modules).cast()) };
    modules
}

unsafe extern "C" fn add_module(info: *mut libc::dl_phdr_info, _: usize, modules: *mut c_void) -> c_int {
    // SAFETY: the loader's description is valid during the call, and `modules` is the vector of the caller.
    let (info, modules) = unsafe { (&*info, &mut *modules.cast::<Vec<Module>>()) };
    let base = info.dlpi_addr as usize;
    // SAFETY: as many headers as it says.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let mut module = Module { name: String::new(), build_id: String::new(), low: usize::MAX, high: 0 };
    // SAFETY: the name is a string, or there is none.
    let path = if info.dlpi_name.is_null() { c"" } else { unsafe { CStr::from_ptr(info.dlpi_name) } };
    let path = path.to_string_lossy();
    path.rsplit('/').next().unwrap_or_default().clone_into(&mut module.name);
    for header in headers {
        let start = base + header.p_vaddr as usize;
        match header.p_type {
            libc::PT_LOAD => {
                module.low = module.low.min(start);
                module.high = module.high.max(start + header.p_memsz as usize);
            }
            libc::PT_NOTE => {
                let size = header.p_memsz as usize;
                // SAFETY: a note segment of a loaded module is mapped.
                let notes = unsafe { std::slice::from_raw_parts(start as *const u8, size) };
                if let Some(id) = build_id(notes) {
                    module.build_id = id;
                }
            }
            _ => {}
        }
    }
    modules.push(module);
    0
}

/// The build id among notes: a name `GNU`, type 3 (elf(5), `NT_GNU_BUILD_ID`).
fn build_id(mut notes: &[u8]) -> Option<String> {
    while notes.len() >= 12 {
        let word = |at: usize| Some(u32::from_ne_bytes(notes.get(at..at + 4)?.try_into().ok()?) as usize);
        let (name_size, size, kind) = (word(0)?, word(4)?, word(8)?);
        let start = 12 + name_size.next_multiple_of(4);
        let (name, description) = (notes.get(12..12 + name_size)?, notes.get(start..start + size)?);
        if kind == 3 && name == b"GNU\0" {
            return Some(description.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(start + size.next_multiple_of(4)..)?;
    }
    None
}

/// Returns all mappings of this process outside of the arena: start, end, and the kernel's name.
pub(crate) fn mappings() -> anyhow::Result<Vec<(usize, usize, String)>> {
    let text = std::fs::read_to_string("/proc/self/maps")?;
    let read = |line: &str| {
        let mut fields = line.split_whitespace();
        let (low, high) = fields.next()?.split_once('-')?;
        let (low, high) = (usize::from_str_radix(low, 16).ok()?, usize::from_str_radix(high, 16).ok()?);
        Some((low, high, fields.nth(4).unwrap_or_default().to_owned()))
    };
    let is_elsewhere = |(low, ..): &(usize, usize, String)| !(BASE..BASE + MAX_SIZE).contains(low);
    Ok(text.lines().filter_map(read).filter(is_elsewhere).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_has_a_build_id() {
        let modules = modules();
        let libc = modules.iter().find(|module| module.name.starts_with("libc.so")).unwrap();
        assert!(libc.build_id.len() == 40 && libc.low < libc.high, "{libc:?}");
    }

    #[test]
    fn an_address_that_is_taken_is_an_error_and_maps_nothing() {
        let extent = Extent { start: BASE + (1 << 30), size: 4 * PAGE };
        let taken = map(extent).unwrap();
        assert!(map(extent).is_err());
        assert!(map(Extent { start: extent.start - PAGE, size: 2 * PAGE }).is_err());
        drop(taken);
        release(extent);
        map(extent).unwrap();
        release(extent);
    }

    #[test]
    fn an_extent_is_made_of_the_arenas_pages() {
        let is_sound = |start, size| Extent { start, size }.is_sound();
        assert!(is_sound(BASE, MAX_SIZE) && is_sound(BASE + PAGE, PAGE) && is_sound(BASE + MAX_SIZE, 0));
        for (start, size) in [
            (BASE - PAGE, PAGE),
            (BASE, MAX_SIZE + PAGE),
            (BASE + 1, PAGE),
            (BASE, 1),
            (usize::MAX - 4095, PAGE),
        ] {
            assert!(!is_sound(start, size), "{start:x} {size}");
        }
    }

    #[test]
    fn a_build_id_is_found_among_other_notes() {
        let note = |kind: u32, description: &[u8]| {
            let mut note =
                [4u32, u32::try_from(description.len()).unwrap(), kind].map(u32::to_ne_bytes).concat();
            note.extend(b"GNU\0");
            note.extend(description);
            note.resize(note.len().next_multiple_of(4), 0);
            note
        };
        let notes = [note(1, &[0; 16]), note(3, &[0xab, 0xcd])].concat();
        assert_eq!(build_id(&notes), Some("abcd".to_owned()));
        assert_eq!(build_id(&note(1, &[0; 16])), None);
        assert_eq!(build_id(&notes[..20]), None);
    }
}
