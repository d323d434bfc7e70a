//! The addresses, the directory and the access of the service on one machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::declare::subject;
use crate::parse;
use crate::public_url::PublicUrl;

/// Who may call the API of the service on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Every client that reaches a loopback address is the user `local`.
    None,
    /// Holders of a token that [`crate::IdentitySettings`] verify.
    Jwt,
}

subject! {
    /// The service on one machine. Each variable has an option of `airlock local` beside it, named alike
    /// (`DATA_DIR`, `--data-dir`), which takes precedence.
    pub struct HostSettings: "The service on one machine" {
        /// The directory for files, records and secrets.
        data_dir: PathBuf = defaulted "DATA_DIR" {
            default: "data",
            allowed: "a path",
            parse: parse::path,
        }
        /// The address on which the page and the API listen.
        listen: SocketAddr = defaulted "LISTEN" {
            default: "127.0.0.1:8000",
            allowed: "an IP address and a port; one that is not loopback needs `AUTH=jwt`",
            parse: parse::socket_address,
        }
        /// The address on which the storage listens.
        s3_listen: SocketAddr = defaulted "S3_LISTEN" {
            default: "127.0.0.1:8001",
            allowed: "an IP address and a port",
            parse: parse::socket_address,
        }
        /// The URL by which clients reach the page and the API. The page there may upload to the storage
        /// without being listed in `ALLOWED_ORIGINS`.
        public_url: Option<PublicUrl> = optional "PUBLIC_URL" {
            default: "the address of `LISTEN`",
            allowed: "an http or https URL without a path, such as `https://files.example.com`",
            parse: parse::public_url,
        }
        /// The URL by which clients reach the storage; with `STORAGE_TYPE=s3`, which needs it, that of the
        /// bucket, which the page then connects to.
        s3_url: Option<PublicUrl> = optional "S3_URL" {
            default: "the address of `S3_LISTEN`",
            allowed: "an http or https URL without a path, such as `https://files.example.com`",
            parse: parse::public_url,
        }
        /// Who may use the API: every user of this machine (`none`), or holders of a token (`jwt`).
        auth: Auth = defaulted "AUTH" {
            default: "none",
            allowed: "`none` or `jwt`",
            parse: auth,
        }
        /// Where virus definitions come from: `auto` (freshclam, else the test set), `test`, or a directory.
        definitions: String = defaulted "DEFINITIONS" {
            default: "auto",
            allowed: "`auto`, `test` or a path",
            parse: parse::text,
        }
    }
}

fn auth(value: &str) -> Option<Auth> {
    match value {
        "none" => Some(Auth::None),
        "jwt" => Some(Auth::Jwt),
        _ => None,
    }
}
