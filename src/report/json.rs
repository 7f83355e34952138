//! The report as JSON.

use super::model::Report;

/// The file: the same bytes for the same report.
pub fn bytes(report: &Report) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(report).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
