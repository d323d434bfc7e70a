//! Which links lead to bytes, why the others do not, and what is counted. Over the stand-ins; no engine.

use std::time::Duration;

use aws::Stores;
use axum::body::Body;
use axum::http::Request;
use domain::id::{FileId, ObjectKey, ScanId, Sha256, Version};
use domain::machine::{self, Event, MachinePolicy, NoChange, ScanReport};
use domain::record::{Record, State, Status};
use domain::verdict::{Outcome, ScanError, Unscannable, Verdict};
use fixtures::{TestStores, awaiting, clean, infected, scanning, version, with_verdict};
use http_body_util::BodyExt as _;
use lifecycle::Transitions;
use serde_json::Value;
use tower_service::Service as _;
use web::TokenSigner;

use super::*;

struct Downloads {
    test: TestStores,
    router: Router,
    signer: TokenSigner,
}

fn holder() -> ScanId {
    ScanId::from_random("00000000-0000-4000-8000-000000000007".parse().unwrap())
}

fn infected_report(sha256: Sha256) -> ScanReport {
    ScanReport {
        outcome: Outcome::Decided(Verdict::Infected { signature: "Eicar".to_owned() }),
        duration: Duration::ZERO,
        sha256: Some(sha256),
        engine: None,
        needed_password: false,
        release: None,
    }
}

/// An answer, as a client sees it.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Downloads {
    async fn apply(&self, file: FileId, event: &Event) {
        let transitions = Transitions { stores: &self.test.stores, policy: &MachinePolicy::default() };
        let applied = transitions.apply(file, event, aws::clock::now()).await.unwrap().unwrap();
        assert_eq!(applied.kept, None);
    }

    async fn start() -> Self {
        let test = TestStores::start().await;
        let signer = TokenSigner::new(b"a key of at least thirty-two bytes").unwrap();
        let router = router(DownloadContext {
            stores: test.stores.clone(),
            link_key: LinkKey::fixed(signer.clone()),
            allowed_origins: vec![],
            loopback_only: LoopbackOnly::No,
        });
        Self { test, router, signer }
    }

    async fn ask(&self, method: Method, token: &str, accept: &str) -> Answer {
        let request = Request::builder().method(method).uri(format!("/download/{token}"));
        let request = request.header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        let Ok(response) = self.router.clone().call(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn follow(&self, claims: &LinkClaims) -> Answer {
        self.ask(Method::GET, &self.token(claims), "*/*").await
    }

    fn token(&self, claims: &LinkClaims) -> String {
        self.signer.sign_link(claims, aws::clock::now()).unwrap()
    }

    /// A record with bytes behind it.
    async fn stored(&self, record_of: impl FnOnce(FileId, &Version, Timestamp) -> Record) -> Record {
        let file = TestStores::file_id();
        let version = self.test.put(&ObjectKey::Issued(file), b"0123456789").await;
        let record = record_of(file, &version, aws::clock::now());
        self.test.create(&record).await;
        record
    }

    async fn n_downloads(&self, file: FileId) -> u32 {
        self.test.record(file).await.download_count
    }
}

/// A link as it would be created for the record now.
fn claims(record: &Record) -> LinkClaims {
    let bound = record.state.version().cloned().unwrap_or_else(|| version("v"));
    LinkClaims {
        file_id: record.file_id,
        version_id: bound.version_id,
        expires_at: aws::clock::now() + Duration::from_hours(1),
        generation: record.link_generation,
    }
}

fn refusal(answer: &Answer) -> (u16, &str) {
    assert!(answer.headers.get(header::LOCATION).is_none(), "a refusal has no URL");
    (answer.status.as_u16(), answer.body["code"].as_str().unwrap_or("no code"))
}

#[tokio::test]
async fn a_clean_file_is_one_redirect_to_its_version_and_one_count() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let answer = downloads.follow(&claims(&record)).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::REFERRER_POLICY], "no-referrer");
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    let version_id = record.state.version().unwrap().version_id.as_str();
    assert!(location.contains(&format!("versionId={version_id}")), "{location}");
    assert!(location.contains("X-Amz-Expires=60"), "{location}");
    assert_eq!(downloads.n_downloads(record.file_id).await, 1);
}

