//! Tests which parts are found in a mail, and where each begins and ends.

use super::*;

/// The parts that are found, as `encoding:text`, sorted.
fn found(text: &str) -> Vec<String> {
    let blob = Blob::from_bytes(text.as_bytes().to_vec());
    let spans = find(&blob, &Survey::of(&blob).unwrap(), Spans::new(&blob, 1_000)).unwrap();
    let said = |span: &Span| {
        let body = blob.bytes_at(span.start, usize::try_from(span.end - span.start).unwrap()).unwrap();
        format!("{:?}:{}", span.encoding, String::from_utf8_lossy(&body))
    };
    let mut found = spans.ordered.iter().map(said).collect::<Vec<_>>();
    found.sort();
    found
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let found = found(text);
    let missing = expected.iter().filter(|it| !found.iter().any(|found| found == *it)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "{text:?} has no {missing:?}, but {found:?}");
}

const TOP: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n";
const PART: &str = "--b\nContent-Transfer-Encoding: base64\n\nQ2F0\n--b--\n";

#[test]
fn parts_are_found_whatever_stands_in_front_or_between() {
    let mail = format!("{TOP}\n{PART}");
    for text in [
        mail.clone(),
        format!("\n\n\n{mail}"),
        format!("\u{feff}{mail}"),
        format!("no field\n{mail}"),
        format!("From a@b Mon Jan 1\n{mail}"),
        format!("hello\n\nFrom a@b Mon Jan 1\n{mail}"),
        format!("4711\n{mail}<plist/>\n"),
        format!("{TOP}no field\nX-\u{e4}: 1\n\n{PART}"),
        format!("Subject: {}\n{mail}", "x".repeat(300_000)),
        mail.replace("--b--\n", ""),
        format!("{mail}\n_______\nlist footer\n"),
        mail.replace("boundary=b", ""),
        mail.replace("--b", "--c"),
    ] {
        for line_break in ["\n", "\r\n", "\r"] {
            let text = text.replace('\n', line_break);
            check(&text, &["Base64:Q2F0"]);
        }
    }
    check(&mail.replace('\n', "\n\r"), &[]);
}

#[test]
fn a_line_that_is_no_boundary_to_some_reader_ends_nothing() {
    let mail = format!("{TOP}\n{}", PART.replace("Q2F0", "Q2F0\n--zz\nQ2F0"));
    check(&mail, &["Base64:Q2F0", "Base64:Q2F0\n--zz\nQ2F0"]);
    let twice = mail.replace("boundary=b", "boundary=zz; boundary=b");
    check(&twice, &["Base64:Q2F0", "Base64:Q2F0\n--zz\nQ2F0"]);
    let other_order = mail.replace("boundary=b", "boundary=b; boundary=zz");
    check(&other_order, &["Base64:Q2F0", "Base64:Q2F0\n--zz\nQ2F0"]);
    let from_line = format!("{TOP}\n{}", PART.replace("Q2F0", "Q2F0\nFrom a\nQ2F0"));
    check(&from_line, &["Base64:Q2F0", "Base64:Q2F0\nFrom a\nQ2F0"]);
}

#[test]
fn bodies_begin_where_some_reader_thinks_that_the_header_ends() {
    let head = "Content-Transfer-Encoding: base64\n";
    check(&format!("{head}Q2F0\n\nRG9n\n"), &["Base64:Q2F0\n\nRG9n", "Base64:RG9n"]);
    check(&format!("{head} \nQ2F0\n\nRG9n\n"), &["Base64:RG9n"]);
    check(&format!("{head}Q2F0!\nRG9n\n"), &["Base64:Q2F0!\nRG9n"]);
    check(&format!("{TOP}\n--b\n{head}Q2F0!\n--b--\n"), &["Base64:Q2F0!"]);
    check(&format!("{head}\n"), &[]);
}

#[test]
fn what_nests_is_found() {
    let inner = "--c\n\none\n--c\nContent-Transfer-Encoding: quoted-printable\n\ntwo\n--c--\n";
    let text = format!(
        "{TOP}\n--b\nContent-Type: multipart/x; boundary=c\n\n{inner}--b\n\nthree\n--b--\nepilogue\n"
    );
    check(&text, &["AsIs:one", "Quoted(Any):two", "AsIs:three"]);
    let text = format!("{TOP}\n--b\nContent-Type: message/rfc822\n\nSubject: x\n\nhello\n--b--\n");
    check(&text, &["AsIs:Subject: x\n\nhello"]);
    // Some readers decode a whole multipart.
    let text = "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\nQ2F0\n";
    check(text, &["Base64:Q2F0"]);
}

