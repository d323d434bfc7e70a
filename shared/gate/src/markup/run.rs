//! Finds long parts of visible characters and white space: values are in such, and most other data have none.

/// How many bytes make a part long.
const LONG: usize = super::tag::SHORTEST_VALUE;

/// Looks for such a part in bytes that come piece by piece.
#[derive(Default)]
pub(super) struct Run {
    /// Of the part that the last piece ends with.
    n_bytes: usize,
    is_long: bool,
}

impl Run {
    /// Of other bytes it looks at few: from the end of each part to the last one in it that is neither.
    pub(super) fn take(&mut self, piece: &[u8]) {
        if self.is_long || piece.is_empty() {
            return;
        }
        let n_before = self.n_bytes;
        let n_needed = LONG - n_before;
        let Some(last) = last_other(&piece[..n_needed.min(piece.len())]) else {
            self.n_bytes += piece.len();
            self.is_long = piece.len() >= n_needed;
            return;
        };
        let mut at = last + 1;
        while let Some(part) = piece.get(at..at + LONG) {
            let Some(last) = last_other(part) else {
                self.is_long = true;
                return;
            };
            at += last + 1;
        }
        let rest = &piece[at..];
        self.n_bytes = rest.len() - last_other(rest).map_or(0, |last| last + 1);
    }

    pub(super) fn is_long(&self) -> bool {
        self.is_long
    }
}

fn last_other(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| !byte.is_ascii_graphic() && !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_part_is_found_in_whatever_pieces_it_comes() {
        for (n_before, n_text, is_long) in [
            (0, LONG, true),
            (0, LONG - 1, false),
            (1, LONG, true),
            (300, LONG - 1, false),
            (299, LONG + 1, true),
        ] {
            let text = [vec![1; n_before], vec![b'-'; n_text], vec![0x80; 70], vec![b'-'; LONG - 1]].concat();
            for n_piece in (1..70).chain([LONG * 2, 1000]) {
                let mut run = Run::default();
                text.chunks(n_piece).for_each(|piece| run.take(piece));
                assert_eq!(run.is_long(), is_long, "{n_before} {n_text} {n_piece}");
            }
        }
    }
}
