//! Opens binary documents. What is decrypted in a compound file is handed over together, in one copy of it.

use std::io;

use crate::blob::Blob;
use crate::compound::{Entry, Extent, File};
use crate::walk::{Walk, Walked};

use super::power_point::{self, Session};
use super::rc4::Rc4Key;
use super::word::{self, Protection};
use super::{refuse_encrypted, summary, workbook};

/// A document has one stream of a kind; there may be documents in it.
const MAX_DECRYPTED: usize = 64;
const MAX_DOCUMENTS: usize = 8;
/// A file that holds presentations has two streams of each, in no order that tells whose they are.
const MAX_PAIRS: usize = 10_000;
const WORKBOOKS: [&str; 2] = ["Workbook", "Book"];
const SUMMARIES: [&str; 2] = ["encryption", "EncryptedSummary"];

/// Streams by which a document is known to be encrypted, or that are encrypted with it.
pub(super) fn is_of_interest(entry: &Entry) -> bool {
    const OTHERS: [&str; 7] =
        ["WordDocument", "0Table", "1Table", "Data", "Current User", "PowerPoint Document", "Pictures"];
    WORKBOOKS.iter().chain(&SUMMARIES).chain(&OTHERS).any(|name| entry.is_named(name))
        || is_with_workbook(entry)
}

/// Streams of records beside a workbook: pivot caches, which have four digits for a name, and what is noted
/// of users.
fn is_with_workbook(entry: &Entry) -> bool {
    let is_number = |name: &str| name.len() == 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    entry.names().any(is_number) || entry.is_named("Revision Log") || entry.is_named("User Names")
}

/// Opens what is encrypted, or else says why the file is to be refused.
pub(super) fn open(walk: &mut Walk<'_>, file: &File<'_>, entries: &[Entry], depth: u32) -> Walked<Walked> {
    let mut opened = Opened { file, entries, streams: Vec::new(), keys: Vec::new(), is_refused: false };
    opened.open_workbooks(walk)?;
    opened.open_word(walk)?;
    opened.open_power_point(walk)?;
    opened.hand(walk, depth)?;
    Ok(if opened.is_refused { refuse_encrypted() } else { Ok(()) })
}

struct Opened<'a> {
    file: &'a File<'a>,
    entries: &'a [Entry],
    /// Decrypted, as they are to stand in a copy.
    streams: Vec<(Extent, Blob)>,
    /// Of the streams that are encrypted with RC4.
    keys: Vec<Rc4Key>,
    /// Something was not opened.
    is_refused: bool,
}

