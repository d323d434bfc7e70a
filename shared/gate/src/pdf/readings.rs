//! Lists the ways to read one stream: where its data ends, how it is encrypted, and which filters it has.

use std::io;

use domain::verdict::Unscannable;

use crate::blob::Blob;
use crate::format::sniff;
use crate::walk::{Damage, Walk, Walked, refuse};

use super::ciphers::Cipher;
use super::data::{Data, data_of};
use super::encryption::Key;
use super::filters::{Chain, Filter, Oddities, Wrapping, chains, decoded};
use super::index::{Index, Stream};
use super::steps::Source;
use super::values::Value;

/// Ways to read one stream. An ordinary one has a single one.
const MAX_READINGS: usize = 256;
/// Keys of an encrypted document; none of a plain one.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) keys: Vec<Key>,
    /// Whether there are readers that take it for a plain one.
    pub(super) is_partly_plain: bool,
}

/// One way to read a stream's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    data: Data,
    cipher: Cipher,
    pub(super) chain: Chain,
}

pub(super) fn readings(
    index: &mut Index,
    keys: &Keys,
    stream: &Stream,
    dictionary: &Value,
) -> Walked<Vec<Reading>> {
    let chains = chains(index, dictionary)?;
    let ciphers = ciphers_of(index, keys, stream, dictionary, &chains)?;
    let mut readings = Vec::new();
    let is_stored =
        |chain: &Chain| chain.filters.iter().all(|filter| filter.is_last() || *filter == Filter::Crypt);
    let ends_count = is_saved(index, stream, dictionary)? && chains.iter().any(is_stored);
    for data in data_of(index, stream, dictionary, ends_count)? {
        for cipher in &ciphers {
            for chain in &chains {
                readings.push(Reading { data, cipher: cipher.clone(), chain: chain.clone() });
            }
        }
        if readings.len() > MAX_READINGS {
            return refuse(Unscannable::TooManyFiles, "a PDF stream with more readings than the limit");
        }
    }
    Ok(readings)
}

/// Some streams are plain in an encrypted document: those with a filter for it, and to qpdf 11 cross
/// references, and metadata where the encryption leaves that out.
fn ciphers_of(
    index: &mut Index,
    keys: &Keys,
    stream: &Stream,
    dictionary: &Value,
    chains: &[Chain],
) -> Walked<Vec<Cipher>> {
    if keys.keys.is_empty() {
        return Ok(vec![Cipher::None]);
    }
    let Some(id) = stream.id else {
        return refuse(Unscannable::Malformed, "an encrypted PDF with an object that has no number");
    };
    let mut ciphers = keys.keys.iter().flat_map(|key| key.ciphers(id)).collect::<Vec<_>>();
    let has_crypt = chains.iter().any(|chain| chain.filters.contains(&Filter::Crypt));
    if keys.is_partly_plain || has_crypt || index.is_called(dictionary, &[b"XRef", b"Metadata"])? {
        ciphers.push(Cipher::None);
    }
    ciphers.dedup();
    Ok(ciphers)
}

/// Returns whether readers save a stream as a file, by what refers to it or by what it calls itself.
pub(super) fn is_saved(index: &mut Index, stream: &Stream, dictionary: &Value) -> Walked<bool> {
    Ok(index.is_saved(stream) || index.is_called(dictionary, &[b"EmbeddedFile", b"Sound", b"3D"])?)
}

impl Reading {
    /// Decodes, for what is no member, in every way.
    pub(super) fn unpacked(&self, walk: &mut Walk<'_>, file: &Blob) -> Walked<Vec<Blob>> {
        let mut unpacked = Vec::new();
        self.each_decoded(file, |source| {
            let mut writer = walk.writer();
            walk.fill(&mut writer, source, Damage::Refused)?;
            unpacked.push(walk.kept(writer.finish())?);
            Ok(())
        })?;
        Ok(unpacked)
    }

    /// Hands what is decoded.
    pub(super) fn hand(&self, walk: &mut Walk<'_>, file: &Blob, depth: u32) -> Walked {
        // One more end of line makes no other container.
        if self.data.is_repaired && sniff(&self.bytes(file))?.is_container() {
            return Ok(());
        }
        self.each_decoded(file, |source| walk.reading(source, depth).map(drop))
    }

    /// Decodes as each reader does that reads the same filters differently.
    pub(super) fn each_decoded(&self, file: &Blob, mut each: impl FnMut(&mut Source) -> Walked) -> Walked {
        for chain in [vec![self.chain.clone()], self.chain.with_other_digits()].concat() {
            let mut oddities = Oddities::default();
            each(&mut decoded(self.source(file), &chain, Wrapping::Zlib, &mut oddities)?)?;
            if oddities.has_bare_deflate {
                each(&mut decoded(self.source(file), &chain, Wrapping::Bare, &mut oddities)?)?;
            }
        }
        Ok(())
    }

    /// The same with what readers save that cannot undo one of the filters: what is encoded.
    pub(super) fn without_filters(&self) -> Option<Self> {
        let has_last = self.chain.filters.iter().any(|filter| filter.is_last());
        has_last.then(|| Self { chain: Chain::default(), ..self.clone() })
    }

    /// Returns whether a program that saves an image copies its data, and the engine does not see the same in
    /// the file.
    pub(super) fn saves_data_of_image(&self, file: &Blob) -> io::Result<bool> {
        const SIGNATURE: usize = 12;
        let last = self.chain.filters.iter().find(|filter| filter.is_last());
        let Some(Filter::Image(signatures)) = last else { return Ok(false) };
        let is_plain = self.cipher == Cipher::None && self.chain.filters.len() == 1;
        let head = file.bytes_at(self.data.start, SIGNATURE)?;
        Ok(!(is_plain && signatures.iter().any(|signature| head.starts_with(signature))))
    }

    fn source(&self, file: &Blob) -> Source {
        self.cipher.decrypted(Box::new(self.bytes(file).reader()))
    }

    fn bytes(&self, file: &Blob) -> Blob {
        file.slice(self.data.start, self.data.end.saturating_sub(self.data.start))
    }
}