#[tokio::test]
async fn a_client_that_asks_for_json_gets_the_url_in_the_body() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let token = downloads.token(&claims(&record));
    let answer = downloads.ask(Method::GET, &token, "application/json").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body["url"].as_str().unwrap().contains("X-Amz-Signature="), "{}", answer.body);
    assert!(Timestamp::parse_rfc3339(answer.body["expires_at"].as_str().unwrap()) > Some(aws::clock::now()));
    assert_eq!(downloads.n_downloads(record.file_id).await, 1);
}

#[tokio::test]
async fn a_head_request_counts_nothing_and_gets_no_url() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let token = downloads.token(&claims(&record));
    let answer = downloads.ask(Method::HEAD, &token, "*/*").await;
    assert_eq!((answer.status, answer.headers.get(header::LOCATION)), (StatusCode::OK, None));
    assert_eq!(downloads.n_downloads(record.file_id).await, 0);
    assert_eq!(downloads.ask(Method::POST, &token, "*/*").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn each_state_but_clean_is_refused_with_its_own_code() {
    let unscannable = Verdict::Unscannable { reason: Unscannable::Encrypted };
    let failed = Verdict::Error { reason: ScanError::EngineTrouble };
    let judged =
        |verdict: Verdict| move |file, version: &Version, now| with_verdict(file, version, verdict, now);
    let downloads = Downloads::start().await;
    let now = aws::clock::now();
    let past = now - Duration::from_hours(1);
    let deleted =
        |file, version: &Version, now| Record { state: State::Deleted, ..clean(file, version, now) };
    let expired = |file, version: &Version, now| Record { expires_at: past, ..clean(file, version, now) };
    for (record, expected) in [
        (downloads.stored(|file, _, now| awaiting(file, now)).await, (409, "not_scanned_yet")),
        (downloads.stored(infected).await, (403, "infected")),
        (downloads.stored(judged(unscannable)).await, (403, "unscannable")),
        (downloads.stored(judged(failed)).await, (403, "scan_failed")),
        (downloads.stored(deleted).await, (410, "file_gone")),
        (downloads.stored(expired).await, (410, "file_gone")),
    ] {
        assert_eq!(refusal(&downloads.follow(&claims(&record)).await), expected, "{:?}", record.state);
        assert_eq!(downloads.n_downloads(record.file_id).await, 0, "{:?}", record.state);
    }
}

#[tokio::test]
async fn an_operators_release_makes_an_infected_file_downloadable() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(infected).await;
    let (sha256, now) = (record.judgement().unwrap().sha256.unwrap(), aws::clock::now());
    let release = machine::release(&record, sha256, "a sample", record.owner.clone(), now).unwrap();
    downloads.test.stores.ledger.keep_release(release.clone()).await.unwrap();
    downloads.apply(record.file_id, &Event::Released { release }).await;
    let link = claims(&downloads.test.record(record.file_id).await);
    assert_eq!(downloads.follow(&link).await.status, StatusCode::FOUND);
    let revoked = LinkClaims { generation: link.generation + 1, ..link };
    assert_eq!(refusal(&downloads.follow(&revoked).await), (410, "link_revoked"));
}

