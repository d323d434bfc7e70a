//! Answers what the library asks while it opens an archive: there is no password.

#![expect(unsafe_code, reason = "the library calls these functions")]

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;

use super::abi::{GetTextPassword, Guid, OpenCallback, Status};
use super::object::{self, Object, Served};

/// Asks for a password end here: the work is aborted, and remembered as encrypted.
#[derive(Debug, Default)]
pub(super) struct NoPassword {
    was_asked: Cell<bool>,
}

impl NoPassword {
    pub(super) fn new() -> Rc<Object<Self>> {
        Object::new(Self::default())
    }

    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.get()
    }
}

impl Served for NoPassword {
    type Functions = GetTextPassword;

    const FUNCTIONS: &'static GetTextPassword =
        &GetTextPassword { unknown: object::unknown::<Self>(), get: password };
    const INTERFACES: &'static [Guid] = &[Guid::GET_TEXT_PASSWORD];
}

unsafe extern "C" fn password(this: *mut c_void, _password: *mut *mut u32) -> Status {
    // SAFETY: called through the table of `NoPassword`.
    unsafe { object::state::<NoPassword>(this) }.was_asked.set(true);
    Status::ABORT
}

#[derive(Debug)]
pub(super) struct Opening {
    password: Rc<Object<NoPassword>>,
}

impl Opening {
    pub(super) fn new(password: &Rc<Object<NoPassword>>) -> Rc<Object<Self>> {
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
