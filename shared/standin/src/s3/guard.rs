//! What does AWS S3 refuse that `s3s` 0.14 lets through?
//!
//! S3 answers 403 to any `x-amz-*` header that is not signed. Without this a presigned PUT can be sent with
//! `x-amz-copy-source` and read any object as the signer (MinIO CVE-2026-97731, Ceph CVE-2026-54330, and others).

use std::collections::BTreeSet;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

/// The answer to a request that carries an unsigned `x-amz-*` header; `None` when there is no such header.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    let signed = signed_headers(request.uri(), request.headers());
    let unsigned = request
        .headers()
        .keys()
        .find(|name| name.as_str().starts_with("x-amz-") && !signed.contains(name.as_str()));
    unsigned.map(|_| access_denied("There were headers present in the request which were not signed"))
}

/// The names that the signature covers: from the query of a presigned URL, or from the authorization header.
fn signed_headers(uri: &Uri, headers: &HeaderMap) -> BTreeSet<String> {
    let in_query =
        uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("X-Amz-SignedHeaders="));
    let in_query = in_query.map(|list| percent_decode_str(list).decode_utf8_lossy().into_owned());
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let in_header = authorization.split(&[',', ' '][..]).find_map(|part| part.strip_prefix("SignedHeaders="));
    let list = in_query.or_else(|| in_header.map(ToOwned::to_owned)).unwrap_or_default();
    list.split(';').map(str::to_lowercase).collect()
}

fn access_denied(message: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    );
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_refused(uri: &str, headers: &[(&str, &str)]) -> bool {
        let request = headers
            .iter()
            .fold(Request::builder().uri(uri), |request, (name, value)| request.header(*name, *value));
        refusal(&request.body(Body::empty()).unwrap()).is_some()
    }

    #[test]
    fn unsigned_amazon_headers_are_refused() {
        let presigned = "/b/k?X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256&X-Amz-Signature=0";
        assert!(!is_refused(presigned, &[("x-amz-checksum-sha256", "x"), ("content-type", "a/b")]));
        for name in [
            "x-amz-copy-source",
            "x-amz-tagging",
            "x-amz-acl",
            "x-amz-website-redirect-location",
            "x-amz-storage-class",
            "x-amz-meta-a",
            "x-amz-grant-read",
            "x-amz-object-lock-mode",
            "x-amz-server-side-encryption",
            "x-amz-copy-source-range",
            "x-amz-security-token",
            "x-amz-expected-bucket-owner",
        ] {
            assert!(is_refused(presigned, &[(name, "x")]), "{name}");
            assert!(is_refused("/b", &[(name, "x")]), "{name} without a signature");
        }
        let authorization = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0";
        assert!(!is_refused("/b/k", &[("authorization", authorization), ("x-amz-date", "d")]));
        assert!(is_refused("/b/k", &[("authorization", authorization), ("x-amz-acl", "d")]));
    }
}
