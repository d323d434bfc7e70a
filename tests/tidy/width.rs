//! Rust lines have at most 110 columns, comments and attributes included, which rustfmt leaves as they are.

use super::rooms::Violations;
use super::sources;

const MAX_COLUMNS: usize = 110;
/// A line with a word of so many columns is data, such as a key in base64, and cannot be wrapped.
const DATA_COLUMNS: usize = 80;

/// Rooms in which wider lines remain.
const NOT_YET: &[&str] = &[];

#[test]
fn rust_lines_have_at_most_110_columns() {
    let mut violations = Violations::default();
    for (path, text) in sources() {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if line.chars().count() > MAX_COLUMNS && !is_data(line) {
                violations.add(&path, index, line);
            }
        }
    }
    violations.assert_none_but_in(NOT_YET);
}

fn is_data(line: &str) -> bool {
    line.split_whitespace().any(|word| word.chars().count() >= DATA_COLUMNS)
}
