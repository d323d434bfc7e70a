//! Finds the origin under which the client reached the API, for answers that contain an absolute URL.

use std::fmt;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use settings::PublicUrl;
use web::ApiError;

/// The operator's [`PublicUrl`], which the process passes as a request extension, or else the scheme and host
/// that this request was sent to. The client controls those, so they appear only in the answer to this
/// client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicOrigin(String);

impl fmt::Display for PublicOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PublicOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        if let Some(url) = parts.extensions.get::<PublicUrl>() {
            return Ok(Self(url.to_string()));
        }
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let host = header(header::HOST).and_then(|host| host.parse::<Authority>().ok());
        let host = host.or_else(|| parts.uri.authority().cloned()).ok_or(ApiError::HostNotAllowed)?;
        // API Gateway and other proxies set this header to the scheme that the client used.
        let is_secure = parts.headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
        Ok(Self(format!("{}://{host}", if is_secure { "https" } else { "http" })))
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;

    use super::*;

    async fn origin(headers: &[(&str, &str)]) -> Option<String> {
        let request =
            headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        PublicOrigin::from_request_parts(&mut parts, &()).await.ok().map(|origin| origin.to_string())
    }

    #[tokio::test]
    async fn the_origin_is_the_scheme_and_host_that_the_client_used() {
        assert_eq!(origin(&[("host", "127.0.0.1:8000")]).await.unwrap(), "http://127.0.0.1:8000");
        let proxied = [("host", "api.example.com"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(&proxied).await.unwrap(), "https://api.example.com");
        assert_eq!(origin(&[]).await, None);
        assert_eq!(origin(&[("host", "a b")]).await, None);
    }
    #[tokio::test]
    async fn a_configured_url_replaces_what_the_client_used() {
        let url: PublicUrl = "https://files.example".parse().unwrap();
        let request = Request::builder().header("host", "127.0.0.1:8000").extension(url.clone());
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let origin = PublicOrigin::from_request_parts(&mut parts, &()).await.unwrap();
        assert_eq!(origin.to_string(), url.to_string());
    }
}
