//! What the benches measure with: CPU is user and system time.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::process::Command;
use std::time::Instant;

/// CPU and wall-clock seconds.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

/// CPU seconds of this process, or of its children that ended.
fn cpu(who: UsageWho) -> f64 {
    let usage = getrusage(who).unwrap();
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64 / 1e6
}

pub(crate) fn measured(who: UsageWho, work: impl FnOnce()) -> Measured {
    let (cpu_before, started) = (cpu(who), Instant::now());
    work();
    Measured { cpu: cpu(who) - cpu_before, wall: started.elapsed().as_secs_f64() }
}

/// Peak memory, MiB, of this program in a process of its own: it prints [`own_peak`] at the end.
pub(crate) fn peak(arguments: &[&str]) -> f64 {
    let program = std::env::current_exe().unwrap();
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().parse::<f64>().unwrap() / 1024.0
}

/// Peak memory of this process so far, KiB.
pub(crate) fn own_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
