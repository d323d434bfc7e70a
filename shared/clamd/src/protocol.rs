//! The protocol of clamd's socket: the commands that we send and the exact replies that we accept (clamd(8)).

use domain::verdict::EngineReply;
use thiserror::Error;

/// Commands are sent in the `z` form: they and their replies end with a NUL byte.
pub const PING: &[u8] = b"zPING\0";
pub const VERSION: &[u8] = b"zVERSION\0";
pub const INSTREAM: &[u8] = b"zINSTREAM\0";
pub const FILDES: &[u8] = b"zFILDES\0";

/// Replies are short; longer ones are rejected.
pub const MAX_REPLY_BYTES: usize = 4096;

/// How the bytes were passed, which the reply repeats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    Stream,
    Descriptor,
}

/// A reply that is neither `OK` nor `FOUND`: an error, a part of a reply, two replies, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("clamd replied `{0}`")]
pub struct ReplyError(pub String);

/// Reads the whole reply to a scan. Exactly `stream: OK` (or `fd[N]: OK`) is OK, exactly `stream: NAME FOUND`
/// is a finding, and everything else is an error.
pub fn parse_reply(reply: &[u8], via: Via) -> Result<EngineReply, ReplyError> {
    let bad = || ReplyError(String::from_utf8_lossy(reply).chars().take(200).collect());
    let line = reply.strip_suffix(b"\0").and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(bad)?;
    let answer = strip_source(line, via).ok_or_else(bad)?;
    if answer == "OK" {
        return Ok(EngineReply::Ok);
    }
    let name = answer.strip_suffix(" FOUND").ok_or_else(bad)?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    if is_name { Ok(EngineReply::Found(name.to_owned())) } else { Err(bad()) }
}

fn strip_source(line: &str, via: Via) -> Option<&str> {
    match via {
        Via::Stream => line.strip_prefix("stream: "),
        Via::Descriptor => {
            let (number, answer) = line.strip_prefix("fd[")?.split_once("]: ")?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then_some(answer)
        }
    }
}

/// A chunk's frame: its length as four bytes, most significant first. A chunk of length zero ends the stream.
pub fn chunk_header(length: usize) -> Option<[u8; 4]> {
    u32::try_from(length).ok().map(u32::to_be_bytes)
}

/// The end of an INSTREAM.
pub const END_OF_STREAM: [u8; 4] = [0; 4];

/// Parses the reply to `VERSION`: `ClamAV 1.4.6/27900/Mon Nov 23 09:45:00 2026`, or only the first part with
/// an unofficial set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VersionReply {
    pub engine: String,
    pub definitions: Option<String>,
}

pub fn parse_version(reply: &[u8]) -> Result<VersionReply, ReplyError> {
    let bad = || ReplyError(String::from_utf8_lossy(reply).chars().take(200).collect());
    let line = reply.strip_suffix(b"\0").and_then(|line| std::str::from_utf8(line).ok()).ok_or_else(bad)?;
    let mut parts = line.split('/');
    let engine = parts.next().filter(|engine| engine.starts_with("ClamAV ")).ok_or_else(bad)?;
    Ok(VersionReply { engine: engine.to_owned(), definitions: parts.next().map(ToOwned::to_owned) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(reply: &str) -> Result<EngineReply, ReplyError> {
        parse_reply(reply.as_bytes(), Via::Stream)
    }

    #[test]
    fn only_the_exact_replies_are_replies() {
        assert_eq!(parse("stream: OK\0"), Ok(EngineReply::Ok));
        assert_eq!(
            parse("stream: Win.Test.EICAR_HDB-1 FOUND\0"),
            Ok(EngineReply::Found("Win.Test.EICAR_HDB-1".into()))
        );
        assert_eq!(parse("stream: (null) FOUND\0"), Ok(EngineReply::Found("(null)".into())));
        for bad in [
            "",
            "\0",
            "stream: OK",
            "stream: OK\n",
            "stream: OK\n\0",
            "stream:OK\0",
            "Stream: OK\0",
            " stream: OK\0",
            "stream: OK \0",
            "stream: ok\0",
            "stream: OK\0stream: OK\0",
            "stream: \0",
            "stream:  FOUND\0",
            "OK\0",
            "stream: FOUND\0",
            "stream: a b FOUND\0",
            "stream: OK FOUND OK\0",
            "INSTREAM size limit exceeded. ERROR\0",
            "stream: Can't allocate memory ERROR\0",
            "/tmp/BOOK.zip: lstat() failed: No such file. ERROR\0",
            "fd[5]: OK\0",
            "stream: a\nFOUND\0",
            "UNKNOWN COMMAND\0",
            "PONG\0",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(parse_reply(b"fd[12]: OK\0", Via::Descriptor), Ok(EngineReply::Ok));
        for bad in ["fd[]: OK\0", "fd[x]: OK\0", "fd[1: OK\0", "stream: OK\0", "fd[1]: OK"] {
            assert!(parse_reply(bad.as_bytes(), Via::Descriptor).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_truncation_is_a_reply() {
        for whole in ["stream: OK\0", "stream: Eicar-Test-Signature FOUND\0"] {
            for length in 0..whole.len() {
                assert!(parse(&whole[..length]).is_err(), "{:?}", &whole[..length]);
            }
        }
    }

    #[test]
    fn versions_are_read() {
        let official = parse_version(b"ClamAV 1.4.6/27900/Mon Nov 23 09:45:00 2026\0").unwrap();
        assert_eq!(
            official,
            VersionReply { engine: "ClamAV 1.4.6".into(), definitions: Some("27900".into()) }
        );
        assert_eq!(parse_version(b"ClamAV 1.4.6\0").unwrap().definitions, None);
        assert!(parse_version(b"PONG\0").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn no_other_bytes_are_ok(
            reply in prop::collection::vec(any::<u8>(), 0..40),
            via in prop_oneof![Just(Via::Stream), Just(Via::Descriptor)],
        ) {
            prop_assert_ne!(parse_reply(&reply, via), Ok(EngineReply::Ok));
        }

        #[test]
        fn one_changed_byte_is_not_ok(at in 0usize..11, byte: u8) {
            let mut reply = *b"stream: OK\0";
            let changed = reply[at] != byte;
            reply[at] = byte;
            prop_assert_eq!(parse_reply(&reply, Via::Stream) == Ok(EngineReply::Ok), !changed);
        }
    }
}
