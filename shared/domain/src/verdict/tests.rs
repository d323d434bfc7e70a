//! Tests that a clean verdict needs every single condition.

use proptest::prelude::*;

use super::*;
use crate::freshness::DefinitionsKind;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

/// Complete evidence.
pub(crate) fn whole() -> Evidence {
    Evidence {
        declared_size: 10,
        stored_size: 10,
        streamed_size: 10,
        content_encoding: ContentEncoding::Identity,
        sha256: Sha256::from_bytes([7; 32]),
        declared_sha256: None,
        structure: Structure::Sound,
        is_text_like_program: false,
        decryption: Decryption::None,
        replies: vec![EngineReply::Ok],
        canary_found_before: true,
        canary_found_after: true,
        n_engine_errors: 0,
        engine: EngineVersion {
            version: "ClamAV 1.4.6".into(),
            openers: vec!["7-Zip 26.02".into()],
            definitions: Definitions {
                kind: DefinitionsKind::Official,
                version: "27900".into(),
                built_at: NOW,
                n_signatures: 1,
            },
        },
    }
}

fn outcome(change: impl FnOnce(&mut Evidence)) -> Outcome {
    let mut evidence = whole();
    change(&mut evidence);
    judge(&evidence, FreshnessPolicy::default(), NOW)
}

fn found(name: &str) -> Outcome {
    outcome(|e| e.replies = vec![EngineReply::Found(name.to_owned())])
}

#[test]
fn whole_evidence_is_clean() {
    assert!(matches!(outcome(|_| {}), Outcome::Decided(Verdict::Clean(_))));
    assert!(matches!(outcome(|e| e.declared_sha256 = Some(e.sha256)), Outcome::Decided(Verdict::Clean(_))));
}

/// The engine has no password: its reports of encryption that the gate has opened do not count. All its other
/// findings count.
#[test]
fn a_password_excuses_what_it_opened_and_nothing_else() {
    let with = |name: &str, change: fn(&mut Evidence)| {
        outcome(|e| {
            e.decryption = Decryption::Password;
            e.replies = vec![EngineReply::Found(name.to_owned()), EngineReply::Ok];
            change(e);
        })
    };
    let encrypted = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted });
    for name in ["Heuristics.Encrypted.Zip", "Heuristics.Encrypted.7Zip", "Heuristics.Encrypted.PDF"] {
        assert!(matches!(with(name, |_| {}), Outcome::Decided(Verdict::Clean(_))), "{name}");
        assert_eq!(with(name, |e| e.decryption = Decryption::None), encrypted);
        assert_eq!(with(name, |e| e.structure = Structure::Refused(Unscannable::Encrypted)), encrypted);
        let infected = with(name, |e| e.replies[1] = EngineReply::Found("Eicar".into()));
        assert_eq!(infected, Outcome::Decided(Verdict::Infected { signature: "Eicar".into() }));
        assert_eq!(
            with(name, |e| e.canary_found_after = false),
            Outcome::Inconclusive(ScanError::EngineTrouble)
        );
    }
    for name in ["Heuristics.Encrypted.RAR", "Heuristics.Encrypted.EGG", "Heuristics.Encrypted.Other"] {
        assert_eq!(with(name, |_| {}), encrypted);
    }
}

#[test]
fn each_missing_piece_denies_clean() {
    let mismatch = Outcome::Decided(Verdict::Error { reason: ScanError::ContentMismatch });
    let trouble = Outcome::Inconclusive(ScanError::EngineTrouble);
    let stale = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::StaleDefinitions });
    assert_eq!(outcome(|e| e.declared_size = 11), mismatch);
    assert_eq!(outcome(|e| e.stored_size = 11), mismatch);
    assert_eq!(outcome(|e| e.streamed_size = 9), mismatch);
    assert_eq!(outcome(|e| e.declared_sha256 = Some(Sha256::from_bytes([8; 32]))), mismatch);
    assert_eq!(outcome(|e| e.canary_found_before = false), trouble);
    assert_eq!(outcome(|e| e.canary_found_after = false), trouble);
    assert_eq!(outcome(|e| e.n_engine_errors = 1), trouble);
    assert_eq!(outcome(|e| e.replies = vec![]), trouble);
    assert_eq!(outcome(|e| e.engine.definitions.built_at = Timestamp::from_secs(0)), stale);
}

#[test]
fn findings_are_told_apart() {
    let unscannable = |reason| Outcome::Decided(Verdict::Unscannable { reason });
    assert_eq!(
        found("Win.Test.EICAR_HDB-1"),
        Outcome::Decided(Verdict::Infected { signature: "Win.Test.EICAR_HDB-1".into() })
    );
    assert_eq!(found("Heuristics.XZ.DicSizeLimit"), unscannable(Unscannable::ExpandsTooMuch));
    assert_eq!(found("Heuristics.Encrypted.Zip"), unscannable(Unscannable::Encrypted));
    assert_eq!(found("Heuristics.Broken.Media.JPEG"), unscannable(Unscannable::Malformed));
    for untrusted in ["(null)", "Heuristics.Structured.SSN"] {
        assert_eq!(found(untrusted), Outcome::Inconclusive(ScanError::EngineTrouble), "{untrusted}");
    }
}

#[test]
fn a_canary_counts_only_by_a_name_of_its_own() {
    let names_malware = |name: &str| EngineReply::Found(name.to_owned()).names_malware();
    assert!(names_malware("Eicar-Test-Signature.UNOFFICIAL"));
    for name in ["Heuristics.Limits.Exceeded.MaxScanTime", "Heuristics.Encrypted.Zip", "(null)", ""] {
        assert!(!names_malware(name), "{name}");
    }
    assert!(!EngineReply::Ok.names_malware());
}

