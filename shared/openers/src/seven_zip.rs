//! Opens files as 7-Zip does, with its own library.
//!
//! 7-Zip lets a file's name choose the format that it tries first, and the uploader chooses the name: so
//! every format is asked about the start of the file. Unless an archive reaches from there to the file's end,
//! 7-Zip looks for the signatures of archives in the first 8 MiB behind it, and so does this ([`search`]):
//! self-extracting programs are the usual case. It opens the first archive, or the first of the format that
//! the name says; here, the first of each format is opened.
//!
//! What its `Extract` writes are the members. The targets of symbolic links are among them, as 7-Zip leaves
//! some as files.

mod abi;
mod archive;
mod asking;
mod extracting;
mod format;
mod input;
mod library;
mod object;
mod opening;
mod search;

use std::path::Path;

use gate::{Blob, Kind, MemberSink, Opened, Opener, Password, Program};

use self::asking::Asking;
use self::format::Format;
use self::library::Library;
pub use self::library::LoadError;
use self::search::Search;

/// 7-Zip, loaded once in a process: the library stays loaded, and what it says about its formats is not
/// freed.
#[derive(Debug)]
pub struct SevenZip {
    name: String,
    library: Library,
    formats: Vec<Format>,
    search: Search,
    password: Option<Password>,
    needed_password: bool,
}

impl SevenZip {
    /// Loads the first of these files that is 7-Zip's library of version 23 or later, such as
    /// `/usr/lib/7zip/7z.so`. Returns `None` if none is. Fails if one cannot be loaded. Later, no file is
    /// opened and no thread made.
    pub fn load(candidates: &[&Path]) -> Result<Option<Self>, LoadError> {
        for path in candidates.iter().filter(|path| path.is_file()) {
            if let Some(library) = Library::load(path)? {
                let (name, formats) = (format!("7-Zip {}", library.version()), library.formats()?);
                let search = Search::new(&formats)?;
                return Ok(Some(Self {
                    name,
                    library,
                    formats,
                    search,
                    password: None,
                    needed_password: false,
                }));
            }
        }
        Ok(None)
    }
}

impl Opener for SevenZip {
    fn program(&self) -> Program {
        Program::SevenZip
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn open(&mut self, blob: &Blob, walked: Option<Kind>, sink: &mut dyn MemberSink) -> Opened {
        let mut asking = Asking::new(self.library, blob, self.password.clone(), sink);
        let formats = self.formats.iter().filter(|format| walked.is_none() || format.kind != walked);
        for format in formats {
            asking.ask_about_start(format);
        }
        // What was walked ends where the file ends, if 7-Zip knows it.
        if walked.is_none_or(Kind::is_unknown_to_seven_zip)
            && let Some(from) = asking.unopened_from()
        {
            self.search.run(&self.formats, from, &mut asking);
        }
        self.needed_password = asking.needed_password();
        asking.result()
    }

    fn use_password(&mut self, password: Password) {
        self.password = Some(password);
    }

    fn needed_password(&self) -> bool {
        self.needed_password
    }
}
