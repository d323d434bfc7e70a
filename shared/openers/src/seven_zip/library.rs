//! Loads the library and reads what it says about itself.

#![expect(unsafe_code, reason = "loads a library and calls its functions")]

use std::ffi::c_void;
use std::path::Path;
use std::ptr;

use libloading::os::unix::{Library as Dynamic, RTLD_LOCAL, RTLD_NOW};

use super::abi::{
    CreateObject, FormatProperty, GetIsStart, Guid, IsStart, ModuleProperty, NumberOfFormats, Status,
    Variant, decoder_property, format_property, is_start, module_property,
};
use super::archive::Archive;
use super::format::{self, Format, Weight};

/// An installed library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("the library of 7-Zip could not be loaded")]
    Loading(#[from] libloading::Error),
    #[error("the library of 7-Zip does not describe its formats")]
    Formats,
    #[error("what 7-Zip looks for cannot be searched for")]
    Search(#[from] aho_corasick::BuildError),
}

/// The library, loaded. It stays so until the process ends: objects of it hold its code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Library {
    create_object: CreateObject,
    number_of_formats: NumberOfFormats,
    format_property: FormatProperty,
    is_start: GetIsStart,
    module_property: ModuleProperty,
    number_of_decoders: NumberOfFormats,
    decoder_property: FormatProperty,
}

impl Library {
    /// Loads the library at `path`. Returns `None` for a version before 23, which has another interface.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, LoadError> {
        // SAFETY: initialisers of 7-Zip's library fill tables and read the name of the locale. It is an
        // installed program, as trusted as libc.
        let dynamic = unsafe { Dynamic::open(Some(path), RTLD_NOW | RTLD_LOCAL) }?;
        // SAFETY: only whether it is there.
        if unsafe { dynamic.get::<ModuleProperty>(c"GetModuleProp") }.is_err() {
            return Ok(None);
        }
        // SAFETY: types as declared in CPP/7zip/Archive/IArchive.h and CPP/7zip/ICoder.h.
        let library = unsafe {
            Self {
                create_object: *dynamic.get(c"CreateObject")?,
                number_of_formats: *dynamic.get(c"GetNumberOfFormats")?,
                format_property: *dynamic.get(c"GetHandlerProperty2")?,
                is_start: *dynamic.get(c"GetIsArc")?,
                module_property: *dynamic.get(c"GetModuleProp")?,
                number_of_decoders: *dynamic.get(c"GetNumberOfMethods")?,
                decoder_property: *dynamic.get(c"GetMethodProperty")?,
            }
        };
        std::mem::forget(dynamic);
        let is_known = library.module_number(module_property::INTERFACE_TYPE) == Some(0);
        Ok(is_known.then_some(library))
    }

    /// Such as "26.02".
    pub(super) fn version(self) -> String {
        let version = self.module_number(module_property::VERSION).unwrap_or_default();
        format!("{}.{:02}", version >> 16, version & 0xFFFF)
    }

    fn module_number(self, id: u32) -> Option<u32> {
        let mut value = Variant::empty();
        // SAFETY: fills a variant.
        let status = unsafe { (self.module_property)(id, &raw mut value) };
        if status == Status::OK { number(&value) } else { None }
    }

    pub(super) fn formats(self) -> Result<Vec<Format>, LoadError> {
        let mut n_formats = 0;
        // SAFETY: fills a number.
        if unsafe { (self.number_of_formats)(&raw mut n_formats) } != Status::OK || n_formats == 0 {
            return Err(LoadError::Formats);
        }
        (0..n_formats).map(|index| self.format(index).ok_or(LoadError::Formats)).collect()
    }

    fn format(self, index: u32) -> Option<Format> {
        let name = self.format_bytes(index, format_property::NAME)?;
        let name = text(&name)?;
        let id = self.format_bytes(index, format_property::CLASS_ID)?;
        let signatures = match self.format_bytes(index, format_property::SIGNATURE) {
            Some(signature) => vec![signature],
            None => split(&self.format_bytes(index, format_property::SIGNATURES).unwrap_or_default())?,
        };
        Some(Format {
            index: usize::try_from(index).ok()?,
            role: format::role(&name),
            kind: format::kind(&name),
            weight: self.weight(&name),
            class_id: guid(&id)?,
            flags: self.format_number(index, format_property::FLAGS)?,
            signatures,
            signature_offset: self
                .format_number(index, format_property::SIGNATURE_OFFSET)?
                .try_into()
                .ok()?,
            is_start: self.format_is_start(index),
        })
    }

    fn weight(self, name: &str) -> Weight {
        match format::decoder(name) {
            Some(decoder) if !self.has_decoder(decoder) => Weight::NoDecoder,
            _ => Weight::Full,
        }
    }

    fn has_decoder(self, name: &str) -> bool {
        let mut n_decoders = 0;
        // SAFETY: fills a number.
        let status = unsafe { (self.number_of_decoders)(&raw mut n_decoders) };
        let names = (0..n_decoders).filter_map(|index| {
            let mut value = Variant::empty();
            // SAFETY: fills a variant; as for formats.
            let status = unsafe { (self.decoder_property)(index, decoder_property::NAME, &raw mut value) };
            text(&bytes(&value).filter(|_| status == Status::OK)?)
        });
        status == Status::OK && names.into_iter().any(|found| found == name)
    }

    fn format_is_start(self, index: u32) -> Option<IsStart> {
        let mut function = None;
        // SAFETY: fills a pointer to a function, which may be null.
        let status = unsafe { (self.is_start)(index, &raw mut function) };
        function.filter(|_| status == Status::OK)
    }

    fn format_property(self, index: u32, id: u32) -> Option<Variant> {
        let mut value = Variant::empty();
        // SAFETY: fills a variant. Text in it is not freed: there is little, once per process.
        let status = unsafe { (self.format_property)(index, id, &raw mut value) };
        (status == Status::OK).then_some(value)
    }

    fn format_number(self, index: u32, id: u32) -> Option<u32> {
        number(&self.format_property(index, id)?)
    }

    /// Text is four bytes a character.
    fn format_bytes(self, index: u32, id: u32) -> Option<Vec<u8>> {
        bytes(&self.format_property(index, id)?)
    }

    /// Returns a new, closed archive of the format; `None` if the library has no memory.
    pub(super) fn archive(self, format: &Format) -> Option<Archive> {
        let interface = Guid::IN_ARCHIVE;
        let mut object: *mut c_void = ptr::null_mut();
        // SAFETY: both ids outlive the call, which fills the pointer.
        let status = unsafe {
            (self.create_object)(&raw const format.class_id, &raw const interface, &raw mut object)
        };
        let object = ptr::NonNull::new(object).filter(|_| status == Status::OK)?;
        // SAFETY: a new counted pointer to an object with that interface.
        Some(unsafe { Archive::from_counted(object) })
    }
}