#[tokio::test]
async fn a_revoked_release_ends_all_downloads_before_the_files_are_changed() {
    let downloads = Downloads::start().await;
    let (first, second) = (downloads.stored(infected).await, downloads.stored(infected).await);
    let (sha256, now) = (first.judgement().unwrap().sha256.unwrap(), aws::clock::now());
    let release = machine::release(&first, sha256, "a sample", first.owner.clone(), now).unwrap();
    let Stores { ledger, .. } = &downloads.test.stores;
    ledger.keep_release(release.clone()).await.unwrap();
    downloads.apply(first.file_id, &Event::Released { release: release.clone() }).await;
    assert_eq!(ledger.released_files(sha256).await.unwrap(), [first.file_id]);
    let link = claims(&downloads.test.record(first.file_id).await);
    assert_eq!(downloads.follow(&link).await.status, StatusCode::FOUND);

    let revocation = machine::revocation(sha256, "a mistake", first.owner.clone(), now).unwrap();
    let entry = ledger.revoke_release(&revocation).await.unwrap().unwrap();
    assert_eq!(entry.revocation.as_ref(), Some(&revocation));
    assert_eq!(
        downloads.test.record(first.file_id).await.status(),
        Status::Released,
        "the file is not changed yet"
    );
    assert_eq!(refusal(&downloads.follow(&link).await), (403, "infected"));
    // The first revocation is kept, and no file can become `released` any longer.
    let later = machine::revocation(sha256, "again", second.owner.clone(), now).unwrap();
    assert_eq!(ledger.revoke_release(&later).await.unwrap(), Some(entry));
    let transitions = Transitions { stores: &downloads.test.stores, policy: &MachinePolicy::default() };
    let released = Event::Released { release: release.clone() };
    let applied = transitions.apply(second.file_id, &released, now).await.unwrap().unwrap();
    assert_eq!((applied.kept, applied.record.status()), (Some(NoChange::NotPossible), Status::Infected));
    // A scanner that has read the release before commits the finding without it.
    let scanned =
        downloads.stored(|file, version, now| scanning(&awaiting(file, now), version, holder(), now)).await;
    let report = ScanReport { release: Some(release), ..infected_report(sha256) };
    let version_id = scanned.state.version().unwrap().version_id.clone();
    downloads.apply(scanned.file_id, &Event::Scanned { version_id, holder: holder(), report }).await;
    assert_eq!(downloads.test.record(scanned.file_id).await.status(), Status::Infected);

    downloads.apply(first.file_id, &Event::ReleaseRevoked { revocation }).await;
    assert_eq!(downloads.test.record(first.file_id).await.status(), Status::Infected);
    assert_eq!(ledger.released_files(sha256).await.unwrap(), []);
}

#[tokio::test]
async fn each_link_that_does_not_fit_its_file_is_refused() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let link = claims(&record);
    let expires_at = aws::clock::now() - Duration::from_secs(1);
    for (claims, expected) in [
        (LinkClaims { expires_at, ..link.clone() }, (410, "link_expired")),
        (LinkClaims { generation: link.generation + 1, ..link.clone() }, (410, "link_revoked")),
        (LinkClaims { version_id: version("other").version_id, ..link.clone() }, (404, "invalid_link")),
        (LinkClaims { file_id: TestStores::file_id(), ..link.clone() }, (410, "file_gone")),
    ] {
        assert_eq!(refusal(&downloads.follow(&claims).await), expected, "{claims:?}");
    }
    assert_eq!(downloads.n_downloads(record.file_id).await, 0);
}

#[tokio::test]
async fn a_token_that_we_did_not_sign_is_not_a_link() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let other = TokenSigner::new(b"another key of thirty-two bytes or more").unwrap();
    let forged = other.sign_link(&claims(&record), aws::clock::now()).unwrap();
    for token in [&*forged, "x", "a.b.c"] {
        let answer = downloads.ask(Method::GET, token, "*/*").await;
        assert_eq!(refusal(&answer), (404, "invalid_link"), "{token}");
    }
}

#[tokio::test]
async fn the_download_limit_holds_also_for_concurrent_downloads() {
    let downloads = Downloads::start().await;
    let limited =
        |file, version: &Version, now| Record { max_downloads: Some(2), ..clean(file, version, now) };
    let record = downloads.stored(limited).await;
    let link = claims(&record);
    let ask = || downloads.follow(&link);
    let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
    let mut statuses = [one, two, three, four].map(|answer| answer.status.as_u16());
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 302, 410, 410]);
    assert_eq!(refusal(&downloads.follow(&link).await), (410, "download_limit_reached"));
    assert_eq!(downloads.n_downloads(record.file_id).await, 2);
}

#[tokio::test]
async fn a_verdict_that_changes_after_the_grant_is_not_counted() {
    let downloads = Downloads::start().await;
    let record = downloads.stored(clean).await;
    let link = claims(&record);
    let granted = grant(&record, None, &link, aws::clock::now()).unwrap();
    let Stores { ledger, .. } = &downloads.test.stores;
    downloads.apply(record.file_id, &Event::LinksRevoked).await;
    assert_eq!(ledger.count_download(&granted).await.unwrap(), None);
    assert_eq!(refusal(&downloads.follow(&link).await), (410, "link_revoked"));
}
