//! The interface between the gate and the programs that recipients open archives with.

use std::fmt::Debug;
use std::ops::ControlFlow;

use domain::password::Password;

use crate::blob::Blob;

/// A program that recipients open archives with, as a library: recipients get the members that it finds.
pub trait Opener: Debug + Send {
    fn program(&self) -> Program;

    /// Returns its name and version, for the evidence.
    fn name(&self) -> &str;

    /// Opens `blob` in every way that the program has, but for the one that the gate has `walked` strictly
    /// already, and gives every member that holds data to `sink`: no directories, links or empty files. Where
    /// several of its formats claim the blob, each is opened.
    ///
    /// [`Opened::NotMine`] gives nothing. After [`ControlFlow::Break`] it gives nothing more, and what it
    /// returns does not count.
    fn open(&mut self, blob: &Blob, walked: Option<Kind>, sink: &mut dyn MemberSink) -> Opened;

    /// Sets the password for encrypted archives that are opened from now on, if the program supports
    /// passwords.
    fn use_password(&mut self, _password: Password) {}

    /// Returns whether what was opened last needed the password.
    fn needed_password(&self) -> bool {
        false
    }
}

/// The programs that openers are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    SevenZip,
    Libarchive,
}

/// Takes members one after another: [`MemberSink::begin`], any number of writes, [`MemberSink::end`].
pub trait MemberSink {
    fn begin(&mut self) -> ControlFlow<()>;

    /// Takes more bytes of the member that has begun.
    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()>;

    fn end(&mut self, end: MemberEnd) -> ControlFlow<()>;
}

/// How a member ended. What was written before counts in any case: programs leave it on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberEnd {
    Whole,
    /// The program complains: a checksum, an early end.
    Damaged,
    /// Programs that are built on the same library write different bytes: as many as are declared, or all.
    Ambiguous,
    Encrypted,
    /// The program cannot undo how it is packed.
    Unsupported,
    /// The program could not get the memory that it needs.
    TooMuchMemory,
}

/// What a program makes of a file as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// Not an archive to this program.
    NotMine,
    /// An archive; its members say how they ended.
    Whole,
    /// An archive, with an early end or errors in its headers: there may be more members than were given.
    Damaged,
    /// The list of its members is encrypted.
    Encrypted,
    /// An archive that the program recognises and cannot open.
    Unsupported,
    /// The program could not get the memory that it needs.
    TooMuchMemory,
    /// The blob could not be read: this says nothing about the file.
    Unread,
}

/// Kinds of containers that the gate walks itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Ar,
    Bzip2,
    Cabinet,
    Compound,
    Gzip,
    Http,
    Iso,
    Lzop,
    SevenZip,
    Tar,
    Warc,
    Xz,
    Zip,
}

impl Kind {
    /// Returns whether 7-Zip does not know the kind. 7-Zip searches it like other data, and an archive that
    /// it finds in stored data may well be damaged.
    pub fn is_unknown_to_seven_zip(self) -> bool {
        matches!(self, Self::Http | Self::Lzop | Self::Warc)
    }
}