/// Returns whether a format's archive may begin as `head` does, the first bytes of `size_bytes`.
pub(super) fn may_start(function: IsStart, head: &[u8], size_bytes: u64) -> bool {
    match start(function, head) {
        is_start::NO => false,
        is_start::NEEDS_MORE => (head.len() as u64) < size_bytes,
        _ => true,
    }
}

/// One of [`is_start`].
pub(super) fn start(function: IsStart, head: &[u8]) -> u32 {
    // SAFETY: reads at most that many bytes.
    unsafe { function(head.as_ptr(), head.len()) }
}

fn bytes(value: &Variant) -> Option<Vec<u8>> {
    if value.kind != Variant::BSTR || value.value == 0 {
        return None;
    }
    let start = ptr::with_exposed_provenance::<u8>(usize::try_from(value.value).ok()?);
    // SAFETY: a BSTR points behind its length, a number of four bytes, and to that many bytes.
    let bytes = unsafe {
        let n_bytes = start.sub(4).cast::<u32>().read_unaligned();
        std::slice::from_raw_parts(start, n_bytes as usize)
    };
    Some(bytes.to_vec())
}

fn number(value: &Variant) -> Option<u32> {
    // In the variant's lower half.
    (value.kind == Variant::U32).then_some((value.value & 0xFFFF_FFFF).try_into().ok()?)
}

fn text(bytes: &[u8]) -> Option<String> {
    let (characters, rest) = bytes.as_chunks::<4>();
    let text = characters.iter().map(|character| char::from_u32(u32::from_ne_bytes(*character)));
    text.collect::<Option<String>>().filter(|text| rest.is_empty() && !text.is_empty())
}

fn guid(bytes: &[u8]) -> Option<Guid> {
    let (first, rest) = bytes.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    let (third, rest) = rest.split_first_chunk()?;
    Some(Guid(
        u32::from_ne_bytes(*first),
        u16::from_ne_bytes(*second),
        u16::from_ne_bytes(*third),
        rest.try_into().ok()?,
    ))
}

/// Strings, each behind its length in a byte.
fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while let Some((n_bytes, rest)) = bytes.split_first() {
        let (part, rest) = rest.split_at_checked(usize::from(*n_bytes))?;
        parts.push(part.to_vec());
        bytes = rest;
    }
    Some(parts)
}
