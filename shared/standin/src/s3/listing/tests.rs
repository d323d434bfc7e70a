//! Pages, groups and marks, as the S3 reference describes them.

use s3s::dto::{DeleteObjectInput, PutObjectInput};
use s3s::{S3, S3Request};

use super::*;

fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: axum::http::Method::PUT,
        uri: axum::http::Uri::default(),
        headers: axum::http::HeaderMap::default(),
        extensions: axum::http::Extensions::default(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}

async fn store(keys: &[&str]) -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), "bucket").await.unwrap();
    for key in keys {
        let input =
            PutObjectInput { bucket: "bucket".into(), key: (*key).into(), ..PutObjectInput::default() };
        store.put_object(request(input)).await.unwrap();
    }
    (directory, store)
}

fn asked(prefix: &str, delimiter: &str) -> ListObjectsV2Input {
    ListObjectsV2Input {
        bucket: "bucket".into(),
        prefix: Some(prefix.into()),
        delimiter: Some(delimiter.into()),
        ..ListObjectsV2Input::default()
    }
}

/// Keys, then common prefixes.
fn names(output: &ListObjectsV2Output) -> (Vec<&str>, Vec<&str>) {
    let keys = output.contents.iter().flatten().filter_map(|object| object.key.as_deref());
    let prefixes = output.common_prefixes.iter().flatten().filter_map(|common| common.prefix.as_deref());
    (keys.collect(), prefixes.collect())
}

const KEYS: [&str; 8] = ["a", "a/1", "a/2", "a/b/3", "b", "c/4", "c\u{10ffff}", "\u{e9}/5"];

#[tokio::test]
async fn prefixes_and_delimiters_group_keys() {
    let (_directory, store) = store(&KEYS).await;
    for (prefix, delimiter, keys, prefixes) in [
        ("", "/", vec!["a", "b", "c\u{10ffff}"], vec!["a/", "c/", "\u{e9}/"]),
        ("a/", "/", vec!["a/1", "a/2"], vec!["a/b/"]),
        ("a", "", vec!["a", "a/1", "a/2", "a/b/3"], vec![]),
        ("a/b/3", "/", vec!["a/b/3"], vec![]),
        ("z", "/", vec![], vec![]),
        ("a/%", "", vec![], vec![]),
    ] {
        let listed = store.list(asked(prefix, delimiter)).await.unwrap();
        assert_eq!(names(&listed), (keys, prefixes), "`{prefix}` `{delimiter}`");
        assert_eq!(listed.is_truncated, Some(false));
    }
    let old = store.list_by_marker(ListObjectsInput {
        bucket: "bucket".into(),
        delimiter: Some("/".into()),
        marker: Some("a/".into()),
        ..ListObjectsInput::default()
    });
    let old = old.await.unwrap();
    let prefixes: Vec<_> = old.common_prefixes.unwrap().into_iter().filter_map(|one| one.prefix).collect();
    assert_eq!(prefixes, ["c/", "\u{e9}/"], "a common prefix is not listed behind itself");
}

#[tokio::test]
async fn pages_of_any_size_list_everything_once() {
    let (_directory, store) = store(&KEYS).await;
    for delimiter in ["", "/"] {
        let whole = store.list(asked("", delimiter)).await.unwrap();
        let mut whole: Vec<String> =
            [names(&whole).0, names(&whole).1].concat().iter().map(|&name| name.into()).collect();
        whole.sort();
        for n_max in 1..=9 {
            let (mut found, mut token) = (vec![], None);
            loop {
                let page = ListObjectsV2Input {
                    max_keys: Some(n_max),
                    continuation_token: token,
                    ..asked("", delimiter)
                };
                let page = store.list(page).await.unwrap();
                let (keys, prefixes) = names(&page);
                assert!(keys.len() + prefixes.len() <= usize::try_from(n_max).unwrap());
                found.extend([keys, prefixes].concat().iter().map(|&name| name.to_owned()));
                token = page.next_continuation_token.clone();
                assert_eq!(page.is_truncated, Some(token.is_some()));
                if token.is_none() {
                    break;
                }
            }
            found.sort();
            assert_eq!(found, whole, "`{delimiter}`, {n_max} at a time");
        }
    }
}

#[tokio::test]
async fn marks_encodings_and_deletions_are_as_in_s3() {
    let (_directory, store) = store(&KEYS).await;
    let after = ListObjectsV2Input { start_after: Some("a/1".into()), ..asked("a/", "/") };
    assert_eq!(names(&store.list(after).await.unwrap()), (vec!["a/2"], vec!["a/b/"]));
    let after = ListObjectsV2Input { start_after: Some("a/1".into()), ..asked("", "/") };
    assert_eq!(names(&store.list(after).await.unwrap()).1, ["c/", "\u{e9}/"]);
    let encoding_type = Some(EncodingType::from_static(EncodingType::URL));
    let encoded = store.list(ListObjectsV2Input { encoding_type, ..asked("\u{e9}", "") }).await.unwrap();
    assert_eq!((names(&encoded).0, encoded.prefix.as_deref()), (vec!["%C3%A9/5"], Some("%C3%A9")));

    let marked =
        DeleteObjectInput { bucket: "bucket".into(), key: "a/b/3".into(), ..DeleteObjectInput::default() };
    store.delete_object(request(marked)).await.unwrap();
    assert_eq!(names(&store.list(asked("a/", "/")).await.unwrap()), (vec!["a/1", "a/2"], vec![]));

    let none = store.list(ListObjectsV2Input { max_keys: Some(0), ..asked("", "") }).await.unwrap();
    assert_eq!((names(&none).0.len(), none.is_truncated), (0, Some(false)));
    for wrong in [
        ListObjectsV2Input { max_keys: Some(-1), ..asked("", "") },
        ListObjectsV2Input { continuation_token: Some("!".into()), ..asked("", "") },
        ListObjectsV2Input { encoding_type: Some(EncodingType::from_static("xml")), ..asked("", "") },
    ] {
        let error = store.list(wrong).await.unwrap_err();
        assert_eq!(error.code(), &s3s::S3ErrorCode::InvalidArgument);
    }
    let other = ListObjectsV2Input { bucket: "other".into(), ..asked("", "") };
    assert_eq!(store.list(other).await.unwrap_err().code(), &s3s::S3ErrorCode::NoSuchBucket);
}
