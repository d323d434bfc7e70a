//! Opens files as programs that are built on libarchive do: bsdtar, the Explorer of Windows 11, Finder, the
//! archive managers of GNOME and KDE.
//!
//! libarchive looks at a file in two steps. *Filters* undo a compression or an encoding, one over another;
//! then one *format* reads members from what is left. Here each filter gives what it leaves as one member,
//! which the gate has opened in its turn, and every format that claims the file is asked, alone: which of
//! them libarchive prefers changes from version to version.

mod bytes;
mod complaint;
mod decoders;
mod library;
mod locale;
mod members;
mod programs;
mod rar5;
mod reader;
mod source;
mod verdict;

use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use gate::{Blob, Kind, MemberSink, Opened, Opener, Program};

use complaint::Complaint;
use decoders::Decoder;
use library::{Enable, Library};
use locale::Utf8;
use reader::Reader;

pub use library::LibarchiveError;

/// Archives are independent of each other, but the libraries below, such as libxml2, share state that two
/// threads may damage. A worker has one thread.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// libarchive, loaded.
#[derive(Debug)]
pub struct Libarchive {
    library: Library,
    locale: Option<Utf8>,
    name: String,
}

impl Libarchive {
    /// Loads the first of `candidates` that exists: paths, or names for the system to look for. Returns
    /// `None` if none does.
    pub fn load(candidates: &[&Path]) -> Result<Option<Self>, LibarchiveError> {
        for candidate in candidates {
            if let Some(library) = Library::load(candidate)? {
                let name = library.version();
                return Ok(Some(Self { library, locale: Utf8::load(), name }));
            }
        }
        Ok(None)
    }

    /// Gives what each filter leaves, as a member.
    fn open_filters(
        &self,
        blob: &Blob,
        walked: Option<Kind>,
        sink: &mut dyn MemberSink,
    ) -> ControlFlow<(), Opened> {
        let filters = unwalked(&self.library.filters, walked);
        let enables = |filter: Enable| [filter, self.library.raw];
        let all = filters.iter().map(|(_, enable)| *enable).chain([self.library.raw]).collect::<Vec<_>>();
        let is_claimed = Reader::open(&self.library.functions, &all, blob).map(|reader| reader.is_filtered());
        if is_claimed == Ok(false) || blob.size_bytes() == 0 {
            return Continue(Opened::NotMine);
        }
        let mut opened = Opened::NotMine;
        for (filter, enable) in filters {
            let mut reader = match Reader::open(&self.library.functions, &enables(enable), blob) {
                Ok(reader) if reader.is_filtered() => reader,
                Ok(_) => continue,
                Err(complaint) => {
                    opened = verdict::worse(opened, verdict::unopened(filter, complaint, blob));
                    continue;
                }
            };
            let found = members::give_all(&mut reader, sink)?;
            opened = verdict::worse(opened, verdict::opened(filter, &reader, found, blob));
        }
        Continue(opened)
    }

    /// Gives the members that each format finds.
    fn open_formats(
        &self,
        blob: &Blob,
        walked: Option<Kind>,
        sink: &mut dyn MemberSink,
    ) -> ControlFlow<(), Opened> {
        let formats = unwalked(&self.library.formats, walked);
        let all = formats.iter().map(|(_, enable)| *enable).collect::<Vec<_>>();
        if let Err(Complaint::NotRecognised) = Reader::open(&self.library.functions, &all, blob) {
            return Continue(Opened::NotMine);
        }
        let mut opened = Opened::NotMine;
        for (format, enable) in formats {
            let alone = match Reader::open(&self.library.functions, &[enable], blob) {
                Ok(mut reader) => {
                    let found = members::give_all(&mut reader, sink)?;
                    verdict::opened(format, &reader, found, blob)
                }
                Err(complaint) => verdict::unopened(format, complaint, blob),
            };
            opened = verdict::worse(opened, alone);
        }
        Continue(opened)
    }

    fn open_all(
        &self,
        blob: &Blob,
        walked: Option<Kind>,
        sink: &mut dyn MemberSink,
    ) -> ControlFlow<(), Opened> {
        let needs_program = programs::needs_program(blob, walked).unwrap_or(true);
        let opened = if needs_program { Opened::Unsupported } else { Opened::NotMine };
        let opened = verdict::worse(opened, self.open_filters(blob, walked, sink)?);
        Continue(verdict::worse(opened, self.open_formats(blob, walked, sink)?))
    }
}

/// Those that the gate has not walked.
fn unwalked(all: &[(Decoder, Enable)], walked: Option<Kind>) -> Vec<(Decoder, Enable)> {
    let is_walked = |decoder: Decoder| walked.is_some() && decoder.kind == walked;
    all.iter().copied().filter(|(decoder, _)| !is_walked(*decoder)).collect()
}

impl Opener for Libarchive {
    fn program(&self) -> Program {
        Program::Libarchive
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn open(&mut self, blob: &Blob, walked: Option<Kind>, sink: &mut dyn MemberSink) -> Opened {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match &self.locale {
            Some(locale) => locale.during(|| self.open_all(blob, walked, sink)),
            None => self.open_all(blob, walked, sink),
        };
        match opened {
            Continue(opened) => opened,
            // The sink knows why.
            Break(()) => Opened::Damaged,
        }
    }
}
