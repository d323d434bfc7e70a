//! The upload page and the monitor: embedded, no framework and no CDN.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

const HTML: &str = include_str!("../../../web/index.html");
const MONITOR_HTML: &str = include_str!("../../../web/monitor.html");
const ICON: &str = include_str!("../../../web/icon.svg");

/// Paths and style sheets.
const STYLES: [(&str, &str); 3] = [
    ("/style.css", include_str!("../../../web/style.css")),
    ("/files.css", include_str!("../../../web/files.css")),
    ("/monitor.css", include_str!("../../../web/monitor.css")),
];

/// Paths and modules. Below `/client/` is the published client library.
const SCRIPTS: [(&str, &str); 29] = [
    ("/actions.js", include_str!("../../../web/actions.js")),
    ("/announce.js", include_str!("../../../web/announce.js")),
    ("/app.js", include_str!("../../../web/app.js")),
    ("/ask.js", include_str!("../../../web/ask.js")),
    ("/batch.js", include_str!("../../../web/batch.js")),
    ("/connection.js", include_str!("../../../web/connection.js")),
    ("/describe.js", include_str!("../../../web/describe.js")),
    ("/details.js", include_str!("../../../web/details.js")),
    ("/dom.js", include_str!("../../../web/dom.js")),
    ("/entries.js", include_str!("../../../web/entries.js")),
    ("/figures.js", include_str!("../../../web/figures.js")),
    ("/format.js", include_str!("../../../web/format.js")),
    ("/leftovers.js", include_str!("../../../web/leftovers.js")),
    ("/list.js", include_str!("../../../web/list.js")),
    ("/monitor.js", include_str!("../../../web/monitor.js")),
    ("/picking.js", include_str!("../../../web/picking.js")),
    ("/queue.js", include_str!("../../../web/queue.js")),
    ("/rows.js", include_str!("../../../web/rows.js")),
    ("/service.js", include_str!("../../../web/service.js")),
    ("/words.js", include_str!("../../../web/words.js")),
    ("/client/checksum-worker.js", include_str!("../../../web/client/checksum-worker.js")),
    ("/client/checksum.js", include_str!("../../../web/client/checksum.js")),
    ("/client/errors.js", include_str!("../../../web/client/errors.js")),
    ("/client/explain.js", include_str!("../../../web/client/explain.js")),
    ("/client/index.js", include_str!("../../../web/client/index.js")),
    ("/client/retry.js", include_str!("../../../web/client/retry.js")),
    ("/client/send.js", include_str!("../../../web/client/send.js")),
    ("/client/unfinished.js", include_str!("../../../web/client/unfinished.js")),
    ("/client/upload.js", include_str!("../../../web/client/upload.js")),
];

/// The pages' routes. Their policy allows connections to this origin and to the storage only.
pub(crate) fn router(s3_origin: &str) -> Router {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' {s3_origin}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let html = |text: &'static str| {
        let policy = policy.clone();
        get(move || {
            let policy = policy.clone();
            let page = file(text, "text/html; charset=utf-8");
            async move { ([(header::CONTENT_SECURITY_POLICY, policy)], page) }
        })
    };
    let pages = Router::new()
        .route("/", html(HTML))
        .route("/monitor", html(MONITOR_HTML))
        .route("/icon.svg", get(async || file(ICON, "image/svg+xml")));
    let pages = STYLES.into_iter().fold(pages, |router, (path, style)| {
        router.route(path, get(async move || file(style, "text/css; charset=utf-8")))
    });
    SCRIPTS.into_iter().fold(pages, |router, (path, script)| {
        router.route(path, get(async move || file(script, "text/javascript; charset=utf-8")))
    })
}

fn file(text: &'static str, content_type: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, text)
}
