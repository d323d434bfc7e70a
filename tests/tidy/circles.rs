//! Modules of a crate do not depend on each other in circles: each can be read before those that use it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::rooms::{Violations, room};
use super::sources;

/// Rooms that have circles. In the gate a container holds containers, so its walk and its formats call each
/// other.
const NOT_YET: &[&str] = &["shared/gate", "shared/standin"];

/// A module's path in its crate; the crate's root has the empty path.
type Module = Vec<String>;

/// A module's file, and the modules that it depends on.
type Modules = BTreeMap<Module, (PathBuf, BTreeSet<Module>)>;

#[test]
fn modules_have_no_circles() {
    let mut crates: BTreeMap<String, Vec<(Module, PathBuf, String)>> = BTreeMap::new();
    for (path, text) in sources() {
        let is_checked = ["shared", "functions", "cli"].iter().any(|group| path.starts_with(group));
        if let Some(module) = module_of(&path).filter(|_| is_checked) {
            let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
            crates.entry(room(&path)).or_default().push((module, path, code));
        }
    }
    assert!(crates.len() > 15, "{}", crates.len());
    let mut violations = Violations::default();
    for files in crates.values() {
        let known: BTreeSet<Module> = files.iter().map(|(module, ..)| module.clone()).collect();
        let modules: Modules = files
            .iter()
            .map(|(module, path, code)| (module.clone(), (path.clone(), dependencies(module, code, &known))))
            .collect();
        for (module, (path, _)) in &modules {
            if reachable(module, &modules).contains(module) {
                violations.add(path, 0, "is part of a circle");
            }
        }
    }
    violations.assert_none_but_in(NOT_YET);
}

/// `None` for tests and for files that are not sources of a crate.
fn module_of(path: &Path) -> Option<Module> {
    let parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let is_rust = path.extension().is_some_and(|extension| extension == "rs");
    let source = parts.iter().position(|part| part == "src").filter(|_| is_rust)?;
    let module = &parts[source + 1..];
    match module {
        [root] if ["lib", "main"].contains(&root.as_str()) => Some(vec![]),
        _ if module.iter().any(|part| part == "tests") => None,
        _ => Some(module.to_vec()),
    }
}

/// The modules that the code names, and the module's own children. A child may use what its parent declares,
/// so modules above it do not count.
fn dependencies(module: &Module, code: &str, known: &BTreeSet<Module>) -> BTreeSet<Module> {
    let code: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let mut found: BTreeSet<Module> = known
        .iter()
        .filter(|other| other.split_last().is_some_and(|(_, above)| above == *module))
        .cloned()
        .collect();
    let above = &module[..module.len().saturating_sub(1)];
    for (start, base) in [("crate::", &module[..0]), ("super::", above)] {
        for (at, _) in code.match_indices(start) {
            for path in expanded(&code[at + start.len()..]) {
                let whole: Module = base.iter().cloned().chain(path).collect();
                let named = (0..=whole.len()).rev().map(|n| &whole[..n]).find(|name| known.contains(*name));
                found.extend(named.filter(|name| !module.starts_with(name)).map(<[String]>::to_vec));
            }
        }
    }
    found
}

/// The paths that begin at the start of `code`: `a::{b, c::d}` are `a::b` and `a::c::d`.
fn expanded(code: &str) -> Vec<Module> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut path = vec![];
    let mut rest = code;
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            let mut paths = vec![];
            for member in members(group) {
                for end in expanded(member) {
                    paths.push(path.iter().cloned().chain(end).collect());
                }
            }
            return paths;
        }
        let n_bytes = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        path.push(rest[..n_bytes].to_owned());
        let Some(next) = rest[n_bytes..].strip_prefix("::") else { return vec![path] };
        rest = next;
    }
}

/// The members of a group of paths, up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, vec![]);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(group[start..at].trim());
                return found;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn reachable(from: &Module, modules: &Modules) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let mut next = vec![from];
    while let Some(module) = next.pop() {
        for other in &modules[module].1 {
            if found.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    found
}

#[test]
fn groups_of_paths_are_expanded() {
    let expanded = |code| expanded(code).into_iter().map(|path| path.join("::")).collect::<Vec<_>>();
    assert_eq!(expanded("a::{b, c::{d, e}, self};"), ["a::b", "a::c::d", "a::c::e", "a::self"]);
    assert_eq!(expanded("a::b(c)"), ["a::b"]);
}

#[test]
fn a_circle_is_found_and_a_parent_is_none() {
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Module>();
    let known = ["a", "a::child", "b"].map(module).into();
    let of = |path: &str, code| dependencies(&module(path), code, &known);
    assert_eq!(of("a", ""), [module("a::child")].into());
    assert_eq!(of("a::child", "use super::Thing;\nuse crate::a::Other;"), [].into());
    assert_eq!(of("b", "use crate::a::child::{X, Y};"), [module("a::child")].into());
    assert_eq!(of("b", "// crate::a::child"), [].into());
}
