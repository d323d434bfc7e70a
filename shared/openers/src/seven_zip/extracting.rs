//! Takes what the library extracts, and gives it to the sink member by member.

#![expect(unsafe_code, reason = "the library calls these functions with its own buffers")]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::fmt;
use std::ops::ControlFlow;
use std::rc::Rc;

use gate::{MemberEnd, MemberSink};

use super::abi::{ExtractCallback, Guid, OutStream, Status, ask_mode, operation_result};
use super::format::Weight;
use super::object::{self, Object, Served};
use super::opening::PasswordSource;

/// Where the item is that the library works on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    None,
    /// Without a stream: only passed over.
    Skipped,
    /// With a stream, and no byte yet: a file that stays empty is no member.
    Empty,
    /// Begun at the sink.
    Begun,
}

/// One call of the library's `Extract`.
pub(super) struct Extraction<'a> {
    /// `None` when the call is over, whatever the library still holds.
    sink: RefCell<Option<&'a mut dyn MemberSink>>,
    item: Cell<Item>,
    n_ended: Cell<usize>,
    is_broken: Cell<bool>,
    weight: Weight,
}

impl fmt::Debug for Extraction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extraction")
            .field("item", &self.item)
            .field("n_ended", &self.n_ended)
            .finish_non_exhaustive()
    }
}

impl<'a> Extraction<'a> {
    pub(super) fn into(sink: &'a mut dyn MemberSink, weight: Weight) -> Rc<Self> {
        Rc::new(Self { sink: RefCell::new(Some(sink)), weight, ..Self::without_sink() })
    }

    /// For a test of what is packed: nothing is passed on.
    pub(super) fn nowhere() -> Rc<Self> {
        Rc::new(Self::without_sink())
    }

    fn without_sink() -> Self {
        Self {
            sink: RefCell::new(None),
            item: Cell::new(Item::None),
            n_ended: Cell::new(0),
            is_broken: Cell::new(false),
            weight: Weight::Full,
        }
    }

    pub(super) fn callback(
        self: &Rc<Self>,
        password: &Rc<Object<PasswordSource>>,
    ) -> Rc<Object<Callback<'a>>> {
        let output = Object::new(Output { extraction: self.clone() });
        Object::new(Callback { extraction: self.clone(), output, password: password.clone() })
    }

    /// Ends an item that the library left, and lets go of the sink.
    pub(super) fn finish(&self, left: MemberEnd) {
        if matches!(self.item.get(), Item::Empty | Item::Begun) {
            let _ = self.end(left);
        }
        *self.sink.borrow_mut() = None;
    }

    /// Gives a member of which there are no bytes.
    pub(super) fn member_without_bytes(&self, end: MemberEnd) -> Status {
        self.item.set(Item::Empty);
        self.end(end)
    }

    pub(super) fn n_ended(&self) -> usize {
        self.n_ended.get()
    }

    /// Records that the sink wants nothing more.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    fn begin_item(&self, item: Item) -> Status {
        // A library that begins the next member without ending this one has not said that this one is whole.
        if matches!(self.item.get(), Item::Empty | Item::Begun) && self.end(MemberEnd::Damaged) != Status::OK
        {
            return Status::ABORT;
        }
        self.item.set(item);
        self.status()
    }

    fn write(&self, bytes: &[u8]) -> Status {
        match self.item.get() {
            Item::None | Item::Skipped => return Status::FAIL,
            Item::Empty => {
                self.item.set(Item::Begun);
                self.tell(|sink| sink.begin());
            }
            Item::Begun => (),
        }
        self.tell(|sink| sink.write(bytes))
    }

    fn end(&self, end: MemberEnd) -> Status {
        let end = self.weight.end(end);
        self.n_ended.set(self.n_ended.get() + 1);
        match self.item.replace(Item::None) {
            Item::None | Item::Skipped => return self.status(),
            Item::Empty if end == MemberEnd::Whole => return self.status(),
            Item::Empty => {
                self.tell(|sink| sink.begin());
            }
            Item::Begun => (),
        }
        self.tell(|sink| sink.end(end))
    }

    fn tell(&self, event: impl FnOnce(&mut dyn MemberSink) -> ControlFlow<()>) -> Status {
        if let Some(sink) = self.sink.borrow_mut().as_deref_mut()
            && !self.is_broken()
            && event(sink).is_break()
        {
            self.is_broken.set(true);
        }
        self.status()
    }

    fn status(&self) -> Status {
        if self.is_broken() { Status::ABORT } else { Status::OK }
    }
}

