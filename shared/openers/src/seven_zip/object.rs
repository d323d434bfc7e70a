//! Gives the library reference-counted objects with the memory layout of its own.

#![expect(unsafe_code, reason = "the library calls these functions with pointers to objects of ours")]

use std::ffi::c_void;
use std::rc::Rc;

use super::abi::{Guid, Status, Unknown};

/// What stands behind an interface.
pub(super) trait Served: Sized {
    /// The interface's table.
    type Functions: 'static;

    const FUNCTIONS: &'static Self::Functions;
    /// The interface and those that it extends.
    const INTERFACES: &'static [Guid];

    /// Another interface of the same thing, as a new counted pointer.
    fn other_interface(&self, _id: Guid) -> Option<*mut c_void> {
        None
    }
}

/// In memory as in C++: the pointer to the table comes first.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Object<T: Served> {
    functions: &'static T::Functions,
    state: T,
}

impl<T: Served> Object<T> {
    pub(super) fn new(state: T) -> Rc<Self> {
        Rc::new(Self { functions: T::FUNCTIONS, state })
    }

    pub(super) fn state(&self) -> &T {
        &self.state
    }
}

/// A pointer for the time of a call. The library counts it if it keeps it.
pub(super) fn lend<T: Served>(object: &Rc<Object<T>>) -> *mut c_void {
    Rc::as_ptr(object).cast_mut().cast()
}

/// A pointer that the library has to release.
pub(super) fn give<T: Served>(object: Rc<Object<T>>) -> *mut c_void {
    Rc::into_raw(object).cast_mut().cast()
}

/// The first three functions of each table.
pub(super) const fn unknown<T: Served>() -> Unknown {
    Unknown { query_interface: query_interface::<T>, add_ref: add_ref::<T>, release: release::<T> }
}

/// # Safety
///
/// `this` must be from [`lend`] or [`give`] for the same `T`, and not released: what the library holds when
/// it calls a function of `T`'s table.
pub(super) unsafe fn state<'a, T: Served + 'a>(this: *mut c_void) -> &'a T {
    // SAFETY: by this function's contract it points to a live object, which is only read: its state changes
    // through cells.
    let object = unsafe { &*this.cast::<Object<T>>() };
    &object.state
}

unsafe extern "C" fn query_interface<T: Served>(
    this: *mut c_void,
    id: *const Guid,
    out: *mut *mut c_void,
) -> Status {
    // SAFETY: the library passes the address of an id.
    let id = unsafe { *id };
    let found = if id == Guid::UNKNOWN || T::INTERFACES.contains(&id) {
        // SAFETY: the library calls through the object's own table.
        unsafe { Rc::increment_strong_count(this.cast::<Object<T>>()) };
        Some(this)
    } else {
        // SAFETY: as above.
        unsafe { state::<T>(this) }.other_interface(id)
    };
    // SAFETY: the library passes the address of a pointer.
    unsafe { *out = found.unwrap_or(std::ptr::null_mut()) };
    if found.is_some() { Status::OK } else { Status::NO_INTERFACE }
}

/// The new count, which callers use for debugging at most.
unsafe extern "C" fn add_ref<T: Served>(this: *mut c_void) -> u32 {
    // SAFETY: the library calls through the object's own table, while it holds a pointer.
    unsafe { Rc::increment_strong_count(this.cast::<Object<T>>()) };
    1
}

unsafe extern "C" fn release<T: Served>(this: *mut c_void) -> u32 {
    // SAFETY: the library gives up a pointer that it counted, or was given.
    unsafe { Rc::decrement_strong_count(this.cast::<Object<T>>()) };
    1
}
