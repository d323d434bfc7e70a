//! Lists of rooms that do not keep a rule yet. A list only shrinks: a room on it that keeps the rule fails
//! the test too.

use std::collections::BTreeMap;
use std::path::Path;

/// The part of the repository that a file belongs to: `shared/gate`, `functions/api`, `cli`, or the name of a
/// file at the root.
pub(super) fn room(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    match parts.as_slice() {
        [group, room, _, ..] if ["shared", "functions"].contains(&group.as_ref()) => {
            format!("{group}/{room}")
        }
        [room, ..] => room.to_string(),
        [] => String::new(),
    }
}

/// Violations by room, each as `path:line: text`.
#[derive(Default)]
pub(super) struct Violations(BTreeMap<String, Vec<String>>);

impl Violations {
    pub(super) fn add(&mut self, path: &Path, line_index: usize, line: &str) {
        let place = format!("{}:{}: {}", path.display(), line_index + 1, line.trim());
        self.0.entry(room(path)).or_default().push(place);
    }

    /// Fails for violations outside the rooms that are `not_yet` clean, and for rooms on that list that are
    /// clean.
    pub(super) fn assert_none_but_in(&self, not_yet: &[&str]) {
        let new: Vec<_> = self.0.iter().filter(|(room, _)| !not_yet.contains(&room.as_str())).collect();
        let new: Vec<_> = new.into_iter().flat_map(|(_, places)| places.iter().map(String::as_str)).collect();
        assert!(new.is_empty(), "\n{}", new.join("\n"));
        let stale: Vec<_> = not_yet.iter().filter(|room| !self.0.contains_key(**room)).collect();
        assert!(stale.is_empty(), "remove these rooms from the list, they keep the rule now: {stale:?}");
    }
}
