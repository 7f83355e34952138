//! The report as JSON.

use super::model::Report;
use crate::evidence::hex;
use sha2::{Digest, Sha256};
use std::io::Write;

/// The file: the same bytes for the same report.
pub fn bytes(report: &Report) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(report).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Its SHA-256, hex, without holding the file.
pub fn digest(report: &Report) -> String {
    let mut hash = Sha256::new();
    // A hash takes every byte, and a report is JSON.
    let _ = serde_json::to_writer_pretty(&mut hash, report);
    let _ = hash.write_all(b"\n");
    hex(&hash.finalize())
}
