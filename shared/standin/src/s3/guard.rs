//! Refuses requests that AWS S3 refuses and `s3s` 0.14 accepts.
//!
//! S3 answers 403 to any `x-amz-*` header that is not signed. Without this a presigned PUT can be sent with
//! `x-amz-copy-source` and read any object as the signer (MinIO CVE-2026-97731, Ceph CVE-2026-54330, and
//! others).

use std::collections::BTreeSet;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use percent_encoding::percent_decode_str;

use super::error;

const SIGNATURE: &str = "X-Amz-Signature";
/// The signature of version 2, which Airlock does not use and `s3s` reads first. It names no headers.
const SIGNATURE_2: &str = "Signature";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";

/// The answer to a request that carries an unsigned `x-amz-*` header, or more than one signature; `None` for
/// any other.
pub(super) fn refusal(request: &Request) -> Option<Response> {
    if n_signatures(request) > 1 {
        let message =
            "a request carries one signature: in its form, in its query or in its `authorization` header";
        return Some(error::answer(StatusCode::BAD_REQUEST, "InvalidArgument", message));
    }
    let signed = signed_headers(request);
    let unsigned = request
        .headers()
        .keys()
        .find(|name| name.as_str().starts_with("x-amz-") && !signed.contains(name.as_str()))?;
    Some(error::access_denied(&format!("the header `{unsigned}` is not signed")))
}

/// The names that the signature covers. They are read where `s3s` reads the signature, and nowhere else: a
/// form's signature covers its fields and no header, a presigned URL names headers in its query, any other
/// request in `authorization`.
pub(super) fn signed_headers(request: &Request) -> BTreeSet<String> {
    let list = if is_form(request) || has(request.uri(), SIGNATURE_2) {
        None
    } else if has(request.uri(), SIGNATURE) {
        in_query(request.uri(), SIGNED_HEADERS).into_iter().next()
    } else {
        in_authorization(request.headers())
    };
    let list = list.unwrap_or_default();
    list.split(';').filter(|name| !name.is_empty()).map(str::to_lowercase).collect()
}

/// Returns whether the body is a POST form, which contains its own signature. Decides as `s3s` does.
pub(super) fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    request.method() == Method::POST && essence.eq_ignore_ascii_case("multipart/form-data")
}

fn has(uri: &Uri, name: &str) -> bool {
    !in_query(uri, name).is_empty()
}

/// A form counts as a signature, since that is what `s3s` verifies; so does a second list of signed headers.
fn n_signatures(request: &Request) -> usize {
    let n_in_query = |name| in_query(request.uri(), name).len();
    usize::from(is_form(request))
        + (n_in_query(SIGNATURE) + n_in_query(SIGNATURE_2)).max(n_in_query(SIGNED_HEADERS))
        + request.headers().get_all(header::AUTHORIZATION).iter().count()
}

/// Returns the values of one parameter, decoded as `s3s` decodes them.
fn in_query(uri: &Uri, name: &str) -> Vec<String> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(|(key, _)| decode(key) == name).map(|(_, value)| decode(value)).collect()
}

fn in_authorization(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    text.split(&[',', ' '][..]).find_map(|part| part.strip_prefix("SignedHeaders=")).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-amz-date, Signature=0";
    const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=b");

    fn refused(method: Method, uri: &str, headers: &[(&str, &str)]) -> Option<StatusCode> {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        refusal(&request.body(Body::empty()).unwrap()).map(|response| response.status())
    }

    fn is_refused(uri: &str, headers: &[(&str, &str)]) -> bool {
        refused(Method::PUT, uri, headers).is_some()
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
        assert!(!is_refused("/b/k", &[("authorization", AUTHORIZATION), ("x-amz-date", "d")]));
        assert!(is_refused("/b/k", &[("authorization", AUTHORIZATION), ("x-amz-acl", "d")]));
    }

    #[test]
    fn only_the_signature_that_is_verified_names_signed_headers() {
        let acl = ("x-amz-acl", "public-read");
        let names_acl = "/b?X-Amz-SignedHeaders=host%3Bx-amz-acl";
        // A form's signature covers no header, whatever the query or another header says.
        let no_form = ("content-type", "text/plain");
        for kind in [FORM.1, "Multipart/Form-Data;boundary=b", "multipart/form-data ; boundary=b"] {
            let form = ("content-type", kind);
            assert_eq!(refused(Method::POST, "/b", &[form]), None, "{kind}");
            for uri in ["/b", names_acl, "/b?X%2DAmz-SignedHeaders=x-amz-acl"] {
                assert!(refused(Method::POST, uri, &[form, acl]).is_some(), "{kind} {uri}");
            }
        }
        // Nor does a query without a signature.
        for uri in [names_acl, "/b/k?Signature=0&X-Amz-SignedHeaders=x-amz-acl"] {
            assert_eq!(refused(Method::PUT, uri, &[no_form, acl]), Some(StatusCode::FORBIDDEN), "{uri}");
        }
        let signed = format!("{names_acl}&X-Amz-Signature=0");
        assert_eq!(refused(Method::PUT, &signed, &[acl]), None);
        assert_eq!(refused(Method::POST, &signed, &[no_form, acl]), None, "a POST that is no form");
    }

    #[test]
    fn two_signatures_are_refused() {
        let authorization = ("authorization", AUTHORIZATION);
        let presigned = "/b/k?X-Amz-SignedHeaders=host&X-Amz-Signature=0";
        for (method, uri, headers) in [
            (Method::PUT, presigned, vec![authorization]),
            (Method::PUT, "/b/k", vec![authorization, authorization]),
            (Method::POST, presigned, vec![FORM]),
            (Method::POST, "/b", vec![FORM, authorization]),
            (
                Method::PUT,
                "/b/k?X-Amz-SignedHeaders=host&X-Amz-Signature=0&X-Amz-SignedHeaders=x-amz-acl",
                vec![],
            ),
            (Method::PUT, "/b/k?X-Amz-Signature=0&X-Amz%2DSignature=1", vec![]),
            (Method::PUT, "/b/k?X-Amz-Signature=0&Signature=1", vec![]),
        ] {
            let found = refused(method.clone(), uri, &headers);
            assert_eq!(found, Some(StatusCode::BAD_REQUEST), "{method} {uri} {headers:?}");
        }
        assert_eq!(refused(Method::PUT, presigned, &[]), None);
    }
}
