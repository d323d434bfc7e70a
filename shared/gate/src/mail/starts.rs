//! Where the body behind a header may begin: readers differ on the line that ends a header.

use super::lines::Line;

/// Collects the places, from the lines of a header that are not blank.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// At the first line that is none of a header: some readers begin the body with it.
    odd_line: Option<u64>,
    /// Behind the first line that C programs take for an empty one.
    behind_white: Option<u64>,
    /// Behind the first CR that begins a line: to some readers, that line is blank.
    behind_cr: Option<u64>,
}

impl Starts {
    pub(super) fn take(&mut self, line: &Line<'_>, is_of_header: bool) {
        if !is_of_header {
            self.odd_line = self.odd_line.or(Some(line.at));
        }
        if line.begins && is_white(line.text) {
            self.behind_white = self.behind_white.or(Some(line.next_at));
        }
        if line.text_at > line.at {
            self.behind_cr = self.behind_cr.or(Some(line.text_at));
        }
    }

    /// The places, with the one behind the blank line if there is one.
    pub(super) fn with(self, blank_at: Option<u64>) -> impl Iterator<Item = u64> {
        [blank_at, self.odd_line, self.behind_white, self.behind_cr].into_iter().flatten()
    }
}

/// Returns whether `isspace` holds for all of a line, up to the zero that ends a string.
fn is_white(text: &[u8]) -> bool {
    let string = text.split(|byte| *byte == 0).next().unwrap_or_default();
    string.iter().all(|byte| byte.is_ascii_whitespace() || *byte == b'\x0b')
}
