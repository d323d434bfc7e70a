//! Asks before something is done that costs money or changes what belongs to others.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// Asks on the terminal; only `y` or `yes` is a yes. An error without a terminal.
pub(crate) fn ask(question: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        anyhow::bail!("this needs your consent, and there is no terminal to ask: add --yes");
    }
    write!(std::io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
