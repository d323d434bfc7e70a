//! Exit codes that tell a script the verdict.

use serde_json::Value;

pub(crate) const INFECTED: u8 = 10;
pub(crate) const UNSCANNABLE: u8 = 11;
pub(crate) const SCAN_FAILED: u8 = 12;
pub(crate) const GONE: u8 = 13;
pub(crate) const NO_VERDICT: u8 = 14;

/// Returns 0 for files that can be downloaded; codes below 10 are the program's own.
pub(crate) fn code(info: &Value) -> u8 {
    match info["scan_status"].as_str().unwrap_or_default() {
        "clean" | "released" => 0,
        "infected" => INFECTED,
        "unscannable" => UNSCANNABLE,
        "error" => SCAN_FAILED,
        "expired" | "deleted" => GONE,
        _ => NO_VERDICT,
    }
}

pub(crate) fn is_final(info: &Value) -> bool {
    !matches!(info["scan_status"].as_str(), Some("pending" | "scanning"))
}
