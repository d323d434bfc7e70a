//! Holds an archive object of the library.

#![expect(unsafe_code, reason = "calls the library's objects through their tables")]

use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::Rc;

use super::abi::{AllowTail, Guid, InArchive, SetProperties, Status, Unknown, Variant, property};
use super::extracting::Callback;
use super::input::Input;
use super::object::{self, Object, Served};
use super::opening::Opening;

/// A counted pointer to an object of the library.
#[derive(Debug)]
struct Counted(NonNull<c_void>);

impl Counted {
    /// # Safety
    ///
    /// `T` must be the table of an interface that was asked for when the pointer was got.
    unsafe fn functions<T>(&self) -> &T {
        // SAFETY: an object begins with the pointer to its table, which lives as long as the library: to the
        // end of the process.
        unsafe { &**self.0.cast::<*const T>().as_ptr() }
    }

    /// Another interface of the object, if it has it.
    fn interface(&self, id: Guid) -> Option<Self> {
        let mut found = ptr::null_mut();
        // SAFETY: every table begins with IUnknown's functions; the call fills the pointer, which is counted.
        let status = unsafe {
            (self.functions::<Unknown>().query_interface)(self.0.as_ptr(), &raw const id, &raw mut found)
        };
        NonNull::new(found).filter(|_| status == Status::OK).map(Self)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // SAFETY: gives up the pointer that was counted for it.
        unsafe { (self.functions::<Unknown>().release)(self.0.as_ptr()) };
    }
}

/// An archive of one format, open or not. It holds its input until it is dropped.
#[derive(Debug)]
pub(super) struct Archive(Counted);

impl Archive {
    /// # Safety
    ///
    /// A pointer to an object with the interface [`Guid::IN_ARCHIVE`], counted for this.
    pub(super) unsafe fn from_counted(object: NonNull<c_void>) -> Self {
        Self(Counted(object))
    }

    fn functions(&self) -> &InArchive {
        // SAFETY: by `from_counted`.
        unsafe { self.0.functions() }
    }

    fn this(&self) -> *mut c_void {
        self.0.0.as_ptr()
    }

    /// Has it work without threads of its own, which the worker may not make.
    pub(super) fn forbid_threads(&self) {
        const ONE_THREAD: (&[u32], Variant) = (&['m' as u32, 't' as u32, 0], Variant::new(Variant::U32, 1));
        // Of 7z: whether coders behind each other run in threads.
        const NO_THREAD_FOR_EACH_CODER: (&[u32], Variant) =
            (&['m' as u32, 't' as u32, 'f' as u32, 0], Variant::new(Variant::BOOL, 0));
        let Some(properties) = self.0.interface(Guid::SET_PROPERTIES) else { return };
        // In one call, as each begins anew, and in this order: other formats take the first for a number of
        // threads, or refuse it.
        if set(&properties, &[NO_THREAD_FOR_EACH_CODER, ONE_THREAD]) != Status::OK {
            set(&properties, &[ONE_THREAD]);
        }
    }

    /// Has a program open although bytes follow it.
    pub(super) fn allow_tail(&self) {
        let Some(tail) = self.0.interface(Guid::ALLOW_TAIL) else { return };
        // SAFETY: the table of the interface asked for.
        unsafe { (tail.functions::<AllowTail>().allow)(tail.0.as_ptr(), 1) };
    }

    /// Opens an archive that begins at the input's position.
    pub(super) fn open(&self, input: &Rc<Object<Input>>, opening: &Rc<Object<Opening>>) -> Status {
        let farthest_start = 0;
        // SAFETY: both objects have the interfaces that the library expects here. It counts those that it
        // keeps.
        unsafe {
            (self.functions().open)(
                self.this(),
                object::lend(input),
                &raw const farthest_start,
                object::lend(opening),
            )
        }
    }

    /// `None` if the format cannot tell.
    pub(super) fn n_items(&self) -> Option<u32> {
        let mut n_items = 0;
        // SAFETY: fills a number.
        let status = unsafe { (self.functions().number_of_items)(self.this(), &raw mut n_items) };
        (status == Status::OK).then_some(n_items)
    }

