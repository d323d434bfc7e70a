//! The settings as Markdown tables, for the documentation.

use std::fmt::Write as _;

use crate::declare::{Presence, Subject, Variable};

/// The first line of a generated region of a document; [`END`] is the last.
pub const BEGIN: &str = "<!-- settings: begin -->\n";
pub const END: &str = "<!-- settings: end -->\n";

/// A heading and a table for every title; subjects that follow each other may share one.
pub fn reference(subjects: &[&Subject]) -> String {
    let groups = subjects.chunk_by(|one, next| one.title == next.title);
    groups.fold(String::new(), |mut text, group| {
        let variables = group.iter().flat_map(|subject| subject.variables);
        let _ = write!(text, "\n## {}\n\n{}", group[0].title, table(variables));
        text
    }) + "\n"
}

/// One table with a row for each variable.
pub fn table<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> String {
    let head = "| variable | stack parameter | default | allowed | meaning |\n|---|---|---|---|---|\n";
    variables.into_iter().fold(head.to_owned(), |text, variable| text + &row(variable))
}

/// The same table without the stack's parameters.
pub fn short_table<'a>(variables: impl IntoIterator<Item = &'a Variable>) -> String {
    let head = "| variable | default | allowed | meaning |\n|---|---|---|---|\n";
    variables.into_iter().fold(head.to_owned(), |mut text, variable| {
        let Variable { name, allowed, .. } = variable;
        let (default, about) = (default_of(variable), variable.about.trim());
        let _ = writeln!(text, "| `{name}` | {default} | {allowed} | {about} |");
        text
    })
}

fn row(variable: &Variable) -> String {
    let parameter = match variable.parameter {
        "" => String::new(),
        name => format!("`{name}`"),
    };
    let Variable { name, allowed, .. } = variable;
    let (default, about) = (default_of(variable), variable.about.trim());
    format!("| `{name}` | {parameter} | {default} | {allowed} | {about} |\n")
}

fn default_of(variable: &Variable) -> String {
    let unit = match variable.unit {
        "" => String::new(),
        unit => format!(" {unit}"),
    };
    match variable.presence {
        Presence::Defaulted("") => "none".to_owned(),
        Presence::Defaulted(default) => format!("`{default}`{unit}"),
        Presence::Optional(absence) if absence.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("`{absence}`{unit}")
        }
        Presence::Optional(absence) => absence.to_owned(),
        Presence::Required => "required".to_owned(),
    }
}

/// `document` with `generated` between its markers; `None` if it does not have both of them.
pub fn replaced(document: &str, generated: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, generated, END, after].concat())
}
