//! Exit codes that tell a script the verdict.

use serde_json::Value;

/// Returns 0 for files that can be downloaded; codes below 10 are the program's own.
pub(crate) fn code(info: &Value) -> u8 {
    match info["scan_status"].as_str().unwrap_or_default() {
        "clean" | "released" => 0,
        "infected" => 10,
        "unscannable" => 11,
        "error" => 12,
        "expired" | "deleted" => 13,
        _ => NO_VERDICT,
    }
}

pub(crate) const NO_VERDICT: u8 = 14;

pub(crate) fn is_final(info: &Value) -> bool {
    !matches!(info["scan_status"].as_str(), Some("pending" | "scanning"))
}
