//! Ignores the `Range` headers that S3 ignores: several ranges, and what is no range of bytes. It answers 200
//! with the whole object, as RFC 9110, section 14.2, allows; `s3s` 0.14 answers 400.

use axum::extract::Request;
use axum::http::{HeaderMap, header};

use super::guard;

/// Removes a `Range` header that S3 ignores. A signed one stays, because the signature covers it.
pub(super) fn drop_ignored(request: &mut Request) {
    if is_ignored(request.headers()) && !guard::signed_headers(request).contains(header::RANGE.as_str()) {
        request.headers_mut().remove(header::RANGE);
    }
}

fn is_ignored(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let Some(range) = ranges.next() else { return false };
    ranges.next().is_some() || !range.to_str().is_ok_and(is_one_range)
}

fn is_one_range(text: &str) -> bool {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return false;
    };
    let number = |text: &str| -> Option<u64> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| text.parse().ok())?
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) => first <= last,
        (Some(_), None) => last.is_empty(),
        (None, Some(_)) => first.is_empty(),
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn kept(uri: &str, ranges: &[&str]) -> bool {
        let request = Request::builder().uri(uri);
        let request = ranges.iter().fold(request, |request, range| request.header("range", *range));
        let mut request = request.body(Body::empty()).unwrap();
        drop_ignored(&mut request);
        request.headers().contains_key("range")
    }

    #[test]
    fn one_range_is_kept_and_everything_else_is_ignored() {
        for range in ["bytes=0-0", "bytes=5-", "bytes=-5", "bytes=2-99999999999"] {
            assert!(kept("/b/k", &[range]), "{range}");
        }
        for range in [
            "bytes=0-1,3-4",
            "bytes=0-1, -5",
            "bytes=5-2",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "lines=1-2",
            "",
        ] {
            assert!(!kept("/b/k", &[range]), "{range}");
        }
        assert!(!kept("/b/k", &["bytes=0-1", "bytes=3-4"]));
        let signed = "/b/k?X-Amz-SignedHeaders=host%3Brange&X-Amz-Signature=0";
        assert!(kept(signed, &["bytes=0-1,3-4"]), "the range cannot be removed");
    }
}
