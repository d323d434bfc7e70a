//! Decrypts binary presentations ([MS-PPT] 2.3.7): each object of a presentation by itself, and each field of
//! a picture.

use std::io::{self, Read as _};

use crate::blob::{Blob, to_u64, to_usize};
use crate::fields::Fields as _;
use crate::walk::Walk;

use super::fitting_keys;
use super::rc4::{Rc4Header, Rc4Key};
use super::transform::Transformed;

const HEADER_BYTES: u64 = 8;
/// As much of the stream of the current user as matters.
pub(super) const USER_BYTES: usize = 20;
const TOKEN_AT: usize = 12;
const ENCRYPTED: u32 = 0xf3d1_c4df;
const PLAIN: u32 = 0xe391_c05f;
const USER_EDIT: u16 = 0x0ff5;
const DIRECTORY: u16 = 0x1772;
const CRYPT_SESSION: u16 = 0x2f14;
/// Where a user's edit says which object has the header of the encryption.
const SESSION_AT: usize = 36;

/// Bytes that are encrypted as one block, or that are erased.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Region {
    at: u64,
    n_bytes: u64,
    block: Option<u32>,
}

/// The objects of an encrypted presentation, and its header.
pub(super) struct Session {
    /// Where they begin, and their numbers.
    objects: Vec<(u64, u32)>,
    edit_at: u64,
    header: Rc4Header,
}

/// Returns whether the stream of the current user says that the presentation is encrypted. It need not.
pub(super) fn is_encrypted(user: &[u8]) -> bool {
    user.u32_le(TOKEN_AT) == ENCRYPTED
}

/// The stream of the current user of a presentation that is not encrypted.
pub(super) fn decrypted_user(user: &Blob) -> io::Result<Blob> {
    const MAX_BYTES: u64 = 64 * 1024;
    let mut bytes = user.bytes_at(0, to_usize(user.size_bytes().min(MAX_BYTES)))?;
    if let Some(token) = bytes.get_mut(TOKEN_AT..TOKEN_AT + 4) {
        token.copy_from_slice(&PLAIN.to_le_bytes());
    }
    Ok(Blob::from_bytes(bytes))
}

impl Session {
    /// `None` if the presentation is not encrypted, or differently from how PowerPoint does it.
    pub(super) fn of(user: &[u8], document: &Blob) -> io::Result<Option<Self>> {
        const EDIT_BYTES: usize = 40;
        const MAX_DIRECTORY_BYTES: u32 = 8 * 1024 * 1024;
        const MAX_SESSION_BYTES: u32 = 64 * 1024;
        let edit_at = user.u32_le(TOKEN_AT + 4).into();
        let edit = document.bytes_at(edit_at, EDIT_BYTES)?;
        let directory_at = u64::from(edit.u32_le(20));
        let Some(directory) = record(document, directory_at, DIRECTORY, MAX_DIRECTORY_BYTES)? else {
            return Ok(None);
        };
        if edit.len() < EDIT_BYTES || edit.u16_le(2) != USER_EDIT {
            return Ok(None);
        }
        let mut objects = objects(&directory);
        let session = objects.iter().position(|(_, number)| *number == edit.u32_le(SESSION_AT));
        let Some(session) = session.map(|index| objects.swap_remove(index)) else { return Ok(None) };
        let header = record(document, session.0, CRYPT_SESSION, MAX_SESSION_BYTES)?;
        let header = header.as_deref().and_then(Rc4Header::parse);
        Ok(header.map(|header| Self { objects, edit_at, header }))
    }

    pub(super) fn keys(&self, walk: &mut Walk<'_>) -> Vec<Rc4Key> {
        fitting_keys(walk, |password| self.header.key(password))
    }

    /// The presentation without encryption; `None` if objects overlap.
    pub(super) fn decrypted(
        &self,
        walk: &Walk<'_>,
        document: &Blob,
        key: &Rc4Key,
    ) -> io::Result<Option<Blob>> {
        const SESSION_BYTES: u64 = 4;
        let session_at = self.edit_at + to_u64(SESSION_AT);
        let mut regions = vec![Region { at: session_at, n_bytes: SESSION_BYTES, block: None }];
        for (at, block) in &self.objects {
            let mut header = document.bytes_at(*at, to_usize(HEADER_BYTES))?;
            key.cipher(*block).apply(&mut header);
            let n_bytes = HEADER_BYTES + u64::from(header.u32_le(4));
            regions.push(Region { at: *at, n_bytes, block: Some(*block) });
        }
        regions.sort_unstable_by_key(|region| region.at);
        let are_apart = regions.windows(2).all(|pair| pair[0].at + pair[0].n_bytes <= pair[1].at);
        if are_apart { decrypted(walk, document, key, &regions).map(Some) } else { Ok(None) }
    }
}

