//! Plans survive kills, keep their order, and belong to one job.

use super::*;

fn job(prefix: &str) -> Job {
    Job {
        bucket: "b".to_owned(),
        prefix: prefix.to_owned(),
        inventory: None,
        since: None,
        is_latest_only: false,
    }
}

fn version(key: &str, modified_at: i64, size_bytes: u64) -> StoredVersion {
    StoredVersion {
        key: key.to_owned(),
        version_id: format!("v{modified_at}"),
        etag: "e".to_owned(),
        size_bytes,
        modified_at: Timestamp::from_millis(modified_at),
        is_latest: false,
        is_archived: false,
    }
}

fn found(versions: &[(&str, i64, u64)]) -> Found {
    let planned = versions.iter().map(|(key, at, size)| version(key, *at, *size)).collect();
    Found { planned, ..Found::default() }
}

fn keys(planned: &[Planned]) -> Vec<&str> {
    planned.iter().map(|planned| planned.version.key.as_str()).collect()
}

#[test]
fn the_newest_come_first_over_all_parts_and_each_is_sent_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan");
    let plan = Plan::open(&path, &job("")).unwrap();
    plan.begin_part().unwrap();
    plan.add(&found(&[("a", 10, 1), ("b", 30, 2)])).unwrap();
    plan.finish_part(&Collected::Files(1)).unwrap();
    plan.begin_part().unwrap();
    plan.add(&found(&[("c", 20, 900), ("d", 30, 3)])).unwrap();
    plan.finish_part(&Collected::Everything).unwrap();
    let to_send = plan.to_send(100).unwrap();
    assert_eq!((to_send.n_versions, to_send.n_bytes, to_send.n_too_large), (4, 6, 1));
    assert_eq!(to_send.between.unwrap().1, Timestamp::from_millis(30));
    assert_eq!(keys(&plan.unsent(3).unwrap()), ["b", "d", "c"]);
    drop(plan);
    let mut plan = Plan::open(&path, &job("")).unwrap();
    let first: Vec<_> = plan.unsent(2).unwrap().iter().map(|planned| (planned.id, State::Sent)).collect();
    plan.keep(first).unwrap();
    assert_eq!(keys(&plan.unsent(9).unwrap()), ["c", "a"]);
    assert_eq!(keys(&plan.sent(0, 9).unwrap()), ["b", "d"]);
    assert_eq!(plan.by_state().unwrap(), [(State::Unsent, 2), (State::Sent, 2)].into());
}

#[test]
fn a_part_that_was_not_finished_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan");
    let plan = Plan::open(&path, &job("")).unwrap();
    let mut part = found(&[("a", 10, 1)]);
    part.leave_out(LeftOut::Archived, "cold");
    plan.begin_part().unwrap();
    plan.add(&part).unwrap();
    drop(plan);
    let plan = Plan::open(&path, &job("")).unwrap();
    assert_eq!((plan.collected().unwrap(), plan.by_state().unwrap()), (Collected::Nothing, [].into()));
    assert_eq!(plan.left_out().unwrap(), [].into());
    for _ in 0..2 {
        plan.begin_part().unwrap();
        plan.add(&part).unwrap();
    }
    plan.finish_part(&Collected::Everything).unwrap();
    assert_eq!(plan.by_state().unwrap(), [(State::Unsent, 1)].into(), "the first of the two was dropped");
    let cold = Share { n: 1, example: Some("cold".to_owned()) };
    assert_eq!(plan.left_out().unwrap(), [(LeftOut::Archived, cold)].into());
}

#[test]
fn a_plan_belongs_to_one_job_and_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan");
    let held = Plan::open(&path, &job("in/")).unwrap();
    let error = format!("{:#}", Plan::open(&path, &job("in/")).unwrap_err());
    assert!(error.contains("another backfill works on"), "{error}");
    drop(held);
    let error = format!("{:#}", Plan::open(&path, &job("out/")).unwrap_err());
    assert!(error.contains("s3://b/in/") && error.contains("--plan"), "{error}");
    let (other, bytes) = (directory.path().join("text"), "a text and no database. ".repeat(9));
    std::fs::write(&other, &bytes).unwrap();
    let error = format!("{:#}", Plan::open(&other, &job("")).unwrap_err());
    assert!(error.contains("is not the plan of a backfill"), "{error}");
    assert_eq!(std::fs::read_to_string(&other).unwrap(), bytes);
    let other = directory.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = format!("{:#}", Plan::open(&other, &job("")).unwrap_err());
    assert!(error.contains("not the plan of a backfill"), "{error}");
}