    /// Extracts the items of the sorted `indices`.
    pub(super) fn extract<'a>(&self, indices: &[u32], callback: &Rc<Object<Callback<'a>>>) -> Status
    where
        Callback<'a>: Served,
    {
        self.call_extract(indices, 0, callback)
    }

    /// Reads all that is packed, without writing any of it.
    pub(super) fn test(&self, indices: &[u32], callback: &Rc<Object<Callback<'_>>>) -> Status {
        self.call_extract(indices, 1, callback)
    }

    fn call_extract(&self, indices: &[u32], test: i32, callback: &Rc<Object<Callback<'_>>>) -> Status {
        let Ok(n_indices) = u32::try_from(indices.len()) else { return Status::OUT_OF_MEMORY };
        // SAFETY: that many indices, each below the number of items; the callback has the interface that the
        // library expects.
        unsafe {
            (self.functions().extract)(self.this(), indices.as_ptr(), n_indices, test, object::lend(callback))
        }
    }

    /// A yes of an item; `false` as well if the format does not say.
    pub(super) fn item_is(&self, index: u32, id: u32) -> bool {
        let mut value = Variant::empty();
        // SAFETY: fills a variant. It is asked for properties without text alone, so there is nothing to
        // free.
        let status = unsafe { (self.functions().property)(self.this(), index, id, &raw mut value) };
        status == Status::OK && is_true(&value)
    }

    /// Returns whether the size in bytes of what is packed cannot be told by reading it.
    pub(super) fn size_is_unknowable(&self) -> bool {
        is_true(&self.property(property::SIZE_IS_UNKNOWABLE))
    }

    /// Where it begins, from the start of its input.
    pub(super) fn offset(&self) -> i64 {
        signed(&self.property(property::OFFSET)).unwrap_or(0)
    }

    /// Its size in bytes within the file, if it is known.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        unsigned(&self.property(property::PHYSICAL_SIZE))
    }

    /// `None` if the format says nothing.
    pub(super) fn error_flags(&self) -> Option<u64> {
        unsigned(&self.property(property::ERROR_FLAGS))
    }

    /// Returns whether it tells of an error in words.
    pub(super) fn has_error(&self) -> bool {
        self.property(property::ERROR).kind != Variant::EMPTY
    }

    fn property(&self, id: u32) -> Variant {
        let mut value = Variant::empty();
        // SAFETY: as for items, but that the words of an error are not freed: they are few, and the process
        // ends soon.
        let status = unsafe { (self.functions().archive_property)(self.this(), id, &raw mut value) };
        if status == Status::OK { value } else { Variant::empty() }
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        // SAFETY: an archive may be closed at any time.
        unsafe { (self.functions().close)(self.this()) };
    }
}

/// Names end with a zero.
fn set(properties: &Counted, pairs: &[(&[u32], Variant)]) -> Status {
    let names: Vec<*const u32> = pairs.iter().map(|(name, _)| name.as_ptr()).collect();
    let values: Vec<Variant> = pairs.iter().map(|(_, value)| *value).collect();
    let Ok(n_values) = u32::try_from(values.len()) else { return Status::FAIL };
    // SAFETY: `properties` is the interface asked for; as many names, each with its zero, as values.
    unsafe {
        let set = properties.functions::<SetProperties>().set;
        set(properties.0.as_ptr(), names.as_ptr(), values.as_ptr(), n_values)
    }
}

fn is_true(value: &Variant) -> bool {
    value.kind == Variant::BOOL && value.value & 0xFFFF != 0
}

fn unsigned(value: &Variant) -> Option<u64> {
    match value.kind {
        Variant::U32 => Some(value.value & 0xFFFF_FFFF),
        Variant::U64 => Some(value.value),
        _ => None,
    }
}

fn signed(value: &Variant) -> Option<i64> {
    match value.kind {
        Variant::I64 => Some(value.value.cast_signed()),
        _ => unsigned(value).map(u64::cast_signed),
    }
}
