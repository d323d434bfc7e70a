//! Prints values as a table for people, or as JSON for programs.

use std::io::Write as _;

use clap::ValueEnum;
use console::{Style, style};
use domain::timestamp::Timestamp;
use indicatif::HumanDuration;
use serde_json::{Value, json};

use crate::failure;

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Output {
    /// For people: colours, rounded sizes and relative times on a terminal
    Table,
    /// For programs: results on standard output, errors on standard error
    Json,
}

impl Output {
    /// Prints `value` as JSON, or `rows` as a table with these columns: titles and JSON pointers.
    ///
    /// The error is `BrokenPipe` when the output was closed; the command then ends without a message.
    pub(crate) fn print(
        self,
        value: &Value,
        rows: &[Value],
        columns: &[(&str, &str)],
    ) -> std::io::Result<()> {
        match self {
            Self::Json => line(value),
            Self::Table => match Audience::of_output() {
                // A heading without rows looks like an output that is cut off.
                Audience::Terminal { .. } if rows.is_empty() => {
                    self.remark("nothing to list");
                    Ok(())
                }
                audience => write(&table(rows, columns, audience)),
            },
        }
    }

    /// Does the same, with the text at `note` below each row that has one: too long for a column.
    pub(crate) fn print_with_notes(
        self,
        value: &Value,
        rows: &[Value],
        columns: &[(&str, &str)],
        note: &str,
    ) -> std::io::Result<()> {
        if self == Self::Json {
            return line(value);
        }
        let table = table(rows, columns, Audience::of_output());
        let notes = rows.iter().map(|row| row.pointer(note).and_then(Value::as_str).unwrap_or_default());
        let mut text = String::new();
        for (row, note) in table.lines().zip(std::iter::once("").chain(notes)) {
            text.push_str(row);
            text.push('\n');
            if !note.is_empty() {
                text.extend(["      -> ", note, "\n"]);
            }
        }
        write(&text)
    }

    /// Prints `value` as JSON, or `text` for people.
    pub(crate) fn say(self, value: &Value, text: &str) -> std::io::Result<()> {
        match self {
            Self::Json => line(value),
            Self::Table => line(text),
        }
    }

    /// Prints an error to standard error; if that is closed, nothing.
    pub(crate) fn fail(self, error: &anyhow::Error) {
        let _ = match self {
            Self::Json => writeln!(std::io::stderr(), "{}", json!({ "error": failure::as_json(error) })),
            Self::Table => {
                let name = style("airlock:").for_stderr().red().bold();
                writeln!(std::io::stderr(), "{name} {}", harmless(&format!("{error:#}")))
            }
        };
    }

    /// Prints a remark for people to standard error.
    pub(crate) fn remark(self, text: &str) {
        if self == Self::Table {
            let _ = writeln!(std::io::stderr(), "{}", style(harmless(text)).for_stderr().dim());
        }
    }
}

/// Text that a terminal only shows: names of files may contain sequences that it would obey.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// The same on one line, so that a name cannot pretend to be another line.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\u{fffd}")
}

pub(crate) fn line(text: impl std::fmt::Display) -> std::io::Result<()> {
    write(&format!("{text}\n"))
}

/// Writes to standard output. `print!` would panic when it is closed.
pub(crate) fn write(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// For whom a table is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Audience {
    /// A person at a terminal, at this time.
    Terminal { now: Timestamp },
    /// A pipe or a file: exact values.
    Pipe,
}

impl Audience {
    fn of_output() -> Self {
        if console::user_attended() { Self::Terminal { now: aws::clock::now() } } else { Self::Pipe }
    }
}

fn table(rows: &[Value], columns: &[(&str, &str)], audience: Audience) -> String {
    let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect::<Vec<_>>();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, at)| cell(row, at, audience)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(titles).chain(cells).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (n, line) in lines.iter().enumerate() {
        let mut row = String::new();
        for ((cell, width), (_, pointer)) in line.iter().zip(&widths).zip(columns) {
            let styled = if n == 0 { Style::new().bold() } else { style_of(pointer, cell) };
            row.push_str(&styled.apply_to(cell).to_string());
            row.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn cell(row: &Value, pointer: &str, audience: Audience) -> String {
    let value = row.pointer(pointer).unwrap_or(&Value::Null);
    let is_time = pointer.ends_with("_at") || pointer.ends_with("_timestamp");
    let time = value.as_str().filter(|_| is_time).and_then(Timestamp::parse_rfc3339);
    let size = value.as_u64().filter(|_| pointer.ends_with("_size"));
    match (value, time, size, audience) {
        (Value::Null, ..) => "-".to_owned(),
        (_, Some(time), _, Audience::Terminal { now }) if now >= time => {
            format!("{:#} ago", HumanDuration(now.since(time)))
        }
        // Whole seconds, so that columns stay aligned.
        (_, Some(time), ..) => Timestamp::from_secs(time.as_secs()).to_string(),
        (_, _, Some(size), Audience::Terminal { .. }) => rounded_size(size),
        // A file name that a stranger chose must not move the cursor.
        (Value::String(text), ..) => one_line(text),
        (other, ..) => other.to_string(),
    }
}

/// A size for people, in the units of the page.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn rounded_size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

/// A status in its colour.
pub(crate) fn styled_status(status: &str) -> impl std::fmt::Display {
    style_of("/scan_status", status).apply_to(status.to_owned())
}

/// Colours states and statuses. `console` drops them where the output is no terminal or `NO_COLOR` is set.
fn style_of(pointer: &str, cell: &str) -> Style {
    if !["/scan_status", "/state"].contains(&pointer) {
        return Style::new();
    }
    match cell.split(' ').next().unwrap_or_default() {
        "clean" | "ok" => Style::new().green(),
        "infected" | "FAIL" => Style::new().red().bold(),
        "unscannable" | "error" | "warn" | "released" => Style::new().yellow(),
        "pending" | "scanning" => Style::new().cyan(),
        _ => Style::new().dim(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: [(&str, &str); 3] = [("NAME", "/name"), ("SIZE", "/file_size"), ("AT", "/scanned_at")];

    #[test]
    fn a_table_has_its_columns_in_line_and_no_control_characters() {
        let rows = [json!({ "name": "a\u{1b}[2J", "file_size": 5 }), json!({ "name": "longer name" })];
        let table = table(&rows, &COLUMNS[..2], Audience::Pipe);
        assert_eq!(table, "NAME         SIZE\na\u{fffd}[2J        5\nlonger name  -\n");
    }

    #[test]
    fn sizes_are_rounded_to_one_decimal() {
        for (bytes, expected) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 KB"), (2_147_483_647, "2.1 GB")] {
            assert_eq!(rounded_size(bytes), expected);
        }
    }

    #[test]
    fn people_get_rounded_values_and_programs_exact_ones() {
        let rows =
            [json!({ "name": "a", "file_size": 104_857_600, "scanned_at": "2026-01-31T12:00:00.123Z" })];
        let now = Timestamp::parse_rfc3339("2026-01-31T12:05:00Z").unwrap();
        let shown = table(&rows, &COLUMNS, Audience::Terminal { now });
        assert_eq!(shown, "NAME  SIZE      AT\na     104.9 MB  5m ago\n");
        let piped = table(&rows, &COLUMNS, Audience::Pipe);
        assert!(piped.ends_with("a     104857600  2026-01-31T12:00:00Z\n"), "{piped}");
    }
}