#[test]
fn every_mail_of_a_mailbox_is_found() {
    let text =
        format!("From a\n{TOP}\n{PART}\nFrom b\nContent-Type: text/plain\n\nhello\n\nFrom c\n{TOP}\n{PART}");
    check(&text, &["Base64:Q2F0", "AsIs:hello\n"]);
}

#[test]
fn ordinary_text_has_no_parts() {
    for text in [
        "",
        "hello\nworld\n",
        "    Content-Transfer-Encoding: base64\n\nindented\n",
        "if (header == \"Content-Type: text/plain\")\n\nx\n",
        "--\nsignature\n",
        "From here on\n\ntext\n",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_some_reader_takes_for_a_blank_line_ends_a_header() {
    for blank in ["\u{c}", "\u{b}\t", "\0", "\0x: y", "\u{b}", " "] {
        let text = format!("Content-Transfer-Encoding: base64\nX: y\n{blank}\nQ2F0\n");
        check(&text, &["Base64:Q2F0"]);
        check(&format!("{TOP}\n--b\n{text}--b--\n"), &["Base64:Q2F0"]);
    }
    check("Content-Transfer-Encoding: base64\r\r\nX: y\r\r\n\r Q2F0\r\r\n", &["Base64:Q2F0"]);
}

#[test]
fn a_line_of_dashes_that_is_no_boundary_may_be_one_of_the_body() {
    let part = "--b\nContent-Transfer-Encoding: base64\n\nQ2F0\n--!\n\u{20}\n-- \nRG9n\n--b\n";
    check(part, &["Base64:Q2F0", "Base64:Q2F0\n--!\n\u{20}\n-- \nRG9n"]);
    check(&part.replacen("--b\n", "", 1), &["Base64:Q2F0", "Base64:Q2F0\n--!\n\u{20}\n-- \nRG9n\n--b"]);
    check(&part.replace("RG9n\n--b", "RG9n\n--b--"), &["Base64:Q2F0\n--!\n\u{20}\n-- \nRG9n"]);
}

#[test]
fn parts_within_parts_have_a_limit() {
    let nested = |n: usize| {
        let text = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(n);
        let blob = Blob::from_bytes(text.into_bytes());
        find(&blob, &Survey::of(&blob).unwrap(), Spans::new(&blob, 1_000)).is_ok()
    };
    assert!(nested(1_000) && !nested(1_001));
}

#[test]
fn a_cr_that_stands_alone_anywhere_makes_a_second_reading_from_the_start() {
    let uu = "begin 644 a\n#0V%T\n`\nend\n";
    let filler = "filler\n".repeat(to_usize(STEP) * 2 / 7);
    for (text, expected) in [
        (format!("{uu}{filler}"), &["Uu(Any, true)"][..]),
        (format!("{uu}{filler}a\rb\n{filler}"), &["Uu(Any, true)", "Uu(Lf, true)"]),
        (
            format!("{filler}{uu}a\r{uu}{filler}"),
            &["Uu(Any, true)", "Uu(Any, true)", "Uu(Lf, true)", "Uu(Lf, true)"],
        ),
    ] {
        let found = found(&text);
        let encodings = found.iter().map(|found| found.split(':').next().unwrap()).collect::<Vec<_>>();
        assert_eq!(encodings, expected);
    }
}

/// The bodies of messages without MIME, in their order.
fn plain_bodies(text: &str) -> Vec<String> {
    let blob = Blob::from_bytes(text.as_bytes().to_vec());
    let spans = find(&blob, &Survey::of(&blob).unwrap(), Spans::new(&blob, 1_000)).unwrap();
    let said = |(start, end): &(u64, u64)| {
        let body = blob.bytes_at(*start, usize::try_from(end - start).unwrap()).unwrap();
        String::from_utf8_lossy(&body).into_owned()
    };
    spans.plain.iter().map(said).collect()
}

#[test]
fn whatever_begins_with_a_field_has_a_body() {
    for header in [
        "Subject: x\n\n",
        "Hash: SHA1\n\n",
        "x:y\n\n",
        ": y\n\n",
        "http://example.org\n\n",
        "Subject: x\n folded\nTo: y\n\n",
        " folded\n\n",
        "From a@b Mon Jan 1\n\n",
        "\u{feff}Subject: x\n\n",
        "\n\n\nSubject: x\n\n",
        "Subject: x\n",
        "Subject: x\nno field\n\n",
        "Subject: x\n \t\n",
        // uudeview goes by isspace, on lines that end with a zero.
        "Subject: x\n\u{c}\n",
        "Subject: x\n\u{b} \n",
        "Subject: x\n\0y\n",
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n",
        "Subject: x\n\nX: y\n\n",
        // ripMIME skips paragraphs.
        "hello\n\nworld\n\nTo be continued\n\n",
        "no field\nsubject\t: x\n\n",
        "=?us-ascii?Q?Subject?=: x\n\n",
        // munpack splits at lines of dashes.
        "hello\n--b\nx: y\n\n",
        "---\nx: y\nno field\n--b\nx:\n folded\n\n",
        "--b\nx: y\n\nhello\n--bc\n\n",
    ] {
        for line_break in ["\n", "\r\n", "\r", "\n\r"] {
            let text = format!("{header}Cat").replace('\n', line_break);
            let bodies = plain_bodies(&text);
            let is_found = bodies.iter().any(|body| body.trim_start_matches('\r') == "Cat");
            assert!(is_found, "{text:?} {bodies:?}");
        }
    }
}

#[test]
fn bodies_end_where_another_part_begins() {
    let bodies = plain_bodies("--b\nx: y\n\none\n--b\nx: y\n\ntwo\n--b--\nthree\n");
    assert_eq!(bodies, ["one", "two", "three\n"]);
    let bodies = plain_bodies("From a\nx: y\n\none\n\nFrom b\n\ntwo\n");
    assert_eq!(bodies, ["one\n", "one\n\nFrom b\n\ntwo\n", "two\n"]);
    assert_eq!(plain_bodies("Content-Type: multipart/mixed; boundary=b\n\none\n--b\n\ntwo\n"), ["one"]);
}

#[test]
fn other_text_has_no_body() {
    for text in
        ["", "hello\nworld\n\nhello\n", "Subject: x", "Subject: x\n", "date\n\nhello\n", "-- \nx: y\n\nz\n"]
    {
        assert_eq!(plain_bodies(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn of_many_records_a_few_are_taken_for_messages() {
    assert_eq!(plain_bodies(&"x: y\n\n".repeat(100)).len(), 16);
    let long = format!("x: y\n\n{}", "z".repeat(9_000_000));
    assert_eq!(plain_bodies(&format!("x: y\n\n{long}")).len(), 1);
}

/// The texts that the engine is given.
fn handed(text: &[u8], max_depth: u32) -> Vec<String> {
    handed_within(
        crate::Limits { max_member_bytes: 1000, max_total_bytes: 2000, max_members: 100, max_depth },
        text,
    )
}

fn handed_within(limits: crate::Limits, text: &[u8]) -> Vec<String> {
    let gate = crate::Gate { limits, capabilities: [crate::Method::Mail].into_iter().collect() };
    let scratch = crate::scratch::Scratch::new(tempfile::tempfile().unwrap());
    let mut through = Walk::new(&gate, scratch, vec![]);
    through.look(&Blob::from_bytes(text.to_vec()), 0).unwrap();
    let handed = through.into_handed();
    handed.iter().map(|blob| blob.bytes_at(0, 1000).unwrap().into_iter().map(char::from).collect()).collect()
}

#[test]
fn no_text_is_refused_for_what_may_be_messages_in_messages() {
    // In Latin-1, with bytes that are not text; the limit allows two of these.
    for text in ["x: \u{e9}\n\n".repeat(100), "x: \u{e9}\0\n\n".repeat(20), "x".repeat(900) + ": y\n\nz"] {
        let latin = text.chars().map(|character| u8::try_from(character).unwrap()).collect::<Vec<_>>();
        for max_depth in [0, 1, 2, 16] {
            handed(&latin, max_depth);
        }
    }
}

#[test]
fn bodies_are_looked_into_unless_they_are_text() {
    let in_tnef =
        [b"\x78\x9f\x3e\x22\0\0\x02\x0f\x80\x06\0\x0d\0\0\0".as_slice(), b"Subject: x\n\nz\0\0"].concat();
    let found = handed(&[b"x: y\n\n".as_slice(), &in_tnef].concat(), 16);
    for expected in ["Subject: x\n\nz", "z"] {
        assert!(found.iter().any(|text| text == expected), "{expected:?} {found:?}");
    }
    assert_eq!(handed(b"x: y\n\nhello\n\r", 16), ["hello\n\r"]);
    assert_eq!(handed(b"x: y\n\n\rhello", 16), ["\rhello", "hello"]);
}

/// For readers that do not split a mailbox file, each message is nested in the previous one.
#[test]
fn a_mailbox_file_may_have_many_messages() {
    let limits = crate::Limits {
        max_member_bytes: 1_000_000,
        max_total_bytes: 4_000_000,
        max_members: 1_000,
        max_depth: 16,
    };
    let plain = "Content-Type: text/plain\n\nhello N\n\n";
    let parts = format!("{TOP}\n--b\n{plain}{}", PART.replace("Q2F0", "Q2F0N"));
    for message in [plain, &parts, &plain.replace("hello", "\u{1}"), &format!("{TOP}\n--b\n{plain}--b--\n\n")]
    {
        for from_line in ["From a@b Mon Jan  1 10:00:00 2024\n", "From a@b\n", "From - 10:00\nFrom a@b\n"] {
            let number = |number: u32| format!("{from_line}{message}").replace('N', &format!("{number:04}"));
            let mailbox = (0..100).map(number).collect::<String>();
            let found = handed_within(limits, mailbox.as_bytes());
            assert!(found.len() >= 100, "{message:?} {from_line:?}");
            assert!(found.iter().map(String::len).sum::<usize>() < 10 * mailbox.len());
        }
    }
}

#[test]
fn a_line_without_a_time_may_be_one_of_the_text() {
    let first = "From a Mon 10:00\nContent-Type: text/plain\n\none\n";
    let text = format!("{first}{}From here on\ntwo\n", first.replace("one", "\u{1}"));
    check(&text, &["AsIs:\u{1}", "AsIs:\u{1}\nFrom here on\ntwo"]);
}

#[test]
fn a_message_in_pieces_is_joined() {
    let piece = |id: &str, number: u32, total: &str, text: &str| {
        format!("--b\nContent-Type: message/partial; id=\"{id}\"; number={number}; {total}\n\n{text}\n")
    };
    let one = piece("x", 1, "a=b", "Content-Transfer-Encoding: base64\n\nQ2");
    let two = piece("x", 2, "total=2", "F0");
    let mail = |parts: &[&str]| format!("{TOP}\n{}--b--\n", parts.concat());
    for parts in [[&one[..], &two], [&two, &one], [&one, &two.replace("\"x\"", "x")]] {
        let handed = handed(mail(&parts).as_bytes(), 8);
        assert!(handed.iter().any(|text| text == "Cat"), "{parts:?} {handed:?}");
    }
    let mailbox = [&two, &one].map(|part| part.replace("--b\n", "From a@b Mon Jan 1 00:00:00 2024\n") + "\n");
    assert!(handed(mailbox.concat().as_bytes(), 8).iter().any(|text| text == "Cat"));
}

#[test]
fn a_piece_of_a_message_alone_is_refused() {
    let refused = |text: &str| {
        let searched: crate::classic_mac::tests::Walker =
            |through, blob, depth| walk(through, blob, &Survey::of(blob)?, depth);
        let (end, _) = crate::classic_mac::tests::walked(searched, text.as_bytes());
        matches!(end, Err(crate::walk::Stop::Refused(refusal))
            if refusal.reason == domain::verdict::Unscannable::UnsupportedContainer)
    };
    let piece = |said: &str| format!("Subject: x\nContent-Type: message/partial; id=x; {said}\n\nCat\n");
    for said in ["number=1; total=2", "number=2; total=2", "number=1", "total=1", ""] {
        assert!(refused(&piece(said)), "{said}");
    }
    assert!(!refused(&piece("number=1; total=1")));
    assert!(!refused(&format!("Such a field is:\n\n{}", piece("number=1; total=2"))));
    assert!(!refused("Subject: x\nContent-Type: text/plain\n\nmessage/partial; number=1; total=2\n"));
}
