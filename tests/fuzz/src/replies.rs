//! Of all that clamd could send, only the exact forms of a reply are accepted.

use clamd::protocol::{Via, parse_reply, parse_version};
use domain::verdict::EngineReply;

/// The bytes that a reply must consist of to be read as this value.
fn assert_is_exact(reply: &[u8], via: Via) {
    let Ok(read) = parse_reply(reply, via) else { return };
    let answer = match read {
        EngineReply::Ok => "OK".to_owned(),
        EngineReply::Found(name) => {
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
            format!("{name} FOUND")
        }
    };
    let source = match via {
        Via::Stream => "stream: ".to_owned(),
        Via::Descriptor => {
            let number = reply.iter().skip(3).take_while(|byte| byte.is_ascii_digit()).count();
            assert!(number > 0);
            format!("{}: ", String::from_utf8_lossy(&reply[..number + 4]))
        }
    };
    assert_eq!(reply, format!("{source}{answer}\0").as_bytes());
}

#[test]
fn any_reply_is_read_exactly() {
    bolero::check!().with_iterations(40_000).for_each(|reply: &[u8]| {
        assert_is_exact(reply, Via::Stream);
        assert_is_exact(reply, Via::Descriptor);
        let _ = parse_version(reply);
    });
}

/// An almost valid reply: pieces of valid ones, and noise, in any order.
#[test]
fn pieces_of_replies_are_read_exactly() {
    const PIECES: [&[u8]; 14] = [
        b"stream: ",
        b"OK",
        b" FOUND",
        b"\0",
        b"fd[7]: ",
        b"fd[",
        b"]: ",
        b" ",
        b"Eicar",
        b" ERROR",
        b"\n",
        b"stream",
        b"9",
        b"\xff",
    ];
    bolero::check!().with_iterations(40_000).with_type::<Vec<u8>>().for_each(|choices| {
        let reply = choices.iter().flat_map(|choice| PIECES[usize::from(*choice) % PIECES.len()]);
        let reply = reply.copied().collect::<Vec<_>>();
        assert_is_exact(&reply, Via::Stream);
        assert_is_exact(&reply, Via::Descriptor);
    });
}
