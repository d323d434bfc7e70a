//! Classifies a stored `Content-Encoding`: a client that obeys it may save other bytes than the stored ones.

/// A stored object's `Content-Encoding`, by what clients do with the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ContentEncoding {
    /// Clients save the stored bytes.
    Identity,
    /// Clients may decode the stored bytes, and save what comes out.
    Encoded,
}

/// Names that stand for no encoding. `aws-chunked` frames a request's body: S3 removes it from the stored
/// header, some other stores keep it there, and no client decodes it.
const HARMLESS: [&str; 2] = ["identity", "aws-chunked"];

impl ContentEncoding {
    /// Reads the header as storage reports it; `None` if there is none. A list (RFC 9110, section 8.4) is
    /// [`Encoded`](Self::Encoded) if one of its codings is. So is an unknown name, because some client may
    /// know it.
    pub fn parse(header: Option<&str>) -> Self {
        let codings = header.unwrap_or_default().split(',').map(str::trim);
        let is_harmless = |coding: &str| {
            coding.is_empty() || HARMLESS.iter().any(|harmless| coding.eq_ignore_ascii_case(harmless))
        };
        if codings.into_iter().all(is_harmless) { Self::Identity } else { Self::Encoded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_names_are_harmless() {
        for harmless in
            ["", " ", ",", "identity", "Identity", " identity , identity", "aws-chunked", "aws-chunked,"]
        {
            assert_eq!(ContentEncoding::parse(Some(harmless)), ContentEncoding::Identity, "{harmless:?}");
        }
        assert_eq!(ContentEncoding::parse(None), ContentEncoding::Identity);
        for encoded in [
            "gzip",
            "x-gzip",
            "GZIP",
            "deflate",
            "br",
            "zstd",
            "compress",
            "dcb",
            "deflate, deflate",
            "identity, gzip",
            "gzip,identity",
            "aws-chunked,gzip",
            "identity;q=0",
            "identity gzip",
            "\"identity\"",
            "*",
            "what-comes-next-year",
        ] {
            assert_eq!(ContentEncoding::parse(Some(encoded)), ContentEncoding::Encoded, "{encoded:?}");
        }
    }
}
