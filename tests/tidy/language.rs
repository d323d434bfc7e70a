//! Text names who acts and when: vague pronouns and ambiguous phrases are rejected.

use super::rooms::Violations;
use super::sources;

/// Instead of a vague pronoun, name the actor: the client, the uploader, the owner, an operator, the scanner.
/// "At once" means immediately, concurrently or atomically; say which.
const REJECTED: [&str; 6] = ["somebody", "nobody", "whoever", "at once", "gone on", "not any more"];

/// Rooms in which such words remain.
const NOT_YET: &[&str] = &[];

#[test]
fn text_uses_no_vague_words() {
    let mut violations = Violations::default();
    let mut n_checked = 0;
    for (path, text) in sources() {
        // This file lists the words.
        if !is_text(&path) || path.ends_with("tidy/language.rs") {
            continue;
        }
        n_checked += 1;
        for (index, line) in text.lines().enumerate() {
            if has_rejected_word(line) {
                violations.add(&path, index, line);
            }
        }
    }
    assert!(n_checked > 400, "{n_checked}");
    violations.assert_none_but_in(NOT_YET);
}

/// Whether the file is written by hand: code, documents and configuration, but no golden files, lists of
/// packages or samples.
fn is_text(path: &std::path::Path) -> bool {
    const EXTENSIONS: [&str; 12] =
        ["css", "html", "js", "json", "md", "mjs", "py", "rs", "service", "toml", "ts", "yaml"];
    let is_generated = path.ends_with("package-lock.json");
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    // Scripts in `tools` and makefiles have none.
    !is_generated && extension.is_none_or(|extension| EXTENSIONS.contains(&extension.as_ref()))
}

fn has_rejected_word(line: &str) -> bool {
    let line = line.to_lowercase();
    let is_word = |at: usize, word: &str| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    };
    REJECTED.iter().any(|word| line.match_indices(word).any(|(at, _)| is_word(at, word)))
}

#[test]
fn words_are_recognized_whole() {
    for rejected in ["Somebody else", "for nobody's sake", "gone on.", "all at once"] {
        assert!(has_rejected_word(rejected), "{rejected}");
    }
    for accepted in ["that once", "bygone onions", "not any moreover", "at oncely", ""] {
        assert!(!has_rejected_word(accepted), "{accepted}");
    }
}
