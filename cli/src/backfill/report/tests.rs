//! Estimates, checks and exit codes say all that is known.

use domain::timestamp::Timestamp;

use super::*;

fn job() -> Job {
    Job {
        bucket: "b".to_owned(),
        prefix: "in/".to_owned(),
        inventory: None,
        since: None,
        is_latest_only: false,
    }
}

fn standing(by_state: &[(State, u64)], left_out: &[LeftOut]) -> Standing {
    let share = Share { n: 2, example: Some("a\u{1b}[2J".to_owned()) };
    Standing {
        by_state: by_state.iter().copied().collect(),
        left_out: left_out.iter().map(|why| (*why, share.clone())).collect(),
        n_without_record: Some(0),
    }
}

#[test]
fn the_exit_code_of_a_check_is_0_only_if_nothing_is_unjudged() {
    for (by_state, left_out, code) in [
        (
            &[(State::Clean, 1), (State::Infected, 1), (State::Unscannable, 1), (State::Removed, 1)][..],
            &[][..],
            0,
        ),
        (&[], &[], 0),
        (&[(State::Clean, 1)], &[LeftOut::DeleteMarker, LeftOut::Older, LeftOut::NotLatest], 0),
        (&[(State::Clean, 1)], &[LeftOut::Archived], 11),
        (&[(State::Clean, 1)], &[LeftOut::NoVersion], 11),
        (&[(State::Clean, 1), (State::Failed, 1)], &[LeftOut::Archived], 12),
        (&[(State::Failed, 1), (State::Sent, 1)], &[], 14),
        (&[(State::Clean, 1), (State::Unsent, 1)], &[], 14),
    ] {
        assert_eq!(standing(by_state, left_out).code(), code, "{by_state:?} {left_out:?}");
    }
}

#[test]
fn an_estimate_names_numbers_costs_and_what_is_left_out() {
    let between = Some((Timestamp::from_secs(0), Timestamp::from_secs(86_400)));
    let to_send = ToSend { n_versions: 1_000_000, n_bytes: 100_000_000_000, n_too_large: 3, between };
    let estimate = Estimate { to_send, pace: Pace { per_second: 100, max_waiting: 1000 } };
    let text = estimate.text(&job(), &standing(&[], &[LeftOut::Archived]).left_out);
    for expected in [
        "s3://b/in/: 1,000,000 versions to send, 100.0 GB",
        "stored between 1970-01-01T00:00:00Z and 1970-01-02T00:00:00Z",
        "3 larger than MAX_FILE_SIZE",
        "2 left out: archived",
        "such as `a\u{fffd}[2J`",
        "GuardDuty would charge $224.00",
        "At least 3 hours to send, at 100/s; about 14 hours to scan, with ScanConcurrency=5.",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_check_tells_every_state() {
    let standing = standing(&[(State::Clean, 5), (State::Sent, 2), (State::Removed, 1)], &[LeftOut::NoOwner]);
    let json = standing.json(&job());
    assert_eq!((json["n_versions"].as_u64(), json["n_judged"].as_u64()), (Some(8), Some(5)));
    assert_eq!(
        (json["versions"]["waiting"].as_u64(), json["left_out"]["no_owner"]["n"].as_u64()),
        (Some(2), Some(2))
    );
    let text = standing.checked_text();
    assert!(
        text.starts_with("5 of 8 versions judged.\n  2 waiting (sent, and not judged yet)\n  5 clean\n"),
        "{text}"
    );
}
