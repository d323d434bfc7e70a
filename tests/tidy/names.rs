//! A public type's name has one meaning in the workspace, and errors have one suffix.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::sources;

/// What is public in a crate's sources: the name, and where it stands.
fn public_types(path: &Path, text: &str) -> Vec<(String, PathBuf)> {
    let mut found = vec![];
    for line in text.lines() {
        let Some(declared) = line.strip_prefix("pub ") else { continue };
        let Some((kind, rest)) = declared.split_once(' ') else { continue };
        if ["struct", "enum", "trait", "type", "union"].contains(&kind) {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push((name, path.to_owned()));
        }
    }
    found
}

fn is_source(path: &Path) -> bool {
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let rooms = ["shared", "functions", "cli", "bench"];
    is_rust
        && rooms.iter().any(|room| path.starts_with(room))
        && path.components().any(|component| component.as_os_str() == "src")
}

#[test]
fn a_public_type_name_has_one_meaning() {
    let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, text) in sources().iter().filter(|(path, _)| is_source(path)) {
        for (name, place) in public_types(path, text) {
            places.entry(name).or_default().push(place);
        }
    }
    assert!(places.len() > 200, "{}", places.len());
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn errors_end_in_error() {
    let mut n_checked = 0;
    for (path, text) in sources().iter().filter(|(path, _)| is_source(path)) {
        let mut is_error = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[derive(") {
                is_error =
                    line.trim_end_matches(")]").split([' ', ',', '(']).any(|derived| derived == "Error");
            }
            let declared = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let Some((kind, rest)) = declared.split_once(' ') else { continue };
            if !["struct", "enum"].contains(&kind) {
                continue;
            }
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if std::mem::take(&mut is_error) {
                n_checked += 1;
                assert!(name.ends_with("Error"), "`{name}` in {} is an error", path.display());
            }
        }
    }
    assert!(n_checked > 40, "{n_checked}");
}
