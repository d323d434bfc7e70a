//! Lists what the engine opens: not what its version promises, but what it found in one sample of each kind,
//! scanned at start.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

/// A way of packing that the engine must be able to undo by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Method {
    Bzip2,
    Cabinet,
    Compound,
    Gzip,
    Iso,
    Mail,
    SevenZipBcj,
    SevenZipBcj2,
    SevenZipCopy,
    SevenZipLzma,
    SevenZipLzma2,
    SevenZipPpmd,
    Tar,
    Xz,
    ZipBzip2,
    ZipDeflate64,
    ZipDeflated,
    ZipStored,
}

/// The EICAR test file, packed in one way, and kept so that no scanner mistakes this program for it.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub method: Method,
    masked: &'static [u8],
}

macro_rules! samples {
    ($($method:ident $file:literal),* $(,)?) => {
        &[$(Sample { method: Method::$method, masked: include_bytes!(concat!("../samples/", $file)) }),*]
    };
}

impl Sample {
    /// One for each [`Method`]. `tools/samples` makes them.
    pub const ALL: &[Self] = samples![
        Bzip2 "bzip2",
        Cabinet "cabinet",
        Compound "compound",
        Gzip "gzip",
        Iso "iso",
        Mail "mail",
        SevenZipBcj "7z-bcj",
        SevenZipBcj2 "7z-bcj2",
        SevenZipCopy "7z-copy",
        SevenZipLzma "7z-lzma",
        SevenZipLzma2 "7z-lzma2",
        SevenZipPpmd "7z-ppmd",
        Tar "tar",
        Xz "xz",
        ZipBzip2 "zip-bzip2",
        ZipDeflate64 "zip-deflate64",
        ZipDeflated "zip-deflated",
        ZipStored "zip-stored",
    ];

    /// The archive. It is detected as EICAR by any engine that opens it.
    pub fn unmasked(&self) -> Vec<u8> {
        const MASK: u8 = 0x5a;
        let packed = self.masked.iter().map(|byte| byte ^ MASK).collect::<Vec<_>>();
        let mut sample = Vec::new();
        // The samples are part of the program; a test reads every one. A damaged one would be a method that
        // is not there.
        let _ = flate2::bufread::GzDecoder::new(packed.as_slice()).read_to_end(&mut sample);
        sample
    }
}

/// The methods that an engine was seen to open.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Capabilities(std::collections::BTreeSet<Method>);

impl Capabilities {
    pub fn has(&self, method: Method) -> bool {
        self.0.contains(&method)
    }

    /// Those that are missing, for the log.
    pub fn missing(&self) -> Vec<Method> {
        Sample::ALL.iter().map(|sample| sample.method).filter(|method| !self.has(*method)).collect()
    }
}

impl FromIterator<Method> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Method>>(methods: T) -> Self {
        Self(methods.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_whole_and_masked() {
        for sample in Sample::ALL {
            assert!(sample.unmasked().len() > 60, "{:?}", sample.method);
            assert!(memchr::memmem::find(sample.masked, b"EICAR").is_none());
        }
    }

    #[test]
    fn what_was_not_seen_to_open_is_missing() {
        let all_but_two = Sample::ALL.iter().map(|sample| sample.method).skip(2).collect::<Capabilities>();
        assert_eq!(all_but_two.missing(), [Method::Bzip2, Method::Cabinet]);
        assert!(!all_but_two.has(Method::Bzip2) && all_but_two.has(Method::Gzip));
    }
}
