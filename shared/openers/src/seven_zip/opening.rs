//! Answers what the library asks while it opens an archive: for a password.

#![expect(unsafe_code, reason = "the library calls these functions, and frees the password itself")]

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;

use gate::Password;

use super::abi::{GetTextPassword, Guid, OpenCallback, Status};
use super::object::{self, Object, Served};

/// Gives the password that the uploader gave, and remembers that it was asked for. Without one the work is
/// aborted.
#[derive(Debug)]
pub(super) struct PasswordSource {
    password: Option<Password>,
    was_asked: Cell<bool>,
}

impl PasswordSource {
    pub(super) fn new(password: Option<Password>) -> Rc<Object<Self>> {
        Object::new(Self { password, was_asked: Cell::new(false) })
    }

    pub(super) fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.get()
    }
}

impl Served for PasswordSource {
    type Functions = GetTextPassword;

    const FUNCTIONS: &'static GetTextPassword =
        &GetTextPassword { unknown: object::unknown::<Self>(), get: password };
    const INTERFACES: &'static [Guid] = &[Guid::GET_TEXT_PASSWORD];
}

unsafe extern "C" fn password(this: *mut c_void, password: *mut *mut u32) -> Status {
    // SAFETY: called through the table of `PasswordSource`.
    let source = unsafe { object::state::<PasswordSource>(this) };
    source.was_asked.set(true);
    let Some(known) = &source.password else { return Status::ABORT };
    let text = wide_text(known.exposed());
    if text.is_null() {
        return Status::OUT_OF_MEMORY;
    }
    // SAFETY: the library passes the address of a pointer, and owns the text from now on.
    unsafe { *password = text };
    Status::OK
}

/// A BSTR as the library makes and frees them: memory of malloc(3) that begins with the number of the text's
/// bytes, and the address behind that number.
fn wide_text(text: &str) -> *mut u32 {
    let characters = text.chars().map(u32::from).chain([0]).collect::<Vec<_>>();
    let n_bytes = u32::try_from((characters.len() - 1) * size_of::<u32>()).unwrap_or(0);
    let all = [[n_bytes].as_slice(), &characters].concat();
    // SAFETY: malloc(3) takes any size, and its memory is aligned for any number.
    let memory = unsafe { libc::malloc(size_of_val(all.as_slice())) }.cast::<u32>();
    if memory.is_null() {
        return memory;
    }
    // SAFETY: the memory is new and has room for all of them.
    unsafe {
        memory.copy_from_nonoverlapping(all.as_ptr(), all.len());
        memory.add(1)
    }
}

#[derive(Debug)]
pub(super) struct Opening {
    password: Rc<Object<PasswordSource>>,
}

impl Opening {
    pub(super) fn new(password: &Rc<Object<PasswordSource>>) -> Rc<Object<Self>> {
        Object::new(Self { password: password.clone() })
    }
}

impl Served for Opening {
    type Functions = OpenCallback;

    const FUNCTIONS: &'static OpenCallback =
        &OpenCallback { unknown: object::unknown::<Self>(), set_total: ignore, set_completed: ignore };
    const INTERFACES: &'static [Guid] = &[Guid::OPEN_CALLBACK];

    fn other_interface(&self, id: Guid) -> Option<*mut c_void> {
        (id == Guid::GET_TEXT_PASSWORD).then(|| object::give(self.password.clone()))
    }
}

unsafe extern "C" fn ignore(_this: *mut c_void, _files: *const u64, _bytes: *const u64) -> Status {
    Status::OK
}