#[test]
fn a_refused_structure_is_never_clean_and_never_hides_malware() {
    let refused = |e: &mut Evidence| e.structure = Structure::Refused(Unscannable::Encrypted);
    let encrypted = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Encrypted });
    assert_eq!(outcome(refused), encrypted);
    let replies =
        |names: &[&str]| names.iter().map(|name| EngineReply::Found((*name).to_owned())).collect::<Vec<_>>();
    let mixed = replies(&["Heuristics.Broken.Media.GIF", "Eicar", "(null)"]);
    let found = outcome(|e| (e.structure, e.replies) = (Structure::Refused(Unscannable::Encrypted), mixed));
    assert_eq!(found, Outcome::Decided(Verdict::Infected { signature: "Eicar".into() }));
    let broken = replies(&["Heuristics.Broken.Media.GIF"]);
    assert_eq!(
        outcome(|e| (e.structure, e.replies) = (Structure::Refused(Unscannable::Encrypted), broken)),
        encrypted
    );
}

#[test]
fn a_text_like_a_program_is_judged_as_text() {
    let text = |names: &[&str]| {
        let reply = |name: &&str| match *name {
            "" => EngineReply::Ok,
            name => EngineReply::Found(name.to_owned()),
        };
        let replies = names.iter().map(reply).collect();
        outcome(|e| (e.is_text_like_program, e.replies) = (true, replies))
    };
    let malformed = Outcome::Decided(Verdict::Unscannable { reason: Unscannable::Malformed });
    assert!(matches!(text(&[BROKEN_PROGRAM, ""]), Outcome::Decided(Verdict::Clean(_))));
    assert_eq!(text(&[BROKEN_PROGRAM]), malformed, "it was not scanned as text");
    assert_eq!(text(&[BROKEN_PROGRAM, BROKEN_PROGRAM]), malformed, "of a member");
    assert_eq!(text(&["Heuristics.Broken.Other", ""]), malformed);
    assert_eq!(
        text(&[BROKEN_PROGRAM, "Eicar"]),
        Outcome::Decided(Verdict::Infected { signature: "Eicar".into() })
    );
    let not_text = vec![EngineReply::Found(BROKEN_PROGRAM.into()), EngineReply::Ok];
    assert_eq!(outcome(|e| e.replies = not_text), malformed);
}

#[test]
fn a_content_encoding_is_never_clean_and_never_hides_malware() {
    let refused = |reason| Outcome::Decided(Verdict::Unscannable { reason });
    let encoded = |change: fn(&mut Evidence)| {
        outcome(|e| {
            e.content_encoding = ContentEncoding::Encoded;
            change(e);
        })
    };
    let found = |name: &str| vec![EngineReply::Found(name.to_owned())];
    assert_eq!(encoded(|_| {}), refused(Unscannable::ContentEncoding));
    // The content encoding comes first: the uploader can remove it, and it says nothing about the bytes.
    assert_eq!(
        encoded(|e| e.structure = Structure::Refused(Unscannable::Malformed)),
        refused(Unscannable::ContentEncoding)
    );
    let not_scanned = outcome(|e| {
        (e.content_encoding, e.replies) = (ContentEncoding::Encoded, found("Heuristics.Encrypted.PDF"));
    });
    assert_eq!(not_scanned, refused(Unscannable::ContentEncoding));
    let infected = outcome(|e| (e.content_encoding, e.replies) = (ContentEncoding::Encoded, found("Eicar")));
    assert_eq!(infected, Outcome::Decided(Verdict::Infected { signature: "Eicar".into() }));
}

#[test]
fn malware_in_a_handed_member_counts() {
    let replies = vec![EngineReply::Ok, EngineReply::Ok, EngineReply::Found("Eicar".into())];
    let infected = Outcome::Decided(Verdict::Infected { signature: "Eicar".into() });
    assert_eq!(outcome(|e| e.replies = replies), infected);
}

proptest! {
    #[test]
    fn clean_implies_every_condition(
        sizes in prop::array::uniform3(0u64..3),
        reply in prop_oneof![Just(EngineReply::Ok), "[A-Za-z.()]{0,12}".prop_map(EngineReply::Found)],
        before: bool, after: bool, n_engine_errors in 0usize..2,
        declared in prop::option::of(0u8..2), age_days in 0u64..20,
        second in prop::option::of(Just(EngineReply::Found("Heuristics.Encrypted.PDF".into()))), sound: bool,
        encoded: bool,
    ) {
        let outcome = outcome(|e| {
            [e.declared_size, e.stored_size, e.streamed_size] = sizes;
            e.replies = std::iter::once(reply.clone()).chain(second.clone()).collect();
            (e.canary_found_before, e.canary_found_after) = (before, after);
            e.structure = if sound { Structure::Sound } else { Structure::Refused(Unscannable::Malformed) };
            e.content_encoding = ContentEncoding::parse(encoded.then_some("gzip"));
            e.n_engine_errors = n_engine_errors;
            e.declared_sha256 = declared.map(|d| Sha256::from_bytes([7 + d; 32]));
            e.engine.definitions.built_at = NOW - Duration::from_hours(24 * age_days);
        });
        let all_hold = sizes[0] == sizes[1] && sizes[1] == sizes[2]
            && reply == EngineReply::Ok && before && after && n_engine_errors == 0
            && second.is_none() && sound && !encoded && declared != Some(1) && age_days <= 7;
        prop_assert_eq!(matches!(outcome, Outcome::Decided(Verdict::Clean(_))), all_hold);
    }
}
