//! Without tokens, who else could be talking to us? Any web page in the user's browser: by a name that points to 127.0.0.1
//! (DNS rebinding), or by a form that it posts across sites.

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Whether the rules for loopback without tokens apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoopbackOnly {
    Yes,
    No,
}

/// Middleware: `Host` must be a loopback name; unsafe methods need a same-origin or absent `Origin`.
pub async fn loopback_only(State(rule): State<LoopbackOnly>, request: Request, next: Next) -> Response {
    if rule == LoopbackOnly::No {
        return next.run(request).await;
    }
    match check(request.headers(), request.uri().authority(), request.method().is_safe()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn check(headers: &HeaderMap, authority: Option<&Authority>, is_safe: bool) -> Result<(), ApiError> {
    let host =
        headers.get(header::HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let host: Authority = host.or_else(|| authority.cloned()).ok_or(ApiError::HostNotAllowed)?;
    if !is_loopback(host.host()) {
        return Err(ApiError::HostNotAllowed);
    }
    let origin = headers.get(header::ORIGIN);
    let is_same_origin = origin.is_none_or(|origin| origin.as_bytes() == format!("http://{host}").as_bytes());
    if is_safe || is_same_origin { Ok(()) } else { Err(ApiError::CrossOrigin) }
}

fn is_loopback(host: &str) -> bool {
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
        check(&headers, None, is_safe).map_or_else(|error| error.row().1, |()| "ok")
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
        assert_eq!(verdict(host, Some("http://127.0.0.1:8000"), false), "ok");
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
}
