//! Searches for traces of a secret: as it is, and in the encodings that only disguise it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Collects what was searched for one secret, and where it was found.
pub(crate) struct Traces {
    forms: Vec<Vec<u8>>,
    /// Places, with the number of bytes that were searched there.
    pub(crate) searched: Vec<(String, usize)>,
    pub(crate) found: Vec<String>,
}

impl Traces {
    /// The secret has letters, figures and hyphens only, so that neither JSON nor a URL changes it.
    pub(crate) fn of(secret: &str) -> Self {
        Self { forms: forms(secret), searched: vec![], found: vec![] }
    }

    pub(crate) fn search(&mut self, place: &str, bytes: &[u8]) {
        self.searched.push((place.to_owned(), bytes.len()));
        if self.forms.iter().any(|form| memchr::memmem::find(bytes, form).is_some()) {
            self.found.push(place.to_owned());
        }
    }

    pub(crate) fn search_directory(&mut self, when: &str, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                self.search_directory(when, &path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                self.search(&format!("{when}: {}", path.display()), &bytes);
            }
        }
    }

    /// Sends a request, searches the answer, and returns it.
    pub(crate) async fn answer(&mut self, place: &str, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        self.search(place, format!("{:?}", answer.headers()).as_bytes());
        let body = answer.bytes().await.unwrap();
        self.search(place, &body);
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// How many bytes were searched in the places whose name contains `part`.
    pub(crate) fn n_bytes(&self, part: &str) -> usize {
        self.searched.iter().filter(|(place, _)| place.contains(part)).map(|(_, n_bytes)| n_bytes).sum()
    }
}

/// What is searched for: the secret as it is, and as base64, hexadecimal, UTF-16 and a list of numbers.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    // Base64 of something that has it anywhere: the digits that do not depend on what stands around it.
    let in_base64 = |n_before: usize| {
        let digits = STANDARD.encode([&vec![b' '; n_before], bytes].concat());
        digits.as_bytes()[(n_before * 8).div_ceil(6)..digits.len() - 4].to_vec()
    };
    let wide = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hexadecimal = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    let numbers = bytes.iter().map(u8::to_string).collect::<Vec<_>>();
    vec![
        bytes.to_vec(),
        in_base64(0),
        in_base64(1),
        in_base64(2),
        wide,
        hexadecimal.concat().into_bytes(),
        hexadecimal.concat().to_uppercase().into_bytes(),
        numbers.join(", ").into_bytes(),
        numbers.join(",").into_bytes(),
        bytes.iter().rev().copied().collect(),
    ]
}

#[test]
fn a_disguised_secret_is_found() {
    let secret = "planted-Kennwort-90d2";
    let record = format!("{{\"password\":\"{secret}\"}}");
    let wide = record.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let hexadecimal =
        record.bytes().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat().into_bytes();
    let debug = format!("{:?}", record.as_bytes()).into_bytes();
    let numbers = serde_json::to_vec(record.as_bytes()).unwrap();
    let encoded = (0..3).map(|n_before| STANDARD.encode("x".repeat(n_before) + &record).into_bytes());
    let plain = [record.clone().into_bytes(), wide, hexadecimal, debug, numbers];
    for text in plain.into_iter().chain(encoded) {
        // As a function's log has it, among other lines.
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("logs")).unwrap();
        let log = [&b"{\"level\":\"INFO\"}\n"[..], &text, b"\n"].concat();
        std::fs::write(directory.path().join("logs/scan"), log).unwrap();
        std::fs::write(directory.path().join("logs/api"), b"{\"password\":\"another\"}").unwrap();
        let mut traces = Traces::of(secret);
        traces.search_directory("planted", directory.path());
        assert_eq!(traces.searched.len(), 2);
        let [found] = &traces.found[..] else {
            panic!("{}: {:?}", String::from_utf8_lossy(&text), traces.found)
        };
        assert!(found.ends_with("/logs/scan"), "{found}");
    }
}
