//! The public URL of a server: scheme, host and port, written as browsers write an origin.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use thiserror::Error;

/// Where clients reach a server, for example `https://files.example.com`.
///
/// It has no path: the API's routes and the signatures of storage requests begin at the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    is_https: bool,
    /// In lower case; an IPv6 address is in brackets.
    host: String,
    /// `None` for the scheme's own port.
    port: Option<u16>,
}

/// The text is not the URL of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must be an http or https URL without a path, such as https://files.example.com")]
pub struct PublicUrlError;

impl PublicUrl {
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_https(&self) -> bool {
        self.is_https
    }
}

/// The origin as browsers serialize it (HTML, section 7.1.1), without a slash at the end.
impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_https { "https" } else { "http" }, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(PublicUrlError)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(PublicUrlError),
        };
        let (host, port) = host_and_port(rest.strip_suffix('/').unwrap_or(rest)).ok_or(PublicUrlError)?;
        let own_port = if is_https { 443 } else { 80 };
        Ok(Self { is_https, host, port: port.filter(|port| *port != own_port) })
    }
}

fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let port = |text: &str| text.parse().ok().filter(|port| *port != 0);
    if let Some(address) = text.strip_prefix('[') {
        let (address, rest) = address.split_once(']')?;
        let host = format!("[{}]", address.parse::<Ipv6Addr>().ok()?);
        return match rest.strip_prefix(':') {
            Some(digits) => Some((host, Some(port(digits)?))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    let (name, port) = match text.split_once(':') {
        Some((name, digits)) => (name, Some(port(digits)?)),
        None => (text, None),
    };
    let is_name = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    is_name.then(|| (name.to_ascii_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_written_as_the_origin_that_browsers_send() {
        for (text, origin, host) in [
            ("https://files.example.com", "https://files.example.com", "files.example.com"),
            ("HTTPS://Files.Example.com/", "https://files.example.com", "files.example.com"),
            ("https://files.example.com:443", "https://files.example.com", "files.example.com"),
            ("https://files.example.com:80", "https://files.example.com:80", "files.example.com"),
            ("http://10.0.0.5:80/", "http://10.0.0.5", "10.0.0.5"),
            ("http://localhost:8000", "http://localhost:8000", "localhost"),
            ("http://[::1]:8000", "http://[::1]:8000", "[::1]"),
            ("https://[2001:DB8:0::1]", "https://[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.host()), (origin, host), "{text}");
            assert_eq!(url.is_https(), origin.starts_with("https:"));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "files.example.com",
            "//files.example.com",
            "ftp://files.example.com",
            "https://",
            "https:///",
            "https://files.example.com/storage",
            "https://files.example.com//",
            "https://files.example.com?x",
            "https://files.example.com#x",
            "https://user@files.example.com",
            "https://files.example.com:",
            "https://files.example.com:0",
            "https://files.example.com:65536",
            "https://files.example.com:443:443",
            "https://*.example.com",
            "https://[::1",
            "https://[files]",
            "https://[::1]x",
            "https://files example.com",
            "https://dätei.example",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(PublicUrlError), "{text}");
        }
    }
}
