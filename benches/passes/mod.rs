//! Passes over a source, each in a process of its own; CPU is its user and system time.

use crate::measure::{measured, own_peak};
use actledger::config::Config;
use actledger::jobs::{self, Desk};
use nix::sys::resource::UsageWho;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Credentials of a service that asks for none.
pub(crate) const AWS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/nonexistent"),
];

/// A folder with a config and a key.
pub(crate) fn estate(config: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("actledger.toml"), format!("organization = 'Bench'\n{config}")).unwrap();
    let keys = dir.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    let key = keys.join("ledger.key");
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "ed25519", "-out"])
        .arg(&key)
        .output()
        .unwrap();
    assert!(made.status.success());
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    dir
}

/// Runs a pass and prints what it took.
pub(crate) fn row(name: &str, dir: &Path, goal: &str) {
    let mut said = String::new();
    let m = measured(UsageWho::RUSAGE_CHILDREN, || {
        let program = std::env::current_exe().unwrap();
        let done = Command::new(program).arg("pass").arg(dir).envs(AWS).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        said = String::from_utf8(done.stdout).unwrap();
    });
    let (peak, entries) = said.trim().split_once(' ').unwrap();
    let peak = peak.parse::<f64>().unwrap() / 1024.0;
    println!("| {name} | {:.1} | {:.1} | {peak:.0} | {entries} | {goal} |", m.cpu, m.wall);
}

/// In a process that was started for a pass: makes it, and prints its peak memory and the entries that it wrote beside the run.
pub(crate) fn made(expected_gap: &str) -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(i) = arguments.iter().position(|a| a == "pass") else { return false };
    let dir = Path::new(&arguments[i + 1]);
    let text = std::fs::read_to_string(dir.join("actledger.toml")).unwrap();
    let desk = Desk::lay(Config::parse(&text, "actledger.toml", dir).unwrap()).unwrap();
    let mut store = desk.store().unwrap();
    let status = jobs::ingest(&desk, &mut store, &[], &|_, _, _| {}).unwrap();
    let source = &status.sources[0];
    assert!(source.failed.is_none(), "{source:?}");
    assert!(source.not_seen.iter().all(|g| g.contains(expected_gap)), "{source:?}");
    println!("{} {}", own_peak(), source.entries);
    true
}
