//! Declares the binary interface of 7-Zip's format library, 7z.so.
//!
//! It is that of COM: an object is a pointer to a pointer to a table of functions, the first three of which
//! are IUnknown's. From 7-Zip 23 on the table has no destructors; a library says so itself
//! ([`module_property::INTERFACE_TYPE`]). Source: CPP/7zip/{IStream,IProgress,IPassword,PropID,ICoder}.h,
//! CPP/7zip/Archive/IArchive.h and CPP/Common/MyWindows.h of 7-Zip 26.

use std::ffi::c_void;

/// HRESULT: negative for errors.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Status(pub i32);

impl Status {
    pub(super) const OK: Self = Self(0);
    /// "No", where it is no error: not this format.
    pub(super) const FALSE: Self = Self(1);
    pub(super) const NOT_IMPLEMENTED: Self = Self(0x8000_4001_u32.cast_signed());
    pub(super) const NO_INTERFACE: Self = Self(0x8000_4002_u32.cast_signed());
    pub(super) const ABORT: Self = Self(0x8000_4004_u32.cast_signed());
    pub(super) const FAIL: Self = Self(0x8000_4005_u32.cast_signed());
    /// STG_E_INVALIDFUNCTION: what 7-Zip expects of a seek to before the start.
    pub(super) const INVALID_SEEK: Self = Self(0x8003_0001_u32.cast_signed());
    /// Every C++ exception that reaches the interface becomes this.
    pub(super) const OUT_OF_MEMORY: Self = Self(0x8007_000E_u32.cast_signed());
}

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Guid(pub u32, pub u16, pub u16, pub [u8; 8]);

impl Guid {
    pub(super) const UNKNOWN: Self = Self(0, 0, 0, [0xC0, 0, 0, 0, 0, 0, 0, 0x46]);
    pub(super) const PROGRESS: Self = Self::interface(0, 0x05);
    pub(super) const SEQUENTIAL_IN_STREAM: Self = Self::interface(3, 0x01);
    pub(super) const SEQUENTIAL_OUT_STREAM: Self = Self::interface(3, 0x02);
    pub(super) const IN_STREAM: Self = Self::interface(3, 0x03);
    pub(super) const GET_TEXT_PASSWORD: Self = Self::interface(5, 0x10);
    pub(super) const SET_PROPERTIES: Self = Self::interface(6, 0x03);
    pub(super) const ALLOW_TAIL: Self = Self::interface(6, 0x05);
    pub(super) const OPEN_CALLBACK: Self = Self::interface(6, 0x10);
    pub(super) const EXTRACT_CALLBACK: Self = Self::interface(6, 0x20);
    pub(super) const IN_ARCHIVE: Self = Self::interface(6, 0x60);

    const fn interface(group: u8, number: u8) -> Self {
        Self(0x2317_0F69, 0x40C1, 0x278A, [0, 0, 0, group, 0, number, 0, 0])
    }
}

/// PROPVARIANT. What `value` holds says `kind`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    pub kind: u16,
    pub reserved: [u16; 3],
    pub value: u64,
}

impl Variant {
    pub(super) const EMPTY: u16 = 0;
    /// A pointer to text or bytes, behind their length.
    pub(super) const BSTR: u16 = 8;
    pub(super) const BOOL: u16 = 11;
    pub(super) const U32: u16 = 19;
    pub(super) const I64: u16 = 20;
    pub(super) const U64: u16 = 21;

    pub(super) const fn empty() -> Self {
        Self::new(Self::EMPTY, 0)
    }

    pub(super) const fn new(kind: u16, value: u64) -> Self {
        Self { kind, reserved: [0; 3], value }
    }
}

/// IUnknown.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Unknown {
    pub query_interface: unsafe extern "C" fn(*mut c_void, *const Guid, *mut *mut c_void) -> Status,
    pub add_ref: unsafe extern "C" fn(*mut c_void) -> u32,
    pub release: unsafe extern "C" fn(*mut c_void) -> u32,
}

/// IInStream.
#[repr(C)]
#[derive(Debug)]
pub(super) struct InStream {
    pub unknown: Unknown,
    pub read: unsafe extern "C" fn(*mut c_void, *mut c_void, u32, *mut u32) -> Status,
    pub seek: unsafe extern "C" fn(*mut c_void, i64, u32, *mut u64) -> Status,
}

/// ISequentialOutStream.
#[repr(C)]
#[derive(Debug)]
pub(super) struct OutStream {
    pub unknown: Unknown,
    pub write: unsafe extern "C" fn(*mut c_void, *const c_void, u32, *mut u32) -> Status,
}

/// IArchiveOpenCallback.
#[repr(C)]
#[derive(Debug)]
pub(super) struct OpenCallback {
    pub unknown: Unknown,
    pub set_total: unsafe extern "C" fn(*mut c_void, *const u64, *const u64) -> Status,
    pub set_completed: unsafe extern "C" fn(*mut c_void, *const u64, *const u64) -> Status,
}

/// ICryptoGetTextPassword.
#[repr(C)]
#[derive(Debug)]
pub(super) struct GetTextPassword {
    pub unknown: Unknown,
    pub get: unsafe extern "C" fn(*mut c_void, *mut *mut u32) -> Status,
}

/// IArchiveExtractCallback, which begins with IProgress.
#[repr(C)]
#[derive(Debug)]
pub(super) struct ExtractCallback {
    pub unknown: Unknown,
    pub set_total: unsafe extern "C" fn(*mut c_void, u64) -> Status,
    pub set_completed: unsafe extern "C" fn(*mut c_void, *const u64) -> Status,
    pub get_stream: unsafe extern "C" fn(*mut c_void, u32, *mut *mut c_void, i32) -> Status,
    pub prepare_operation: unsafe extern "C" fn(*mut c_void, i32) -> Status,
    pub set_operation_result: unsafe extern "C" fn(*mut c_void, i32) -> Status,
}

