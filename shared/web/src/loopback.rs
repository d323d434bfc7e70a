//! Protects a loopback service without tokens from web pages in the user's browser, which could reach it by a
//! name that resolves to 127.0.0.1 (DNS rebinding) or by posting a form across sites.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Whether the rules for loopback without tokens apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoopbackOnly {
    /// The origins that the operator configured are accepted like the service's own.
    Yes {
        allowed_origins: Arc<[String]>,
    },
    No,
}

/// Uppy's protocol starts an upload with a GET, so no method counts as safe below this path.
const UPPY: &str = "/uppy/";

/// Middleware: requires a loopback name in `Host`. A request with an unsafe method also needs the service's
/// own `Origin` or an allowed one; without `Origin`, its `Sec-Fetch-Site` must not name another site.
pub async fn loopback_only(State(rule): State<LoopbackOnly>, request: Request, next: Next) -> Response {
    let LoopbackOnly::Yes { allowed_origins } = rule else { return next.run(request).await };
    let is_safe = request.method().is_safe() && !request.uri().path().starts_with(UPPY);
    match check(request.headers(), request.uri().authority(), is_safe, &allowed_origins) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(
    headers: &HeaderMap,
    authority: Option<&Authority>,
    is_safe: bool,
    allowed_origins: &[String],
) -> Result<(), ApiError> {
    let host = asked_host(headers, authority).filter(|host| is_loopback(host.host()));
    let host = host.ok_or(ApiError::HostNotAllowed)?;
    let is_ours = match headers.get(header::ORIGIN).map(axum::http::HeaderValue::as_bytes) {
        Some(origin) => {
            origin == format!("http://{host}").as_bytes()
                || allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin)
        }
        // Browsers omit `Origin` from a page's `no-cors` GET, but send `Sec-Fetch-Site` (Fetch Metadata,
        // W3C).
        None => !headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none"),
    };
    if is_safe || is_ours { Ok(()) } else { Err(ApiError::CrossOrigin) }
}

/// Returns the authority that a request was sent to: `Host`, or without it the authority of the request line.
pub fn asked_host(headers: &HeaderMap, authority: Option<&Authority>) -> Option<Authority> {
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    host.or_else(|| authority.cloned())
}

/// Returns whether a host is a loopback address, or a name that browsers resolve to one (RFC 6761, section
/// 6.3).
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_address = bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_address || host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: &str, origin: Option<&str>, is_safe: bool) -> &'static str {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let allowed = ["http://localhost:5173".to_owned()];
        check(&headers, None, is_safe, &allowed).map_or_else(|error| error.row().1.as_str(), |()| "ok")
    }

    #[test]
    fn only_loopback_names_and_same_origins_pass() {
        for host in
            ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.9.9.9", "a.localhost:1"]
        {
            assert_eq!(verdict(host, None, false), "ok", "{host}");
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "0.0.0.0:8000",
            "localhostx",
        ] {
            assert_eq!(verdict(host, None, true), "host_not_allowed", "{host}");
        }
        let host = "127.0.0.1:8000";
        for origin in ["http://127.0.0.1:8000", "http://localhost:5173"] {
            assert_eq!(verdict(host, Some(origin), false), "ok", "{origin}");
        }
        for origin in [
            "http://evil.example",
            "http://127.0.0.1:9000",
            "https://127.0.0.1:8000",
            "http://localhost:8000",
            "null",
        ] {
            assert_eq!(verdict(host, Some(origin), false), "cross_origin", "{origin}");
            assert_eq!(verdict(host, Some(origin), true), "ok", "{origin}");
        }
    }

    #[test]
    fn without_an_origin_the_browser_says_where_a_request_comes_from() {
        for (site, expected) in [
            ("cross-site", "cross_origin"),
            ("same-site", "cross_origin"),
            ("same-origin", "ok"),
            ("none", "ok"),
        ] {
            let headers = [("host", "127.0.0.1:8000"), ("sec-fetch-site", site)];
            let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            let found = check(&headers.into_iter().collect(), None, false, &[]);
            assert_eq!(found.map_or_else(|error| error.row().1.as_str(), |()| "ok"), expected, "{site}");
        }
    }
}
