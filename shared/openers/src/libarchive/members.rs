//! Gives what a reader finds to a sink.

use std::ops::ControlFlow::{self, Continue};

use gate::{MemberEnd, MemberSink};

use super::complaint::Complaint;
use super::reader::{Header, Next, Piece, Reader};

/// The number of members without a sound header after which the rest is not read.
const MAX_PASSED: u32 = 1000;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// The members found in a file that the library has opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Headers, of directories and links too.
    pub n_headers: u64,
    pub n_encrypted: u64,
    /// The error that ended the list early, or for which a member was skipped.
    pub complaint: Option<Complaint>,
}

/// Gives every member with data. [`ControlFlow::Break`] is the sink's.
pub(super) fn give_all(reader: &mut Reader<'_>, sink: &mut dyn MemberSink) -> ControlFlow<(), Found> {
    let mut found = Found { n_headers: 0, n_encrypted: 0, complaint: None };
    let mut n_passed = 0;
    loop {
        match reader.next() {
            Ok(Next::End) => return Continue(found),
            Ok(Next::Member(header)) => {
                found.n_headers += 1;
                found.n_encrypted += u64::from(header.is_encrypted);
                give(reader, header, sink)?;
            }
            Ok(Next::Passed(complaint)) => {
                found.complaint = Some(complaint);
                n_passed += 1;
                if n_passed == MAX_PASSED {
                    return Continue(found);
                }
            }
            Err(complaint) => {
                found.complaint = Some(complaint);
                return Continue(found);
            }
        }
    }
}

/// Nothing, if there is no data and should be none.
fn give(reader: &mut Reader<'_>, header: Header, sink: &mut dyn MemberSink) -> ControlFlow<()> {
    let mut member = Member { sink, has_begun: false, n_written: 0 };
    let end = member.data(reader, header)?;
    if end != MemberEnd::Whole && header.has_data {
        member.begin()?;
    }
    if member.has_begun {
        member.sink.end(end)?;
    }
    Continue(())
}

struct Member<'sink> {
    sink: &'sink mut dyn MemberSink,
    /// Not before there is data.
    has_begun: bool,
    n_written: u64,
}

impl Member<'_> {
    fn begin(&mut self) -> ControlFlow<()> {
        if self.has_begun {
            return Continue(());
        }
        self.has_begun = true;
        self.sink.begin()
    }

    fn write(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        if bytes.is_empty() {
            return Continue(());
        }
        self.begin()?;
        self.n_written += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.sink.write(bytes)
    }

    /// A hole, up to `offset`: zeros on the recipient's disk.
    fn fill(&mut self, offset: u64) -> ControlFlow<()> {
        while self.n_written < offset {
            let n_bytes =
                usize::try_from(offset - self.n_written).map_or(ZEROS.len(), |n| n.min(ZEROS.len()));
            self.write(&ZEROS[..n_bytes])?;
        }
        Continue(())
    }

    fn data(&mut self, reader: &mut Reader<'_>, header: Header) -> ControlFlow<(), MemberEnd> {
        let mut is_doubted = false;
        let end_offset = loop {
            match reader.piece() {
                Ok(Piece::At { offset, bytes, is_doubtful }) => {
                    is_doubted |= is_doubtful;
                    // Programs overwrite what is there; a sink cannot.
                    if offset < self.n_written && !bytes.is_empty() {
                        return Continue(MemberEnd::Ambiguous);
                    }
                    self.fill(offset)?;
                    self.write(bytes)?;
                }
                Ok(Piece::End { offset }) => break offset,
                Err(complaint) => return Continue(end(complaint, header)),
            }
        };
        let size_bytes = header.size_bytes.unwrap_or(self.n_written);
        // Some programs write only that.
        let is_ambiguous = self.n_written > size_bytes;
        // Data that ends early, without a word; a hole at the end is known.
        is_doubted |= self.n_written < size_bytes && end_offset < size_bytes;
        self.fill(size_bytes)?;
        Continue(match (is_ambiguous, is_doubted) {
            (true, _) => MemberEnd::Ambiguous,
            (false, true) => MemberEnd::Damaged,
            (false, false) => MemberEnd::Whole,
        })
    }
}

fn end(complaint: Complaint, header: Header) -> MemberEnd {
    if header.is_encrypted { MemberEnd::Encrypted } else { complaint.member_end() }
}
