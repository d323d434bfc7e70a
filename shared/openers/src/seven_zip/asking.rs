//! Asks formats about one file, and extracts what they open.

use std::rc::Rc;

use gate::{Blob, Kind, MemberEnd, MemberSink, Opened, Password};

use super::abi::{Status, error_flags, format_flags, is_start, property};
use super::archive::Archive;
use super::extracting::Extraction;
use super::format::{Format, Role, Weight, is_base64};
use super::input::Input;
use super::library::{self, Library};
use super::object::Object;
use super::opening::{Opening, PasswordSource};

/// How much is looked at to tell whether an archive of a format begins there. The farthest signature stands
/// at 32769.
pub(super) const HEAD_BYTES: usize = 1 << 16;

pub(super) struct Asking<'a> {
    library: Library,
    password: Option<Password>,
    needed_password: bool,
    input: Rc<Object<Input>>,
    head: Vec<u8>,
    sink: &'a mut dyn MemberSink,
    result: Opened,
    is_broken: bool,
    /// Of what stands at the start.
    ends: Vec<End>,
    /// What was extracted: the format's index, and where the archive begins. Some formats find it from the
    /// start of the file as well.
    extracted: Vec<(usize, Option<u64>)>,
}

/// Where an archive or a program ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    At(u64),
    /// At the end of the file, or the format does not say.
    OfFile,
}

