//! Parsers of arguments, whose errors say what is expected.

use std::time::Duration;

use domain::id::{FileId, Sha256};
use domain::timestamp::Timestamp;
use reqwest::Url;

/// The URL of a service or an origin, without a slash at its end.
pub(crate) fn base_url(text: &str) -> Result<String, String> {
    const EXPECTED: &str = "expected a URL such as https://airlock.example.com";
    let url = Url::parse(text).map_err(|_| EXPECTED.to_owned())?;
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    if is_http { Ok(text.trim_end_matches('/').to_owned()) } else { Err(EXPECTED.to_owned()) }
}

/// A file's id, in the one spelling that the service knows.
pub(crate) fn file_id(text: &str) -> Result<String, String> {
    let expected =
        "expected a file's id such as 0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e: `airlock ls` lists them";
    let id = FileId::parse(&text.trim().to_lowercase()).map_err(|_| expected.to_owned())?;
    Ok(id.to_string())
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => Err("expected a whole number of seconds, such as 900".to_owned()),
    }
}

pub(crate) fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("expected a whole number from 1 on, such as 20".to_owned()),
    }
}

pub(crate) fn digest(text: &str) -> Result<String, String> {
    let text = text.to_lowercase();
    match Sha256::parse(&text) {
        Ok(_) => Ok(text),
        Err(_) => {
            Err("expected a SHA-256 digest: 64 hexadecimal digits, as `sha256sum` prints them".to_owned())
        }
    }
}

pub(crate) fn time(text: &str) -> Result<String, String> {
    match Timestamp::parse_rfc3339(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("expected a time in RFC 3339, such as 2026-01-31T12:00:00Z".to_owned()),
    }
}

/// The ARN of one role: a pattern would except more principals than the operator names.
pub(crate) fn role_arn(text: &str) -> Result<String, String> {
    let is_role = text.starts_with("arn:aws") && text.contains(":iam::") && text.contains(":role/");
    if is_role && !text.contains(['*', '?', '$', ',']) {
        Ok(text.to_owned())
    } else {
        Err("expected a role such as arn:aws:iam::123456789012:role/scan, without * ? $".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_told_what_is_expected() {
        for (refused, expected) in [
            (base_url("localhost:8000").err(), "https://airlock.example.com"),
            (base_url("nowhere").err(), "https://airlock.example.com"),
            (file_id("../health").err(), "airlock ls"),
            (seconds("1m").err(), "900"),
            (count("0").err(), "from 1 on"),
            (digest("abc").err(), "64 hexadecimal digits"),
            (role_arn("*").err(), "role/scan"),
            (role_arn("arn:aws:iam::123456789012:role/*").err(), "role/scan"),
            (time("yesterday").err(), "2026-01-31T12:00:00Z"),
        ] {
            let refused = refused.unwrap();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn what_people_paste_is_accepted() {
        assert_eq!(base_url("http://127.0.0.1:8000/").unwrap(), "http://127.0.0.1:8000");
        assert_eq!(base_url("https://x.example/api/").unwrap(), "https://x.example/api");
        let id = "0b8ca67e-2bd5-4a9d-9b1c-1f6a7b8c9d0e";
        assert_eq!(file_id(&format!(" {}\n", id.to_uppercase())).unwrap(), id);
        assert_eq!(seconds("0").unwrap(), Duration::ZERO);
    }
}