/// IInArchive, as far as it is called here: four functions about lists of properties follow.
#[repr(C)]
#[derive(Debug)]
pub(super) struct InArchive {
    pub unknown: Unknown,
    pub open: unsafe extern "C" fn(*mut c_void, *mut c_void, *const u64, *mut c_void) -> Status,
    pub close: unsafe extern "C" fn(*mut c_void) -> Status,
    pub number_of_items: unsafe extern "C" fn(*mut c_void, *mut u32) -> Status,
    pub property: unsafe extern "C" fn(*mut c_void, u32, u32, *mut Variant) -> Status,
    pub extract: unsafe extern "C" fn(*mut c_void, *const u32, u32, i32, *mut c_void) -> Status,
    pub archive_property: unsafe extern "C" fn(*mut c_void, u32, *mut Variant) -> Status,
}

/// ISetProperties.
#[repr(C)]
#[derive(Debug)]
pub(super) struct SetProperties {
    pub unknown: Unknown,
    pub set: unsafe extern "C" fn(*mut c_void, *const *const u32, *const Variant, u32) -> Status,
}

/// IArchiveAllowTail.
#[repr(C)]
#[derive(Debug)]
pub(super) struct AllowTail {
    pub unknown: Unknown,
    pub allow: unsafe extern "C" fn(*mut c_void, i32) -> Status,
}

pub(super) type CreateObject = unsafe extern "C" fn(*const Guid, *const Guid, *mut *mut c_void) -> Status;
pub(super) type NumberOfFormats = unsafe extern "C" fn(*mut u32) -> Status;
pub(super) type FormatProperty = unsafe extern "C" fn(u32, u32, *mut Variant) -> Status;
pub(super) type ModuleProperty = unsafe extern "C" fn(u32, *mut Variant) -> Status;
/// Whether bytes are the start of a format: see [`is_start`].
pub(super) type IsStart = unsafe extern "C" fn(*const u8, usize) -> u32;
pub(super) type GetIsStart = unsafe extern "C" fn(u32, *mut Option<IsStart>) -> Status;

pub(super) mod module_property {
    /// 0: the tables of functions have no destructors.
    pub(in super::super) const INTERFACE_TYPE: u32 = 0;
    /// Major version in the upper half, minor version in the lower.
    pub(in super::super) const VERSION: u32 = 1;
}

pub(super) mod decoder_property {
    pub(in super::super) const NAME: u32 = 1;
}

pub(super) mod format_property {
    pub(in super::super) const NAME: u32 = 0;
    pub(in super::super) const CLASS_ID: u32 = 1;
    pub(in super::super) const SIGNATURE: u32 = 6;
    /// Each behind its length in a byte.
    pub(in super::super) const SIGNATURES: u32 = 7;
    pub(in super::super) const SIGNATURE_OFFSET: u32 = 8;
    pub(in super::super) const FLAGS: u32 = 11;
}

pub(super) mod format_flags {
    /// Its offsets count from the start of the file, wherever the archive begins.
    pub(in super::super) const USE_GLOBAL_OFFSET: u32 = 1 << 5;
    /// Asked where its signature does not stand, at the start and behind another archive.
    pub(in super::super) const START_OPEN: u32 = 1 << 6;
    /// Asked where its signature does not stand, at the start.
    pub(in super::super) const PURE_START_OPEN: u32 = 1 << 7;
    /// Its signature stands at the end.
    pub(in super::super) const BACKWARD_OPEN: u32 = 1 << 8;
    /// A program, which may have an archive behind it.
    pub(in super::super) const PRE_ARC: u32 = 1 << 9;
    /// Asked if the name's extension is its own.
    pub(in super::super) const BY_EXTENSION_ONLY: u32 = 1 << 12;
}

/// What [`IsStart`] answers.
pub(super) mod is_start {
    pub(in super::super) const NO: u32 = 0;
    pub(in super::super) const NEEDS_MORE: u32 = 2;
}

/// Of items and archives.
pub(super) mod property {
    pub(in super::super) const IS_DIRECTORY: u32 = 6;
    pub(in super::super) const ENCRYPTED: u32 = 15;
    pub(in super::super) const OFFSET: u32 = 36;
    pub(in super::super) const PHYSICAL_SIZE: u32 = 44;
    pub(in super::super) const ERROR: u32 = 55;
    pub(in super::super) const ERROR_FLAGS: u32 = 71;
    pub(in super::super) const SIZE_IS_UNKNOWABLE: u32 = 85;
}

pub(super) mod error_flags {
    pub(in super::super) const IS_NOT_ARCHIVE: u64 = 1 << 0;
    pub(in super::super) const ENCRYPTED_HEADERS: u64 = 1 << 2;
    pub(in super::super) const DATA_AFTER_END: u64 = 1 << 6;
    pub(in super::super) const UNSUPPORTED_METHOD: u64 = 1 << 7;
    pub(in super::super) const UNSUPPORTED_FEATURE: u64 = 1 << 8;
}

/// Why a stream is asked for.
pub(super) mod ask_mode {
    pub(in super::super) const EXTRACT: i32 = 0;
}

/// How an item ended.
pub(super) mod operation_result {
    pub(in super::super) const OK: i32 = 0;
    pub(in super::super) const UNSUPPORTED_METHOD: i32 = 1;
    pub(in super::super) const UNAVAILABLE: i32 = 4;
    pub(in super::super) const DATA_AFTER_END: i32 = 6;
    pub(in super::super) const WRONG_PASSWORD: i32 = 9;
}