/// The pictures without encryption; `None` if one of them is not understood.
pub(super) fn decrypted_pictures(walk: &Walk<'_>, pictures: &Blob, key: &Rc4Key) -> io::Result<Option<Blob>> {
    let (mut regions, mut at) = (Vec::new(), 0);
    while at < pictures.size_bytes() {
        let mut header = pictures.bytes_at(at, to_usize(HEADER_BYTES))?;
        key.cipher(0).apply(&mut header);
        let Some(fields) = picture_fields(header.u16_le(0), header.u16_le(2)) else { return Ok(None) };
        let end = at + HEADER_BYTES + u64::from(header.u32_le(4));
        for n_bytes in [HEADER_BYTES].iter().chain(fields) {
            regions.push(Region { at, n_bytes: *n_bytes, block: Some(0) });
            at += n_bytes;
        }
        if at > end {
            return Ok(None);
        }
        regions.push(Region { at, n_bytes: end - at, block: Some(0) });
        at = end;
    }
    decrypted(walk, pictures, key, &regions).map(Some)
}

/// The sizes of the fields in front of the data of a picture: one or two digests, a header of a metafile or a
/// tag ([MS-ODRAW] 2.2.24 to 2.2.31).
fn picture_fields(version_and_instance: u16, kind: u16) -> Option<&'static [u64]> {
    let has_two_digests = version_and_instance >> 4 & 1 == 1;
    match (kind, has_two_digests) {
        (0xf01a..=0xf01c, false) => Some(&[16, 34]),
        (0xf01a..=0xf01c, true) => Some(&[16, 16, 34]),
        (0xf01d..=0xf01f | 0xf029 | 0xf02a, false) => Some(&[16, 1]),
        (0xf01d..=0xf01f | 0xf029 | 0xf02a, true) => Some(&[16, 16, 1]),
        _ => None,
    }
}

/// Regions in their order, decrypted, and what stands between them.
fn decrypted(walk: &Walk<'_>, stream: &Blob, key: &Rc4Key, regions: &[Region]) -> io::Result<Blob> {
    const COPY_BYTES: usize = 64 * 1024;
    let (mut writer, mut buffer) = (walk.writer(), vec![0; COPY_BYTES]);
    let end = Region { at: stream.size_bytes(), n_bytes: 0, block: Some(0) };
    for region in regions.iter().chain([&end]) {
        let plain = stream.slice(writer.size_bytes(), region.at.saturating_sub(writer.size_bytes()));
        let encrypted = stream.slice(region.at, region.n_bytes);
        let mut cipher = region.block.map(|block| key.cipher(block));
        let decrypt = |bytes: &mut [u8]| match &mut cipher {
            Some(cipher) => cipher.apply(bytes),
            None => bytes.fill(0),
        };
        let mut reader = plain.reader().chain(Transformed::of(&encrypted, decrypt));
        loop {
            match reader.read(&mut buffer)? {
                0 => break,
                n_bytes => writer.write(&buffer[..n_bytes])?,
            }
        }
    }
    Ok(writer.finish())
}

/// The data of a record of a kind, if it is there.
fn record(document: &Blob, at: u64, kind: u16, most_bytes: u32) -> io::Result<Option<Vec<u8>>> {
    let header = document.bytes_at(at, to_usize(HEADER_BYTES))?;
    let n_bytes = header.u32_le(4);
    if header.u16_le(2) != kind || n_bytes > most_bytes {
        return Ok(None);
    }
    document.bytes_at(at + HEADER_BYTES, to_usize(n_bytes.into())).map(Some)
}

/// Where objects begin, and their numbers, as a directory has them: a number and how many follow it, and
/// where each begins.
fn objects(directory: &[u8]) -> Vec<(u64, u32)> {
    let mut words = directory.chunks_exact(4).map(|word| word.u32_le(0));
    let mut objects = Vec::new();
    while let Some(first) = words.next() {
        let (number, n_objects) = (first & 0xf_ffff, first >> 20);
        objects
            .extend((number..number + n_objects).zip(words.by_ref()).map(|(number, at)| (at.into(), number)));
    }
    objects
}