/// What a format says about a place.
enum Answer {
    No,
    /// It is an archive, of which nothing can be had.
    Closed(Opened),
    Open(Archive),
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        library: Library,
        blob: &Blob,
        password: Option<Password>,
        sink: &'a mut dyn MemberSink,
    ) -> Self {
        let input = Input::new(blob);
        let head = input.state().bytes_at(0, HEAD_BYTES as u64);
        Self {
            library,
            password,
            needed_password: false,
            input,
            head,
            sink,
            result: Opened::NotMine,
            is_broken: false,
            ends: Vec::new(),
            extracted: Vec::new(),
        }
    }

    pub(super) fn result(&self) -> Opened {
        if self.input().has_failed() { Opened::Unread } else { self.result }
    }

    pub(super) fn input(&self) -> &Input {
        self.input.state()
    }

    /// Returns whether any archive that could be opened asked for the password.
    pub(super) fn needed_password(&self) -> bool {
        self.needed_password
    }

    /// The sink wants nothing more.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub(super) fn ask_about_start(&mut self, format: &Format) {
        let is_asked = match format.role {
            Role::Container | Role::Program => true,
            Role::Base64 => is_base64(&self.head),
            Role::NoContainer | Role::FoundByGate => false,
        };
        if !is_asked || self.is_broken {
            return;
        }
        match self.open(format, 0) {
            Answer::No => (),
            Answer::Closed(_) if format.role == Role::Program => (),
            Answer::Closed(opened) => self.count(format.weight.opened(opened)),
            Answer::Open(archive) => {
                if self.is_tried_under_any_name(format) {
                    self.ends.push(self.end(&archive, 0));
                }
                if format.role != Role::Program {
                    self.extracted.push((format.index, begin(&archive, 0)));
                    self.extract(format, &archive, self.weight_at_start(format));
                }
            }
        }
    }

    /// From where on 7-Zip would look for an archive; `None` if one reaches to the end of the file.
    pub(super) fn unopened_from(&self) -> Option<u64> {
        if self.is_broken || self.ends.contains(&End::OfFile) {
            return None;
        }
        match self.ends.as_slice() {
            [End::At(end)] => Some(*end),
            _ => Some(0),
        }
    }

    /// Returns where an archive ends that begins at `start`, somewhere behind the file's start.
    pub(super) fn ask_about(&mut self, format: &Format, start: u64) -> Option<u64> {
        match self.open(format, start) {
            // 7-Zip stops here and opens nothing.
            Answer::No | Answer::Closed(Opened::Damaged | Opened::Unsupported) => None,
            Answer::Closed(opened) => {
                self.count(opened);
                None
            }
            Answer::Open(archive) => {
                // Without an end it is no archive to 7-Zip. Some formats know it when all is unpacked.
                if archive.size_bytes().is_none() && !archive.size_is_unknowable() {
                    let all: Vec<u32> = (0..archive.n_items().unwrap_or(0)).collect();
                    let nowhere = Extraction::nowhere();
                    let tested =
                        archive.test(&all, &nowhere.callback(&PasswordSource::new(self.password.clone())));
                    // Where there is more memory, it may know.
                    if tested == Status::OUT_OF_MEMORY {
                        self.count(Opened::TooMuchMemory);
                    }
                }
                archive.size_bytes().filter(|size_bytes| *size_bytes > 0)?;
                let base = if has_global_offset(format) { 0 } else { start };
                if !self.extracted.contains(&(format.index, begin(&archive, base))) {
                    self.extract(format, &archive, format.weight);
                }
                let end = self.end(&archive, base);
                Some(match end {
                    End::At(end) => end,
                    End::OfFile => self.input().size_bytes(),
                })
            }
        }
    }

    fn open(&mut self, format: &Format, start: u64) -> Answer {
        let Some(archive) = self.library.archive(format) else {
            return Answer::Closed(Opened::TooMuchMemory);
        };
        archive.forbid_threads();
        if format.has(format_flags::PRE_ARC) {
            archive.allow_tail();
        }
        let input = if start == 0 || has_global_offset(format) {
            self.input.clone()
        } else {
            self.input().tail(start)
        };
        input.state().seek_to(if has_global_offset(format) { start } else { 0 });
        let password = PasswordSource::new(self.password.clone());
        let status = archive.open(&input, &Opening::new(&password));
        match status {
            Status::OK => {
                self.needed_password |= password.state().was_asked();
                Answer::Open(archive)
            }
            _ if password.state().was_asked() => Answer::Closed(Opened::Encrypted),
            Status::OUT_OF_MEMORY => Answer::Closed(Opened::TooMuchMemory),
            Status::FALSE => match archive.error_flags() {
                Some(flags) if flags & error_flags::IS_NOT_ARCHIVE == 0 => {
                    Answer::Closed(match complaint(format, flags) {
                        Opened::Whole => Opened::Damaged,
                        complaint => complaint,
                    })
                }
                _ => Answer::No,
            },
            // An error of a format that has nothing to do with the file says nothing about it.
            _ if start > 0 || self.is_tried_under_any_name(format) => Answer::Closed(Opened::Unsupported),
            _ => Answer::No,
        }
    }

    /// Returns whether 7-Zip asks the format about the start of the file whatever the file's name. All others
    /// it asks if the name ends as theirs do.
    fn is_tried_under_any_name(&self, format: &Format) -> bool {
        const ANYWHERE: u32 =
            format_flags::START_OPEN | format_flags::PURE_START_OPEN | format_flags::BACKWARD_OPEN;
        if format.has(format_flags::BY_EXTENSION_ONLY) {
            return false;
        }
        match format.is_start {
            Some(function) => library::may_start(function, &self.head, self.input().size_bytes()),
            None if format.signatures.is_empty() || format.has(ANYWHERE) => true,
            None => format.signatures.iter().any(|signature| {
                let from = self.head.get(format.signature_offset..);
                from.is_some_and(|from| from.starts_with(signature))
            }),
        }
    }

    /// At the start of a file, what a format opens may not look like one to 7-Zip itself.
    fn weight_at_start(&self, format: &Format) -> Weight {
        let is_denied = |function| library::start(function, &self.head) == is_start::NO;
        let is_guess = format.role == Role::Base64 || format.is_start.is_some_and(is_denied);
        if is_guess { Weight::Guess } else { format.weight }
    }

    /// `base` is where the format counts from.
    fn end(&self, archive: &Archive, base: u64) -> End {
        let size_bytes = self.input().size_bytes();
        match begin(archive, base)
            .zip(archive.size_bytes())
            .and_then(|(start, length)| start.checked_add(length))
        {
            Some(end) if end < size_bytes => End::At(end),
            _ => End::OfFile,
        }
    }

    fn extract(&mut self, format: &Format, archive: &Archive, weight: Weight) {
        let n_items = archive.n_items();
        let is_directory = |index: &u32| archive.item_is(*index, property::IS_DIRECTORY);
        let files = (0..n_items.unwrap_or(0)).filter(|index| !is_directory(index));
        let password = PasswordSource::new(self.password.clone());
        let is_closed =
            |index: &u32| !password.state().has_password() && archive.item_is(*index, property::ENCRYPTED);
        let (encrypted, readable): (Vec<u32>, Vec<u32>) = files.partition(is_closed);
        let extraction = Extraction::into(self.sink, weight);
        for _ in encrypted {
            extraction.member_without_bytes(MemberEnd::Encrypted);
        }
        let n_ended = extraction.n_ended();
        let status = if extraction.is_broken() || readable.is_empty() {
            Status::OK
        } else {
            archive.extract(&readable, &extraction.callback(&password))
        };
        let (left, opened) = match status {
            Status::OK
                if extraction.n_ended() - n_ended == readable.len()
                    && (password.state().has_password() || !password.state().was_asked()) =>
            {
                self.needed_password |= password.state().was_asked();
                (MemberEnd::Whole, Opened::Whole)
            }
            _ if password.state().was_asked() => (MemberEnd::Encrypted, Opened::Encrypted),
            Status::OUT_OF_MEMORY => (MemberEnd::TooMuchMemory, Opened::TooMuchMemory),
            Status::NOT_IMPLEMENTED => (MemberEnd::Unsupported, Opened::Unsupported),
            _ => (MemberEnd::Damaged, Opened::Damaged),
        };
        extraction.finish(left);
        self.is_broken = extraction.is_broken();
        drop(extraction);
        let complaint = complaint(format, archive.error_flags().unwrap_or(0));
        let has_all = n_items.is_some() && !archive.has_error();
        let listed = if has_all { Opened::Whole } else { Opened::Damaged };
        for opened in [Opened::Whole, opened, complaint, listed] {
            self.count(weight.opened(opened));
        }
    }

    /// The worst counts.
    fn count(&mut self, opened: Opened) {
        let severity = |opened| match opened {
            Opened::NotMine => 0,
            Opened::Whole => 1,
            Opened::Damaged => 2,
            Opened::Unsupported => 3,
            Opened::TooMuchMemory => 4,
            Opened::Encrypted => 5,
            Opened::Unread => 6,
        };
        if severity(opened) > severity(self.result) {
            self.result = opened;
        }
    }
}

/// Where it begins in the file.
fn begin(archive: &Archive, base: u64) -> Option<u64> {
    base.checked_add_signed(archive.offset())
}

fn has_global_offset(format: &Format) -> bool {
    format.has(format_flags::USE_GLOBAL_OFFSET)
}

/// What the flags of an archive hold against it.
fn complaint(format: &Format, flags: u64) -> Opened {
    const UNSUPPORTED: u64 = error_flags::UNSUPPORTED_METHOD | error_flags::UNSUPPORTED_FEATURE;
    // With threads, 7-Zip loses all but the first of several streams in such a file: what it writes depends
    // on the machine.
    let minds_data_after_end = format.kind == Some(Kind::Bzip2);
    let harmless = if minds_data_after_end { 0 } else { error_flags::DATA_AFTER_END };
    match flags & !harmless & !error_flags::IS_NOT_ARCHIVE {
        0 => Opened::Whole,
        flags if flags & error_flags::ENCRYPTED_HEADERS != 0 => Opened::Encrypted,
        flags if flags & UNSUPPORTED != 0 => Opened::Unsupported,
        _ => Opened::Damaged,
    }
}