impl Opened<'_> {
    fn extents(&self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Extent> {
        let wanted = self.entries.iter().filter(|entry| is_wanted(entry));
        wanted.flat_map(|entry| self.file.readings(entry)).collect()
    }

    fn open_workbooks(&mut self, walk: &mut Walk<'_>) -> Walked {
        let mut keys = Vec::new();
        for extent in self.extents(|entry| WORKBOOKS.iter().any(|name| entry.is_named(name))) {
            let content = self.file.content(walk, extent)?;
            let passes = workbook::file_passes(&content)?;
            let found = workbook::keys(walk, &passes);
            self.is_refused |= !passes.is_empty() && found.is_empty();
            for key in found {
                if self.is_full() {
                    return Ok(());
                }
                self.keep(extent, workbook::decrypted(walk, &content, &key)?);
                self.keys.extend(key.rc4().cloned());
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        for extent in self.extents(is_with_workbook) {
            let content = self.file.content(walk, extent)?;
            for key in &keys {
                if self.is_full() {
                    return Ok(());
                }
                self.keep(extent, workbook::decrypted(walk, &content, key)?);
            }
        }
        Ok(())
    }

    fn open_word(&mut self, walk: &mut Walk<'_>) -> Walked {
        let mut n_protected = 0;
        for extent in self.extents(|entry| entry.is_named("WordDocument")) {
            let document = self.file.content(walk, extent)?;
            let Some(protection) = Protection::of(&document.bytes_at(0, word::PLAIN_BYTES)?) else {
                continue;
            };
            let tables = self.extents(|entry| entry.is_named(protection.table_name));
            n_protected += 1;
            if n_protected > MAX_DOCUMENTS || tables.len() > MAX_DOCUMENTS || self.is_full() {
                self.is_refused = true;
                return Ok(());
            }
            let mut n_keys = 0;
            for table_extent in tables {
                let table = self.file.content(walk, table_extent)?;
                for key in protection.keys(walk, &table)? {
                    n_keys += 1;
                    self.keep(extent, word::decrypted_document(walk, &document, &key)?);
                    self.keep(table_extent, protection.decrypted_table(walk, &table, &key)?);
                    self.open_word_data(walk, &key)?;
                    self.keys.push(key);
                }
            }
            self.is_refused |= n_keys == 0;
        }
        Ok(())
    }

    fn open_word_data(&mut self, walk: &Walk<'_>, key: &Rc4Key) -> io::Result<()> {
        for extent in self.extents(|entry| entry.is_named("Data")) {
            if self.is_full() {
                break;
            }
            let data = self.file.content(walk, extent)?;
            self.keep(extent, word::decrypted_data(walk, &data, key)?);
        }
        Ok(())
    }

    fn open_power_point(&mut self, walk: &mut Walk<'_>) -> Walked {
        let users = self.extents(|entry| entry.is_named("Current User"));
        let mut documents = Vec::new();
        for extent in self.extents(|entry| entry.is_named("PowerPoint Document")) {
            documents.push((extent, walk.kept(self.file.content(walk, extent)?)?));
        }
        if users.len().saturating_mul(documents.len()) > MAX_PAIRS {
            self.is_refused = true;
            return Ok(());
        }
        for extent in users {
            let user = self.file.content(walk, extent)?;
            let head = user.bytes_at(0, power_point::USER_BYTES)?;
            let mut is_opened = false;
            for (document_extent, document) in &documents {
                let Some(session) = Session::of(&head, document)? else { continue };
                let keys = session.keys(walk);
                self.is_refused |= keys.is_empty();
                for key in keys {
                    if self.is_full() {
                        return Ok(());
                    }
                    is_opened = true;
                    self.keep_or_refuse(*document_extent, session.decrypted(walk, document, &key)?);
                    self.keep(extent, power_point::decrypted_user(&user)?);
                    self.open_pictures(walk, &key)?;
                    self.keys.push(key);
                }
            }
            self.is_refused |= power_point::is_encrypted(&head) && !is_opened;
        }
        Ok(())
    }

    fn open_pictures(&mut self, walk: &Walk<'_>, key: &Rc4Key) -> io::Result<()> {
        for extent in self.extents(|entry| entry.is_named("Pictures")) {
            if self.is_full() {
                break;
            }
            let pictures = self.file.content(walk, extent)?;
            let decrypted = power_point::decrypted_pictures(walk, &pictures, key)?;
            self.keep_or_refuse(extent, decrypted);
        }
        Ok(())
    }

    fn keep_or_refuse(&mut self, extent: Extent, content: Option<Blob>) {
        match content {
            Some(content) => self.keep(extent, content),
            None => self.is_refused = true,
        }
    }

    fn keep(&mut self, extent: Extent, content: Blob) {
        self.streams.push((extent, content));
    }

    /// Returns whether so much is decrypted that the file is refused: what combines streams and keys ends
    /// here.
    fn is_full(&mut self) -> bool {
        let is_full = self.streams.len() >= MAX_DECRYPTED;
        self.is_refused |= is_full;
        is_full
    }

    /// Hands over what is decrypted: what was moved elsewhere, the streams as every key makes them, and a
    /// copy with the first of each.
    fn hand(&mut self, walk: &mut Walk<'_>, depth: u32) -> Walked {
        for name in SUMMARIES {
            for extent in self.extents(|entry| entry.is_named(name)) {
                let content = self.file.content(walk, extent)?;
                let mut is_opened = false;
                for key in &self.keys {
                    is_opened |= summary::hand(walk, &content, key, depth)?;
                }
                // Other programs may call a stream of theirs `encryption`.
                let is_encrypted = name == "EncryptedSummary" || !self.keys.is_empty();
                self.is_refused |= is_encrypted && !is_opened && !summary::is_erased(&content)?;
                if is_opened && !self.is_full() {
                    self.keep(extent, summary::erased());
                }
            }
        }
        for (_, content) in &self.streams {
            walk.reading_of(content.clone(), depth)?;
        }
        if !self.streams.is_empty() {
            let copy = self.file.copy_with(walk, &self.streams)?;
            walk.reading_of(copy, depth)?;
        }
        Ok(())
    }
}
