//! The part of libclamav's interface that is used (clamav.h of 1.4).

use std::ffi::{CStr, CString, c_char, c_int, c_longlong, c_uint, c_ulong, c_void};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// `cl_error_t`: these two are answers, everything else is a failure.
pub(crate) const CL_CLEAN: c_int = 0;
pub(crate) const CL_VIRUS: c_int = 1;

/// `struct cl_scan_options`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanOptions {
    pub(crate) general: u32,
    pub(crate) parse: u32,
    pub(crate) heuristic: u32,
    pub(crate) mail: u32,
    pub(crate) dev: u32,
}

/// `struct cl_cvd`.
#[repr(C)]
struct Cvd {
    time: *mut c_char,
    version: c_uint,
    signatures: c_uint,
    functionality_level: c_uint,
    md5: *mut c_char,
    signature: *mut c_char,
    builder: *mut c_char,
    built_at: c_uint,
}

#[repr(C)]
pub(crate) struct RawEngine {
    _opaque: [u8; 0],
}

unsafe extern "C" {
    fn cl_init(options: c_uint) -> c_int;
    fn cl_hash_data(
        algorithm: *const c_char,
        bytes: *const c_void,
        length: usize,
        digest: *mut u8,
        digest_length: *mut c_uint,
    ) -> *mut u8;
    fn cl_engine_new() -> *mut RawEngine;
    fn cl_engine_set_num(engine: *mut RawEngine, field: c_int, value: c_longlong) -> c_int;
    fn cl_engine_set_str(engine: *mut RawEngine, field: c_int, value: *const c_char) -> c_int;
    fn cl_load(
        path: *const c_char,
        engine: *mut RawEngine,
        signatures: *mut c_uint,
        options: c_uint,
    ) -> c_int;
    fn cl_engine_compile(engine: *mut RawEngine) -> c_int;
    fn cl_scandesc_callback(
        descriptor: c_int,
        name: *const c_char,
        virus: *mut *const c_char,
        scanned: *mut c_ulong,
        engine: *const RawEngine,
        options: *mut ScanOptions,
        context: *mut c_void,
    ) -> c_int;
    fn cl_engine_set_clcb_virus_found(
        engine: *mut RawEngine,
        callback: extern "C" fn(c_int, *const c_char, *mut c_void),
    );
    fn cl_strerror(error: c_int) -> *const c_char;
    fn cl_retver() -> *const c_char;
    fn cl_cvdhead(path: *const c_char) -> *mut Cvd;
    fn cl_cvdfree(cvd: *mut Cvd);
    fn cl_set_clcb_msg(callback: extern "C" fn(c_int, *const c_char, *const c_char, *mut c_void));
}

/// Writes libclamav's messages to standard error in clamd's format, where the supervisor reads them.
extern "C" fn report(_severity: c_int, full: *const c_char, _text: *const c_char, _context: *mut c_void) {
    // SAFETY: libclamav gives a string that lives as long as this call.
    crate::report::say(unsafe { CStr::from_ptr(full) }.to_string_lossy().trim_end());
}

/// Receives the findings of libclamav during a scan; only here does it report a file that exceeds the size
/// limit.
extern "C" fn note_name(_descriptor: c_int, name: *const c_char, context: *mut c_void) {
    if !name.is_null() {
        // SAFETY: the context is the scan's, and the name lives as long as this call.
        let (named, name) = unsafe { (&mut *context.cast::<Option<String>>(), CStr::from_ptr(name)) };
        *named = Some(name.to_string_lossy().into_owned());
    }
}

/// Returns a digest of the build ids of libclamav and its libraries. A snapshot of one build is refused by
/// another.
pub(crate) fn build() -> String {
    let modules = crate::arena::modules();
    let mut ids: Vec<String> =
        modules.iter().map(|module| format!("{} {}", module.name, module.build_id)).collect();
    // Not the kernel's own, which differs between machines; the program's name is empty.
    ids.retain(|id| id.starts_with("lib") || id.starts_with(' '));
    ids.sort();
    crate::snapshot::sha256(format!("{}\n{}", version(), ids.join("\n")).as_bytes())
}

/// Prepares libclamav; once in each process, before anything else of it.
pub(crate) fn init() -> anyhow::Result<()> {
    // SAFETY: no other thread uses libclamav yet.
    unsafe {
        cl_set_clcb_msg(report);
        check(cl_init(0)).context("libclamav could not be prepared")
    }
}

