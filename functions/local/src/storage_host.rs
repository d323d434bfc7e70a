//! Refuses requests to the storage on a loopback address whose `Host` is neither loopback nor that of
//! `--s3-url`.
//!
//! Every request is signed as well, but a page whose own name resolves to 127.0.0.1 (DNS rebinding) must not
//! get that far.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::options::LocalOptions;

/// The rule for `Host`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StorageHost {
    /// The storage listens on the network, where its names are not known.
    Any,
    /// Loopback names, and `also`.
    Loopback { also: Option<Arc<str>> },
}

impl StorageHost {
    pub(crate) fn of(options: &LocalOptions) -> Self {
        let also = options.s3_url.as_ref().map(|url| url.host().into());
        if options.s3_listen.ip().is_loopback() { Self::Loopback { also } } else { Self::Any }
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
        let named = StorageHost::Loopback { also: Some("files.example".into()) };
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
    }
}
