//! Prints values as a table for people, or as JSON for programs.

use clap::ValueEnum;
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Output {
    Table,
    Json,
}

impl Output {
    /// Prints `value` as JSON, or `rows` as a table with these columns.
    pub(crate) fn print(self, value: &Value, rows: &[Value], columns: &[(&str, &str)]) {
        match self {
            Self::Json => println!("{value}"),
            Self::Table => print!("{}", table(rows, columns)),
        }
    }
}

/// A column is a title and a JSON pointer.
pub(crate) fn table(rows: &[Value], columns: &[(&str, &str)]) -> String {
    let cell = |row: &Value, pointer: &str| match row.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        // A file name that a stranger chose must not move the cursor.
        Some(Value::String(text)) => {
            text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        }
        Some(other) => other.to_string(),
    };
    let mut lines = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|(_, pointer)| cell(row, pointer)).collect()));
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            row.push_str(cell);
            row.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_has_its_columns_in_line_and_no_control_characters() {
        let rows = [json!({ "name": "a\u{1b}[2J", "size": 5 }), json!({ "name": "longer name" })];
        let table = table(&rows, &[("NAME", "/name"), ("SIZE", "/size")]);
        assert_eq!(table, "NAME         SIZE\na\u{fffd}[2J        5\nlonger name  -\n");
    }
}