/// Uses every digest once. OpenSSL looks its methods up at their first use, by what the processor can do, and
/// keeps them; looked up while definitions are loaded, they would be part of the snapshot, which would then
/// depend on the processor and on libcrypto's build.
pub(crate) fn use_digests() -> anyhow::Result<()> {
    for name in [c"md5", c"sha1", c"sha256", c"sha384", c"sha512"] {
        // SAFETY: without a buffer, libclamav allocates the digest, which is ours to free.
        unsafe {
            let digest = cl_hash_data(
                name.as_ptr(),
                [0u8].as_ptr().cast(),
                1,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            ensure!(!digest.is_null(), "there is no digest `{}`", name.to_string_lossy());
            libc::free(digest.cast());
        }
    }
    Ok(())
}

fn check(code: c_int) -> anyhow::Result<()> {
    if code == CL_CLEAN { Ok(()) } else { bail!("{}", error_text(code)) }
}

fn error_text(code: c_int) -> String {
    // SAFETY: the string is constant.
    unsafe { CStr::from_ptr(cl_strerror(code)) }.to_string_lossy().into_owned()
}

/// Returns the version as `VERSION` reports it.
pub(crate) fn version() -> String {
    // SAFETY: the string is constant.
    unsafe { CStr::from_ptr(cl_retver()) }.to_string_lossy().into_owned()
}

/// Returns version and date of an official database from its header.
fn database_header(path: &Path) -> Option<(u32, String)> {
    let path = c_string(path).ok()?;
    // SAFETY: the header is freed here, after its text was copied.
    unsafe {
        let header = cl_cvdhead(path.as_ptr());
        let read = header.as_ref()?;
        let found = (read.version, CStr::from_ptr(read.time).to_string_lossy().into_owned());
        cl_cvdfree(header);
        Some(found)
    }
}

/// The header of the official daily database in a directory.
pub(crate) fn daily(directory: &Path) -> Option<(u32, String)> {
    let paths = ["daily.cvd", "daily.cld"].map(|name| directory.join(name));
    // libclamav prints an error for a missing file.
    paths.iter().filter(|path| path.is_file()).find_map(|path| database_header(path))
}

fn c_string(path: &Path) -> anyhow::Result<CString> {
    use std::os::unix::ffi::OsStrExt as _;
    CString::new(path.as_os_str().as_bytes()).context("a path has a NUL byte")
}

/// A loaded engine. It lives as long as the process, because a snapshot's arena cannot be freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Engine(*mut RawEngine);

// SAFETY: many threads may use libclamav's engine once it is compiled (clamav.h), and no field is set after
// that.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

/// Numbers that an engine is configured with: `enum cl_engine_field` and its value.
pub(crate) type Field = (c_int, i64);

/// `CL_ENGINE_TMPDIR`.
const TMPDIR: c_int = 13;

impl Engine {
    /// Loads definitions with libclamav's own verification. Also returns the number of signatures.
    pub(crate) fn load(database: &Path, fields: &[Field], options: u32) -> anyhow::Result<(Self, u32)> {
        // SAFETY: `init` has been called, and the engine is this thread's alone until it is returned.
        let engine = Self(unsafe { cl_engine_new() });
        if engine.0.is_null() {
            bail!("no memory for an engine");
        }
        engine.configure(fields)?;
        let (path, mut n_signatures) = (c_string(database)?, 0);
        // SAFETY: as above; the path lives until the call returns.
        unsafe {
            check(cl_load(path.as_ptr(), engine.0, &raw mut n_signatures, options))
                .with_context(|| format!("`{}` could not be loaded", database.display()))?;
            check(cl_engine_compile(engine.0)).context("the definitions could not be compiled")?;
        }
        Ok((engine, n_signatures))
    }

    /// Sets numbers, before anything is scanned.
    pub(crate) fn configure(self, fields: &[Field]) -> anyhow::Result<()> {
        for (field, value) in fields {
            // SAFETY: the engine is not shared yet.
            check(unsafe { cl_engine_set_num(self.0, *field, *value) })
                .with_context(|| format!("the engine does not take {value} for field {field}"))?;
        }
        Ok(())
    }

    /// Makes `path` the directory of unpacked members and this process's working directory. libclamav copies
    /// a path into memory whose place depends on its length, and the pages that a start needs must not depend
    /// on that.
    pub(crate) fn work_in(self, path: &Path) -> anyhow::Result<()> {
        std::env::set_current_dir(path).with_context(|| format!("`{}`", path.display()))?;
        // SAFETY: libclamav copies the string; nothing is being scanned.
        check(unsafe { cl_engine_set_str(self.0, TMPDIR, c".".as_ptr()) }).context("the temporary directory")
    }

    /// Scans an open file from its start. Returns the name of the finding, nothing, or libclamav's error
    /// message.
    pub(crate) fn scan(self, descriptor: c_int, mut options: ScanOptions) -> Result<Option<String>, String> {
        let (mut virus, mut scanned) = (std::ptr::null(), 0);
        let mut named: Option<String> = None;
        // SAFETY: the descriptor is open; the returned name lives as long as the engine; this process scans
        // nothing else meanwhile.
        let code = unsafe {
            cl_engine_set_clcb_virus_found(self.0, note_name);
            cl_scandesc_callback(
                descriptor,
                std::ptr::null(),
                &raw mut virus,
                &raw mut scanned,
                self.0,
                &raw mut options,
                (&raw mut named).cast(),
            )
        };
        match code {
            CL_CLEAN => Ok(None),
            CL_VIRUS if virus.is_null() => Ok(Some(named.unwrap_or_else(|| "(null)".to_owned()))),
            // SAFETY: libclamav has set it to a string.
            CL_VIRUS => Ok(Some(unsafe { CStr::from_ptr(virus) }.to_string_lossy().into_owned())),
            code => Err(error_text(code)),
        }
    }

    /// Its address, which a snapshot remembers.
    pub(crate) fn address(self) -> u64 {
        self.0 as u64
    }

    /// # Safety
    /// There is a compiled engine of this very libclamav at that address, for as long as the process lives.
    pub(crate) unsafe fn at(address: u64) -> Self {
        Self(address as *mut RawEngine)
    }
}
