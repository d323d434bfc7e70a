//! Counts the characters that stand behind `\uN` for readers that do not know it (RTF 1.9.1, "Unicode RTF").
//! `\ucN` says how many, up to the end of its group.

/// More changes within each other than documents have.
const MAX_CHANGES: usize = 1_000;

#[derive(Clone, Debug)]
pub(super) struct Substitutes {
    n_characters: u64,
    level: u64,
    /// The level of each group that says something else than the one around it, and what that one said.
    outer: Vec<(u64, u64)>,
}

impl Default for Substitutes {
    fn default() -> Self {
        Self { n_characters: 1, level: 0, outer: Vec::new() }
    }
}

impl Substitutes {
    pub(super) fn n_characters(&self) -> u64 {
        self.n_characters
    }

    pub(super) fn open(&mut self) {
        self.level = self.level.saturating_add(1);
    }

    pub(super) fn close(&mut self) {
        if let Some((_, before)) = self.outer.pop_if(|(level, _)| *level >= self.level) {
            self.n_characters = before;
        }
        self.level = self.level.saturating_sub(1);
    }

    /// Takes `\ucN`. None is zero.
    pub(super) fn set(&mut self, parameter: Option<i64>) {
        let is_new = self.outer.last().is_none_or(|(level, _)| *level < self.level);
        if is_new && self.outer.len() < MAX_CHANGES {
            self.outer.push((self.level, self.n_characters));
        }
        self.n_characters = parameter.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_says_it_for_itself() {
        let mut substitutes = Substitutes::default();
        assert_eq!(substitutes.n_characters(), 1);
        substitutes.open();
        substitutes.set(Some(0));
        substitutes.set(Some(2));
        substitutes.open();
        assert_eq!(substitutes.n_characters(), 2);
        substitutes.set(Some(-3));
        assert_eq!(substitutes.n_characters(), 0);
        substitutes.close();
        assert_eq!(substitutes.n_characters(), 2);
        substitutes.close();
        assert_eq!(substitutes.n_characters(), 1);
        substitutes.close();
        assert_eq!(substitutes.n_characters(), 1);
    }
}
