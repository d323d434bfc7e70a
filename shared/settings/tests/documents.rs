//! Checks that the tables in the documentation are those generated from the declarations. `UPDATE=1` writes
//! them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use settings::{AWS, IncomingSettings, Presence, ProtectedSettings, SUBJECTS, Variable, tables};

/// The settings that a new user needs; docs/settings.md lists all.
const FIRST: [&str; 10] = [
    "STORAGE_TYPE",
    "MAX_FILE_SIZE",
    "ALLOWED_EXTENSIONS",
    "FILE_RETENTION_DAYS",
    "DOWNLOAD_LINK_EXPIRE_HOURS",
    "ALLOWED_ORIGINS",
    "ENGINE",
    "DEFINITIONS_MAX_AGE_DAYS",
    "QUARANTINE",
    "DEBUG",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn variables() -> impl Iterator<Item = &'static Variable> {
    SUBJECTS.iter().flat_map(|subject| subject.variables)
}

#[expect(clippy::disallowed_methods, reason = "set by hand to rewrite the documents")]
fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

#[track_caller]
fn check(document: &str, generated: &str) {
    let path = root().join(document);
    let committed = std::fs::read_to_string(&path).unwrap();
    let current = tables::replaced(&committed, generated).expect("the document has both markers");
    if is_update() {
        std::fs::write(&path, &current).unwrap();
        return;
    }
    assert!(committed == current, "{document} is out of date: run `UPDATE=1 cargo test -p settings`");
}

#[test]
fn the_reference_is_current() {
    check("docs/settings.md", &tables::reference(&SUBJECTS));
}

#[test]
fn the_readme_is_current() {
    let named = FIRST.map(|name| variables().find(|variable| variable.name == name).unwrap());
    check("README.md", &tables::short_table(named));
}

#[test]
fn the_page_about_uploaders_is_current() {
    check("docs/uploaders.md", &tables::table(IncomingSettings::SUBJECT.variables));
}

#[test]
fn the_page_about_protected_buckets_is_current() {
    check("docs/protected-buckets.md", &tables::table(ProtectedSettings::SUBJECT.variables));
}

#[test]
fn every_variable_is_in_the_reference() {
    let reference = tables::reference(&SUBJECTS);
    for Variable { name, about, allowed, .. } in variables() {
        assert!(reference.contains(&format!("\n| `{name}` |")), "{name}");
        assert!(about.trim().ends_with('.') && !allowed.ends_with('.'), "{name}: {about} {allowed}");
        assert!(![*about, allowed].concat().contains('|'), "{name}: a table has no `|`");
    }
}

/// The template's parameters: their names and defaults.
fn parameter_default(template: &str, name: &str) -> Option<String> {
    let (_, block) = template.split_once(&format!("\n  {name}:\n"))?;
    let lines = block.lines().take_while(|line| line.starts_with("    "));
    let mut defaults = lines.filter_map(|line| line.trim().strip_prefix("Default: "));
    Some(defaults.next().unwrap_or_default().trim_matches('"').to_owned())
}

#[test]
fn the_template_sets_variables_by_the_parameters_that_the_tables_name() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for Variable { name, parameter, presence, .. } in variables().filter(|row| !row.parameter.is_empty()) {
        let mut set = template.lines().filter_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
        assert!(set.any(|value| value.contains(&format!("!Ref {parameter}"))), "{name} by {parameter}");
        let default = parameter_default(&template, parameter).expect(parameter);
        if let Presence::Defaulted(expected) = presence {
            assert_eq!(default, *expected, "{name}: the template has a different default");
        }
    }
}

#[test]
fn the_template_sets_no_variable_that_is_not_declared() {
    /// Read by libraries and by the layer.
    const FOREIGN: [&str; 2] = ["AWS_LC_SYS_NO_JITTER_ENTROPY", "MALLOC_ARENA_MAX"];
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let is_name = |text: &&str| {
        let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        text.len() > 3 && text.bytes().all(is_part) && text.contains('_')
    };
    let set = template.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name);
    let set: BTreeSet<&str> = set.filter(is_name).collect();
    let declared: BTreeSet<&str> = variables().map(|variable| variable.name).chain(FOREIGN).collect();
    let unknown: Vec<_> = set.difference(&declared).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(set.len() > 30 && !set.contains(AWS.variables[0].name), "{set:?}");
}
