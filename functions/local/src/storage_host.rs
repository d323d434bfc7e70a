//! Refuses requests to the storage on a loopback address whose `Host` is neither loopback nor that of
//! `--s3-url`.
//!
//! Every request is signed as well, but a page whose own name resolves to 127.0.0.1 (DNS rebinding) must not
//! get that far.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::Response;

use crate::settings::Settings;

/// The rule for `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorageHost {
    /// The storage listens on the network, where its names are not known.
    Any,
    /// Loopback names, and `also`.
    Loopback { also: Option<Arc<str>> },
}

impl StorageHost {
    /// Errors: `--s3-url` is not an absolute http or https URL.
    pub(crate) fn of(settings: &Settings) -> anyhow::Result<Self> {
        let also = settings.s3_url.as_deref().map(host_of).transpose()?;
        Ok(if settings.s3_listen.ip().is_loopback() { Self::Loopback { also } } else { Self::Any })
    }

    fn allows(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Loopback { also } => {
                web::is_loopback(host) || also.as_deref().is_some_and(|also| host.eq_ignore_ascii_case(also))
            }
        }
    }
}

fn host_of(url: &str) -> anyhow::Result<Arc<str>> {
    let parsed: Uri = url.parse().with_context(|| format!("`--s3-url {url}` is not a URL"))?;
    match (parsed.scheme_str(), parsed.host()) {
        (Some("http" | "https"), Some(host)) => Ok(host.into()),
        _ => bail!("`--s3-url {url}` is not a URL such as https://files.example"),
    }
}

/// Middleware: refuses requests to another name.
pub(crate) async fn check(State(rule): State<StorageHost>, request: Request, next: Next) -> Response {
    let host = web::asked_host(request.headers(), request.uri().authority());
    if host.is_some_and(|host| rule.allows(host.host())) {
        return next.run(request).await;
    }
    standin::s3::access_denied(
        "this storage answers to loopback names, and to the one that `--s3-url` gives it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_are_refused_on_loopback() {
        let named = StorageHost::Loopback { also: Some(host_of("https://files.example:8443/").unwrap()) };
        let plain = StorageHost::Loopback { also: None };
        for (host, in_plain, in_named) in [
            ("127.0.0.1", true, true),
            ("localhost", true, true),
            ("[::1]", true, true),
            ("files.example", false, true),
            ("FILES.example", false, true),
            ("evil.test", false, false),
            ("127.0.0.1.evil.test", false, false),
            ("a.files.example", false, false),
        ] {
            assert_eq!((plain.allows(host), named.allows(host)), (in_plain, in_named), "{host}");
            assert!(StorageHost::Any.allows(host));
        }
        for wrong in ["files.example", "/files", "ftp://files.example", "https://", ""] {
            assert!(host_of(wrong).is_err(), "{wrong}");
        }
    }
}
