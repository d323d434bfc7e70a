//! The URLs by which clients reach the service, and the combinations of them that no browser could use.

use std::net::SocketAddr;

use anyhow::bail;
use settings::Auth;

use crate::options::LocalOptions;
use crate::storage::Storage;

/// Where clients reach the service.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    /// The API's address on this machine.
    pub(crate) url: String,
    /// The URL by which clients reach the page and the API.
    pub(crate) public_url: String,
    /// The storage's address on this machine.
    pub(crate) s3_url: String,
    /// The URL by which clients reach the storage.
    pub(crate) s3_public_url: String,
    /// The page's origin: by address, by name, and as `PUBLIC_URL` has it.
    pub(crate) page_origins: Vec<String>,
}

impl Addresses {
    /// With the bound addresses, whose ports are known.
    pub(crate) fn of(api: SocketAddr, s3: SocketAddr, options: &LocalOptions) -> Self {
        let (url, s3_url) = (url_on_this_machine(api), url_on_this_machine(s3));
        let public_url = options.public_url.as_ref().map_or_else(|| url.clone(), ToString::to_string);
        Self {
            page_origins: vec![
                url.clone(),
                format!("http://localhost:{}", api.port()),
                format!("http://{api}"),
                public_url.clone(),
            ],
            url,
            public_url,
            s3_public_url: options.s3_url.as_ref().map_or_else(|| s3_url.clone(), ToString::to_string),
            s3_url,
        }
    }
}

/// A server that listens on all addresses is reached by the loopback one, and not by `0.0.0.0`.
fn url_on_this_machine(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("http://127.0.0.1:{port}"),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("http://[::1]:{port}"),
        address => format!("http://{address}"),
    }
}

/// Refuses addresses and URLs with which the service would be open to everyone, or its page could not upload.
pub(crate) fn check(options: &LocalOptions, storage: &Storage) -> anyhow::Result<()> {
    let LocalOptions { listen, s3_listen, public_url, s3_url, auth, .. } = options;
    // Without tokens, every client that can connect is the owner of every file.
    if *auth == Auth::None && !listen.ip().is_loopback() {
        bail!("`--listen {listen}` (`LISTEN`) is not a loopback address: it needs `--auth jwt` (`AUTH`)");
    }
    let on_network = public_url.as_ref().filter(|url| !web::is_loopback(url.host()));
    if let Some(url) = on_network.filter(|_| *auth == Auth::None) {
        bail!("`--public-url {url}` (`PUBLIC_URL`) is not a loopback name: it needs `--auth jwt` (`AUTH`)");
    }
    if let Storage::Bucket(name) = storage {
        // The page's policy names the origins that it may connect to, so it must be known.
        if s3_url.is_none() {
            bail!(
                "with `STORAGE_TYPE=s3`, clients upload to the bucket: set `--s3-url` (`S3_URL`) to its URL, \
                 such as https://{name}.s3.REGION.amazonaws.com"
            );
        }
        return Ok(());
    }
    match (s3_url, on_network) {
        (None, _) if s3_listen.ip().is_unspecified() => bail!(
            "clients cannot connect to `--s3-listen {s3_listen}` (`S3_LISTEN`): set `--s3-url` (`S3_URL`) to \
             the URL by which they reach the storage"
        ),
        (None, Some(url)) if s3_listen.ip().is_loopback() => bail!(
            "the page at `--public-url {url}` (`PUBLIC_URL`) uploads to the storage: set `--s3-url` \
             (`S3_URL`) to the URL by which clients reach it"
        ),
        (Some(s3), Some(url)) if url.is_https() && !s3.is_https() => bail!(
            "browsers do not let the page at {url} upload to {s3}: `--s3-url` (`S3_URL`) must be an https \
             URL, too"
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Source;
    use crate::options::Tuning;

    fn options(listen: &str, s3_listen: &str, urls: [&str; 2], auth: Auth) -> LocalOptions {
        LocalOptions {
            data_dir: "data".into(),
            listen: listen.parse().unwrap(),
            s3_listen: s3_listen.parse().unwrap(),
            public_url: urls[0].parse().ok(),
            s3_url: urls[1].parse().ok(),
            auth,
            definitions: Source::TestSet,
            tuning: Tuning::default(),
        }
    }

    const HERE: [&str; 2] = ["127.0.0.1:8000", "127.0.0.1:8001"];
    const EVERYWHERE: [&str; 2] = ["0.0.0.0:8000", "[::]:8001"];

    #[test]
    fn urls_that_no_browser_could_use_are_refused() {
        let (page, storage, plain) = ("https://files.example", "https://s3.example", "http://s3.example");
        for (listen, urls, auth, expected) in [
            (HERE, ["", ""], Auth::None, "ok"),
            (HERE, ["https://localhost:8443", ""], Auth::None, "ok"),
            (
                HERE,
                [page, storage],
                Auth::None,
                "`--public-url https://files.example` (`PUBLIC_URL`) is not a loopback",
            ),
            (EVERYWHERE, ["", ""], Auth::None, "`--listen 0.0.0.0:8000` (`LISTEN`) is not a loopback"),
            (HERE, [page, storage], Auth::Jwt, "ok"),
            (EVERYWHERE, [page, storage], Auth::Jwt, "ok"),
            (EVERYWHERE, ["", storage], Auth::Jwt, "ok"),
            (EVERYWHERE, [page, ""], Auth::Jwt, "clients cannot connect to `--s3-listen [::]:8001`"),
            (
                HERE,
                [page, ""],
                Auth::Jwt,
                "the page at `--public-url https://files.example` (`PUBLIC_URL`) uploads",
            ),
            (HERE, [page, plain], Auth::Jwt, "(`S3_URL`) must be an https URL"),
            (HERE, ["http://files.example", plain], Auth::Jwt, "ok"),
        ] {
            let options = options(listen[0], listen[1], urls, auth);
            let found = check(&options, &Storage::Directory);
            let found = found.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
            assert!(found.contains(expected), "{listen:?} {urls:?} {auth:?}: {found}");
        }
        let bucket = Storage::Bucket("b".into());
        assert!(check(&options(HERE[0], EVERYWHERE[1], [page, storage], Auth::Jwt), &bucket).is_ok());
        let error = check(&options(HERE[0], HERE[1], ["", ""], Auth::Jwt), &bucket).unwrap_err();
        assert!(error.to_string().contains("(`S3_URL`) to its URL, such as https://b.s3."), "{error}");
    }

    #[test]
    fn printed_addresses_can_be_opened() {
        let of = |listen: [&str; 2], urls: [&str; 2]| {
            let options = options(listen[0], listen[1], urls, Auth::Jwt);
            Addresses::of(options.listen, options.s3_listen, &options)
        };
        let here = of(HERE, ["", ""]);
        assert_eq!(
            (here.url.as_str(), here.public_url.as_str()),
            ("http://127.0.0.1:8000", here.url.as_str())
        );
        let everywhere = of(EVERYWHERE, ["https://files.example/", "https://s3.example"]);
        assert_eq!(
            (everywhere.url.as_str(), everywhere.s3_url.as_str()),
            (here.url.as_str(), "http://[::1]:8001")
        );
        assert_eq!(everywhere.public_url, "https://files.example");
        assert_eq!(everywhere.s3_public_url, "https://s3.example");
        assert!(everywhere.page_origins.contains(&everywhere.public_url), "the page may upload");
    }
}