/// The stream that a member is written to.
#[derive(Debug)]
struct Output<'a> {
    extraction: Rc<Extraction<'a>>,
}

impl Served for Output<'_> {
    type Functions = OutStream;

    const FUNCTIONS: &'static OutStream = &OutStream { unknown: object::unknown::<Self>(), write };
    const INTERFACES: &'static [Guid] = &[Guid::SEQUENTIAL_OUT_STREAM];
}

unsafe extern "C" fn write(this: *mut c_void, data: *const c_void, size: u32, n_written: *mut u32) -> Status {
    // SAFETY: called through the table of `Output`.
    let output = unsafe { object::state::<Output<'_>>(this) };
    let status = if size == 0 {
        output.extraction.status()
    } else {
        // SAFETY: the library has written `size` bytes there and keeps them for the time of the call.
        output.extraction.write(unsafe { std::slice::from_raw_parts(data.cast(), size as usize) })
    };
    if !n_written.is_null() {
        // SAFETY: not null, so the address of a number.
        unsafe { *n_written = if status == Status::OK { size } else { 0 } };
    }
    status
}

/// What the library tells about an extraction.
#[derive(Debug)]
pub(super) struct Callback<'a> {
    extraction: Rc<Extraction<'a>>,
    output: Rc<Object<Output<'a>>>,
    password: Rc<Object<PasswordSource>>,
}

impl Served for Callback<'_> {
    type Functions = ExtractCallback;

    const FUNCTIONS: &'static ExtractCallback = &ExtractCallback {
        unknown: object::unknown::<Self>(),
        set_total,
        set_completed,
        get_stream,
        prepare_operation,
        set_operation_result,
    };
    const INTERFACES: &'static [Guid] = &[Guid::EXTRACT_CALLBACK, Guid::PROGRESS];

    fn other_interface(&self, id: Guid) -> Option<*mut c_void> {
        (id == Guid::GET_TEXT_PASSWORD).then(|| object::give(self.password.clone()))
    }
}

unsafe extern "C" fn set_total(this: *mut c_void, _total: u64) -> Status {
    // SAFETY: called through the table of `Callback`.
    unsafe { object::state::<Callback<'_>>(this) }.extraction.status()
}

unsafe extern "C" fn set_completed(this: *mut c_void, _completed: *const u64) -> Status {
    // SAFETY: called through the table of `Callback`.
    unsafe { object::state::<Callback<'_>>(this) }.extraction.status()
}

unsafe extern "C" fn get_stream(
    this: *mut c_void,
    _index: u32,
    stream: *mut *mut c_void,
    mode: i32,
) -> Status {
    // SAFETY: called through the table of `Callback`.
    let callback = unsafe { object::state::<Callback<'_>>(this) };
    let is_wanted = mode == ask_mode::EXTRACT;
    let status = callback.extraction.begin_item(if is_wanted { Item::Empty } else { Item::Skipped });
    let given = if is_wanted && status == Status::OK {
        object::give(callback.output.clone())
    } else {
        std::ptr::null_mut()
    };
    // SAFETY: the library passes the address of a pointer.
    unsafe { *stream = given };
    status
}

unsafe extern "C" fn prepare_operation(this: *mut c_void, _mode: i32) -> Status {
    // SAFETY: called through the table of `Callback`.
    unsafe { object::state::<Callback<'_>>(this) }.extraction.status()
}

unsafe extern "C" fn set_operation_result(this: *mut c_void, result: i32) -> Status {
    // SAFETY: called through the table of `Callback`.
    let callback = unsafe { object::state::<Callback<'_>>(this) };
    if callback.extraction.item.get() == Item::Skipped {
        callback.extraction.item.set(Item::None);
        return callback.extraction.status();
    }
    callback.extraction.end(match result {
        operation_result::OK | operation_result::DATA_AFTER_END => MemberEnd::Whole,
        operation_result::UNSUPPORTED_METHOD | operation_result::UNAVAILABLE => MemberEnd::Unsupported,
        operation_result::WRONG_PASSWORD => MemberEnd::Encrypted,
        // What a wrong password decrypts to is damaged, to most formats.
        _ if callback.password.state().was_asked() => MemberEnd::Encrypted,
        // Data, checksum or headers are wrong, an early end, or what a later version adds.
        _ => MemberEnd::Damaged,
    })
}
