//! Files of issued reports, by the digests that were written down. The pages of a large report are told by one file of digests.

use super::Desk;
use super::report::folder;
use crate::evidence::record::ReportIssued;
use crate::evidence::sha256_hex;
use crate::report::html::PAGES;
use std::collections::BTreeMap;
use std::fmt::Write;

type Files = BTreeMap<String, Vec<u8>>;

/// Where the digests of all pages stand, in the form of sha256sum(1).
fn sums_name() -> String {
    format!("{PAGES}/SHA256SUMS")
}

/// Whether a file is told by the digests of pages, and not by the entry.
pub(super) fn is_in_sums(name: &str) -> bool {
    name.starts_with(PAGES) && name != sums_name()
}

/// The digests of the pages among some files; nothing where there are none.
pub(super) fn sums(files: &Files) -> Option<(String, Vec<u8>)> {
    let mut text = String::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with(PAGES)) {
        let _ = writeln!(text, "{}  {}", sha256_hex(bytes), &name[PAGES.len() + 1..]);
    }
    (!text.is_empty()).then(|| (sums_name(), text.into_bytes()))
}

/// The files of a form of an issued report, when each is still there with the digest that was written down.
pub(super) fn kept(desk: &Desk, issued: &ReportIssued, format: &str) -> Option<Files> {
    let name = format!("report.{format}");
    let mut files = Files::from([(name.clone(), file(desk, issued, &name)?)]);
    if format == "html" && issued.files.contains_key(&sums_name()) {
        let sums = file(desk, issued, &sums_name())?;
        for line in std::str::from_utf8(&sums).ok()?.lines() {
            let (sha256, page) = line.split_once("  ")?;
            let name = format!("{PAGES}/{page}");
            let bytes = with_digest(desk, issued, &name, sha256)?;
            files.insert(name, bytes);
        }
        files.insert(sums_name(), sums);
    }
    Some(files)
}

/// The same of one file, which may be a page.
pub(super) fn one(desk: &Desk, issued: &ReportIssued, name: &str) -> Option<Vec<u8>> {
    if !is_in_sums(name) {
        return file(desk, issued, name);
    }
    let sums = file(desk, issued, &sums_name())?;
    let mut lines = std::str::from_utf8(&sums).ok()?.lines().filter_map(|line| line.split_once("  "));
    let (sha256, _) = lines.find(|(_, page)| name.strip_prefix(PAGES) == Some(&format!("/{page}")))?;
    with_digest(desk, issued, name, sha256)
}

/// A file of an issued report, when it is still there with the digest that was written down.
pub(super) fn file(desk: &Desk, issued: &ReportIssued, name: &str) -> Option<Vec<u8>> {
    with_digest(desk, issued, name, issued.files.get(name)?)
}

fn with_digest(desk: &Desk, issued: &ReportIssued, name: &str, sha256: &str) -> Option<Vec<u8>> {
    let bytes = std::fs::read(folder(desk, issued.at, issued.as_of).join(name)).ok();
    bytes.filter(|bytes| sha256_hex(bytes) == sha256)
}
